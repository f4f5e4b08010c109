"""Rules as files: what is read, what is refused on which line, and what alerts follow."""

import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tracker
from tracker import overdue
from tracker.durations import length, written
from tracker.rule_kinds import LateForecast, LineRule, Overdue
from tracker.rules import KINDS, Rules, as_json, contradictions, policy_of, read_rules, shipped
from tracker.worldfile import BadWorld, dump

H, D = 3_600_000, 86_400_000
ROOT = Path(tracker.__file__).parent.parent
GOOD = """\
retour: 1
rules:
  - id: late
    kind: overdue
    ladder: [3 d, 7 d]
    escalate: [serious, critical]
    repeat: never
    quiet_hours: {since: "22:00", until: 07:00, timezone: Europe/Amsterdam}
    classes: [keg]
  - {id: soon_late, kind: late_forecast, ladder: [7 d, 2 d], p: 0.6}
  - {id: waits, kind: dwell, stages: [repair], sites: [depot-1], after: 90 min}
  - {id: empty, kind: low_battery, below: 0.2, clear_above: 0.3}
  - {id: warm, kind: temperature, at_least: 2, at_most: 8}
  - {id: hit, kind: shock, above: 5}
  - {id: off, kind: forbidden_site, sites: [scrapyard]}
  - {id: still, kind: silence, by_power: {solar: 12}}
  - {id: deaf, kind: reader_down}
"""


def faults(text):
    with pytest.raises(BadWorld) as refused:
        read_rules(text)
    return str(refused.value).splitlines()


def test_a_good_file_is_read_with_the_defaults_of_each_kind():
    late, soon_late, *_, still, deaf = read_rules(GOOD).rules
    assert (late.severity, late.repeat, late.classes) == ("serious", None, ["keg"])
    assert (soon_late.p, soon_late.hold) == (0.6, 0)
    assert (still.intervals, still.by_power) == (3, {"solar": 12})
    assert deaf.hold == 10 * 60_000


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("kind: shock", "kind: shok", "line 14: rules[5].kind: there is no kind 'shok' (did you"),
        (", kind: shock", "", "line 14: rules[5]: `kind` is missing"),
        ("{id: hit, ", "{", "line 14: rules[5]: `id` is missing"),
        ("id: hit", "id: late", "line 14: rules[5].id: rule 1 has the id 'late' too"),
        ("id: hit", "id: Hit", "line 14: rules[5].id: 'Hit' is no name: a-z first"),
        ("above: 5", "abov: 5", "line 14: rules[5].abov: unknown key (did you mean 'above'?)"),
        ("above: 5", "above: 0", "line 14: rules[5].above: should be greater than 0, not '0'"),
        ("above: 5", "hold: 1 h", "line 14: rules[5].hold: a shock is over at once: leave this"),
        ("above: 5", "severity: bad", "line 14: rules[5].severity: should be 'info', 'warning'"),
        ("above: 5", "enabled: perhaps", "line 14: rules[5].enabled: should be a valid boolean"),
        ("90 min", "90", "line 11: rules[2].after: '90' is no length of time: write 45 s, 90 min"),
        ("90 min", "-1 h", "line 11: rules[2].after: '-1 h' is no length of time"),
        (", after: 90 min", "", "line 11: rules[2]: `after` is missing"),
        ("[repair]", "[Repair]", "line 11: rules[2].stages[0]: 'Repair' is no name"),
        ("[depot-1]", "[depot 1]", "line 11: rules[2].sites[0]: 'depot 1' is no id"),
        ("[3 d, 7 d]", "[7 d, 3 d]", "line 5: rules[0].ladder: each is to be longer than the one"),
        ("[3 d, 7 d]", "[0, 7 d]", "line 5: rules[0].ladder: each is to be longer than the one"),
        ("[3 d, 7 d]", "[3 d]", "line 6: rules[0].escalate: 2 given, for the 1 levels after"),
        ("[3 d, 7 d]", "3 d", "line 5: rules[0].ladder: a list is wanted here"),
        ("[7 d, 2 d]", "[2 d, 7 d]", "line 10: rules[1].ladder: each length of time is to be sho"),
        ("[7 d, 2 d]", "[]", "line 10: rules[1].ladder: List should have at least 1 item"),
        ("repeat: never", "repeat: 0", "line 7: rules[0].repeat: what is repeated at once never"),
        ("repeat: never", "repeat: no", "line 7: rules[0].repeat: 'no' is no length of time"),
        ("07:00", "25:00", "line 8: rules[0].quiet_hours.until: '25:00' is no time of day"),
        ("07:00", "22:00", "line 8: rules[0].quiet_hours: quiet hours that end when they begin"),
        (
            "Europe/Amsterdam",
            "Europe/Breda",
            "line 8: rules[0].quiet_hours.timezone: 'Europe/Breda'",
        ),
        ("clear_above: 0.3", "clear_above: 0.1", "line 12: rules[3].clear_above: should be 0.2 or"),
        ("at_least: 2, at_most: 8", "hold: 0", "line 13: rules[4]: give `at_least`, `at_most` or"),
        ("at_most: 8", "at_most: 2", "line 13: rules[4].at_most: should be greater than 2, as"),
        ("at_most: 8", "at_most: .inf", "line 13: rules[4].at_most: should be a valid number"),
        (", sites: [scrapyard]", "", "line 15: rules[6]: `sites` is missing"),
        ("[scrapyard]", "[]", "line 15: rules[6].sites: List should have at least 1 item"),
        ("{solar: 12}", "{solar: 0}", "line 16: rules[7].by_power.solar: should be greater than 0"),
        ("reader_down}", "reader_down, classes: [a]}", "line 17: rules[8].classes: a reader has"),
        ("retour: 1", "retour: 2", "line 1: retour: should be 1"),
        ("retour: 1\n", "retour: 1\nrule: []\n", "line 2: rule: unknown key"),
    ],
)
def test_a_fault_is_told_with_its_line(old, new, told):
    assert GOOD.count(old) == 1
    found = faults(GOOD.replace(old, new))
    assert [line for line in found if line.startswith(told)], found


