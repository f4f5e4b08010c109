"""Processes as files: what is read, and what is refused on which line."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tracker
from tracker.chain import shortest_h
from tracker.process import Process, as_json, read_process, shipped
from tracker.worldfile import BadWorld

GOOD = """\
retour: 1
process: loop
classes: [crate]
stages:
  ready: {mean_h: 10, at: depot, next: {out: 1}}
  out:
    mean_h: 20
    next: {ready: 0.9, lost: 0.1}
    announced: [ready]
    sub:
      road: {at: road, to: {yard: 2}, exit: 0}
      yard: {at: customer}
  lost: {mean_h: 5000, at: dark}
facts:
  received: {to: ready, from: [out]}
  inspected: {to: outcome, from: [ready]}
  found: {leaves: lost, to: ready}
"""

PARTS = "      road: {at: road, to: {yard: 2}, exit: 0}\n"


def faults(text):
    with pytest.raises(BadWorld) as refused:
        read_process(text)
    return str(refused.value).splitlines()


def test_a_good_file_is_read_with_its_defaults():
    process = read_process(GOOD)
    assert [*process.stages] == ["ready", "out", "lost"]
    assert process.stages["out"].sub["yard"].exit == 1
    assert (process.leak_per_h, process.thresholds.switch) == (2e-4, 0.8)
    assert (process.gps.p_fix("depot"), process.gps.p_moving("road")) == (0.3, 0.85)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("{out: 1}", "{oat: 1}", "line 5: stages.ready.next.oat: there is no stage 'oat'"),
        ("{out: 1}", "{out: 0.7}", "line 5: stages.ready.next: the probabilities sum to 0.7, no"),
        ("{out: 1}", "{out: 0.5, ready: 0.5}", "line 5: stages.ready.next.ready: a stage does"),
        ("{out: 1}", "{out: 2}", "line 5: stages.ready.next.out: should be less than or equal"),
        (", at: depot", "", "line 5: stages.ready: `at` is missing"),
        ("at: depot", "at: moon", "line 5: stages.ready.at: should be 'depot', 'customer'"),
        ("mean_h: 10", "mean_h: -10", "line 5: stages.ready.mean_h: should be greater than 0"),
        ("mean_h: 10", "mean_h: 0", "line 5: stages.ready.mean_h: should be greater than 0"),
        ("mean_h: 10", "mean_h: soon", "line 5: stages.ready.mean_h: should be a valid number"),
        ("mean_h: 10", "mean_h: .inf", "line 5: stages.ready.mean_h: should be"),
        ("mean_h: 10, ", "", "line 5: stages.ready: `mean_h` is missing"),
        ("mean_h: 10", "mean_hours: 10", "line 5: stages.ready.mean_hours: unknown key"),
        ("  ready: {", "  Ready: {", "line 5: stages.Ready: 'Ready' is no name: a-z first"),
        ("[ready]\n    sub", "[in_use]\n    sub", "line 9: stages.out.announced[0]: 'in_use' doe"),
        ("{yard: 2}", "{yerd: 2}", "line 11: stages.out.sub.road.to.yerd: there is no other par"),
        ("{yard: 2}", "{road: 2}", "line 11: stages.out.sub.road.to.road: there is no other par"),
        ("{yard: 2}", "{yard: 0}", "line 11: stages.out.sub.road.to.yard: should be greater tha"),
        (", to: {yard: 2}", "", "line 11: stages.out.sub.road: the stage never ends from here"),
        ("exit: 0", "exit: 0, enter: 0.4", "line 10: stages.out.sub: `enter` sums to 0.4, not"),
        ("at: customer", "at: customer, exit: 0", "line 12: stages.out.sub.yard: the stage never"),
        ("    sub:", "    at: road\n    sub:", "line 10: stages.out.at: each part under `sub`"),
        ("lost: 0.1}", "ready: 0.1}", "line 8: stages.out.next.ready: also given on line 8"),
        ("{to: ready, from: [out]}", "{to: rdy}", "line 15: facts.received.to: there is no stage"),
        ("from: [out]}", "from: [oat]}", "line 15: facts.received.from[0]: there is no stage 'oa"),
        ("{to: ready, from: [out]}", "{from: [out]}", "line 15: facts.received: give `to`, or"),
        ("  received:", "  recieved:", "line 15: facts.recieved: should be 'dispatched'"),
        ("to: outcome", "to: stage", "line 16: facts.inspected.to: there is no stage 'stage'"),
        ("leaves: lost", "leaves: los", "line 17: facts.found.leaves: there is no stage 'los'"),
        ("retour: 1\n", "retour: 2\n", "line 1: retour: should be 1"),
        ("process: loop\n", "", "line 1: `process` is missing"),
        ("facts:", "gps: {fix: {moon: 1}}\nfacts:", "line 14: gps.fix.moon: should be 'depot'"),
        ("facts:", "rfid: {own: {rssi: [1], count: 2}}\nfacts:", "line 14: rfid.own.rssi: give"),
        ("facts:", "thresholds: {switch: 0.5}\nfacts:", "line 14: thresholds.switch: should be"),
        ("facts:", "tracker: {down_share: 1}\nfacts:", "line 14: tracker.down_share: should be"),
        ("facts:", "leak_per_h: 0\nfacts:", "line 14: leak_per_h: should be greater than 0"),
    ],
)
def test_a_fault_is_told_with_its_line(old, new, told):
    assert GOOD.count(old) == 1
    found = faults(GOOD.replace(old, new))
    assert [line for line in found if line.startswith(told)], found


def test_a_stage_that_nothing_leads_to_is_a_fault():
    text = GOOD.replace("ready: 0.9, lost: 0.1", "ready: 1")
    assert "line 13: stages.lost: no stage and no fact leads here" in faults(text)


def test_a_fact_may_be_the_only_way_to_a_stage():
    text = GOOD.replace("ready: 0.9, lost: 0.1", "ready: 1")
    read_process(text.replace("facts:", "facts:\n  reported_lost: {to: lost, from: [out]}"))


def test_every_fault_is_told_at_once():
    text = GOOD.replace("{out: 1}", "{oat: 1}").replace("leaves: lost", "leaves: los")
    assert len(faults(text)) == 4  # and that nothing leads to `out` and to `lost` any more


@pytest.mark.parametrize("text", ["", "[]", "stages: {}", "a: b: c", "&a [*a]", "\x00", "- 1\n- 2"])
def test_what_is_no_process_is_refused(text):
    assert faults(text)


@given(
    where=st.integers(0, len(GOOD) - 1),
    what=st.text(st.sampled_from("{}[]:,-& \n01.xready"), max_size=4),
    gone=st.integers(0, 8),
)
def test_a_mangled_file_is_read_or_refused_and_nothing_else(where, what, gone):
    mangled = GOOD[:where] + what + GOOD[where + gone :]
    try:
        process = read_process(mangled)
    except BadWorld:
        assert all(line.startswith("line ") for line in faults(mangled))
    else:
        assert len(process.stages) >= 2


@pytest.mark.parametrize("name", shipped())
def test_what_is_stored_is_read_back(name):
    process = shipped()[name]
    assert Process.model_validate(as_json(process)) == process


def test_the_default_stands_first():
    assert next(iter(shipped())) == "pallet-pool"


# The shipped ones


def test_they_are_part_of_what_is_installed():
    """An installation that is no checkout has what the package names, and no other files."""
    root = Path(tracker.__file__).parent
    packaged = tomllib.loads((root.parent / "pyproject.toml").read_text())
    patterns = packaged["tool"]["setuptools"]["package-data"]["tracker"]
    found = {path.stem for pattern in patterns for path in root.glob(pattern)}
    others = (path.stem for name in ("rulesets", "classes") for path in (root / name).iterdir())
    assert found == {*shipped(), *others}


@pytest.mark.parametrize("name", shipped())
def test_no_shipped_stage_is_over_before_its_parts_can_be(name):
    for stage in shipped()[name].stages.values():
        assert shortest_h(stage) < stage.mean_h


def test_no_class_follows_two_shipped_processes():
    classes = [one for process in shipped().values() for one in process.classes]
    assert len(classes) == len({*classes}) >= 6


def reached(process, first, without=None):
    """The stages that an asset may come to from one, never passing another."""
    found, ahead = set(), [first]
    while ahead:
        name = ahead.pop()
        if name not in found and name != without:
            found.add(name)
            ahead += process.stages[name].next
    return found


@pytest.mark.parametrize("name", shipped())
def test_what_goes_out_may_come_back(name):
    process = shipped()[name]
    first = next(iter(process.stages))
    assert reached(process, first) == {*process.stages}
    assert first in {after for one in process.stages["in_use"].next
                     for after in reached(process, one)}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "first", "needed", "last"),
    [
        ("medical-devices", "received", "cleaning", "ready"),
        ("medical-devices", "received", "certification", "ready"),
        ("medical-devices", "repair", "cleaning", "ready"),
        ("kegs", "received", "cleaning", "filled"),
        ("kegs", "received", "filling", "filled"),
    ],
)
def test_what_must_not_be_left_out_cannot_be(name, first, needed, last):
    process = shipped()[name]
    assert last in reached(process, first)
    assert last not in reached(process, first, without=needed)