def test_every_fault_is_told_at_once():
    text = GOOD.replace("above: 5", "above: 0").replace("90 min", "90").replace("reader_down", "x")
    assert len(faults(text)) == 3
    text = GOOD.replace("id: hit", "id: late").replace("[7 d, 2 d]", "[2 d, 7 d]")
    assert len(faults(text)) == 2


@pytest.mark.parametrize("text", ["", "[]", "retour: 1", "rules: {}", "rules: [a]", "rules: [[]]"])
def test_what_is_no_file_of_rules_is_refused(text):
    assert faults(text)


@given(
    where=st.integers(0, len(GOOD) - 1),
    what=st.text(st.sampled_from("{}[]:,-& \n01.dhid"), max_size=4),
    length=st.integers(0, 9),
)
def test_a_mangled_file_is_read_or_refused_and_nothing_else(where, what, length):
    mangled = GOOD[:where] + what + GOOD[where + length :]
    try:
        rules = read_rules(mangled)
    except BadWorld:
        assert all(line.startswith("line ") for line in faults(mangled))
    else:
        assert not [*contradictions(rules)]


def test_what_is_read_can_be_written_and_read_again():
    rules = read_rules(GOOD)
    assert read_rules(dump(as_json(rules))) == rules
    assert Rules.model_validate(as_json(rules)) == rules
    late = as_json(rules)["rules"][0]
    assert (late["repeat"], late["quiet_hours"]["since"]) == ("never", "22:00")
    assert "ladder" not in late  # it is as the kind has it


class TestShipped:
    def test_it_is_fine_and_packaged(self):
        assert not [*contradictions(shipped())]
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())
        packaged = project["tool"]["setuptools"]["package-data"]["tracker"]
        assert "rulesets/*.yaml" in packaged

    def test_whatever_may_be_found_of_a_line_is_looked_for(self):
        kinds = {rule.kind for rule in shipped().lines()}
        assert kinds == {*map(str, overdue.Kind), "late_forecast"}
        assert kinds == {kind for kind, model in KINDS.items() if issubclass(model, LineRule)}

    def test_overdue_goes_up_the_ladder_and_is_repeated(self):
        (late,) = [rule for rule in shipped().lines() if isinstance(rule, Overdue)]
        policy = policy_of(late)
        assert (policy.hold_ms, policy.levels) == (0, (0, 3 * D, 7 * D))
        assert policy.repeat_ms == 72 * H
        told = [policy.severity_at(level) for level in range(5)]
        assert told == ["serious", "serious", "serious", "critical", "critical"]

    def test_a_forecast_counts_backwards_from_the_deadline(self):
        (forecast,) = [rule for rule in shipped().lines() if isinstance(rule, LateForecast)]
        begins = forecast.begins(100 * D)
        assert [begins + after for after in policy_of(forecast).levels] == [93 * D, 98 * D]

    def test_holds_are_those_that_the_documentation_names(self):
        holds = {rule.kind: policy_of(rule).hold_ms for rule in shipped().lines()}
        assert holds["returned_unrecorded"] == holds["returned_on_paper"] == 24 * H
        assert (holds["wrong_partner"], holds["left_behind"]) == (H, 24 * H)


def test_what_is_not_enabled_is_not_looked_for():
    rules = read_rules("rules: [{id: a, kind: silence, enabled: false}, {id: b, kind: silence}]")
    assert [rule.id for rule in rules.assets()] == ["b"]
    assert (rules.lines(), rules.readers()) == ([], [])


@pytest.mark.parametrize(
    ("filters", "class_", "sites", "concerned"),
    [
        ("", None, (), True),
        ("classes: [keg], ", "keg", (), True),
        ("classes: [keg], ", "box", (), False),
        ("sites: [a, b], ", "keg", ("b", "c"), True),
        ("sites: [a, b], ", "keg", ("c",), False),
        ("sites: [a, b], ", "keg", (), False),
        ("classes: [keg], sites: [a], ", "box", ("a",), False),
    ],
)
def test_filters(filters, class_, sites, concerned):
    (rule,) = read_rules(f"rules: [{{id: a, {filters}kind: overdue}}]").rules
    assert rule.concerns(class_, sites) is concerned


@given(st.integers(1, 999_999), st.sampled_from(["s", "min", "h", "d"]))
def test_a_length_of_time_is_written_as_it_is_read(number, unit):
    ms = length(f"{number} {unit}")
    assert length(written(ms)) == ms


def test_every_example_of_the_documentation_is_fine_and_every_kind_has_one():
    page = (ROOT / "docs/rules.md").read_text()
    examples = [read_rules(text) for text in re.findall(r"```yaml\n(.*?)```", page, re.S)]
    shown = {rule.kind for rules in examples for rule in rules.rules}
    assert shown == {*KINDS}
    headings = re.findall(r"^### `(\w+)`$", page, re.M)
    assert sorted(headings) == sorted(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_of_a_kind_is_documented(kind):
    page = (ROOT / "docs/rules.md").read_text()
    common, _, rest = page.partition("## What a rule may look for")
    part = rest.partition(f"### `{kind}`")[2].partition("\n##")[0]
    for name, field in KINDS[kind].model_fields.items():
        assert f"`{name}`" in common or f"`{name}`" in part, name
        inherited = LineRule.model_fields.get(name)
        if inherited is not None and field.default != inherited.default:
            assert f"`{name}`" in part, f"{name} has a default of its own"
