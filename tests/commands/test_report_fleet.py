"""`retour report fleet`: its table, its page and its file."""

import csv
import json
import re
from xml.etree import ElementTree

import pytest

from commands.fleet_page import counts_of, fleet_page, words_of
from commands.fleet_picture import LINES, return_curves, time_in_stages, turns_by_class
from tracker.facts import state
from tracker.fleet import Asked, By, Group, Report, grouped
from tracker.fleet_records import DAY_MS, Member, Period, Records, StageTime, Trip
from tracker.kpi import RETURN_RATE, TURNS, Figure, figures, return_curve
from tracker.model import Asset, Fact
from tracker.stamps import StampPolicy
from tracker.stores.sqlite import SqliteStore

NOON, PERIOD = 1_767_614_400_000, Period(0, 100 * DAY_MS)
HOSTILE = "<script>alert(1)</script>"


def trips(class_, *days):
    """Trips of a class that came back after so many days (None: not)."""
    return [
        Trip("A", class_, None, None, 0, None if one is None else int(one * DAY_MS)) for one in days
    ]


def group(key, records):
    curve = return_curve(records.trips, PERIOD)
    times = [(one.stage, one.ms) for one in records.stage_times or ()]
    return Group(key, figures(records, PERIOD), curve, times)


RECORDS = Records(
    [*trips("keg", 10, 25, None), *trips(HOSTILE, 50)],
    members=[
        Member("A", name, True, False, False, True, 100 * DAY_MS) for name in ("keg", HOSTILE)
    ],
    stage_times=[
        StageTime("A", "keg", "in_use", 75 * DAY_MS, use=True),
        StageTime("A", "keg", None, 25 * DAY_MS),
    ],
)
CLASSES = [group(*one) for one in grouped(RECORDS, By.CLASS)]


def report(*groups):
    asked = Asked(PERIOD.until, None, HOSTILE, by=By.CLASS)
    return Report(asked, PERIOD, groups or CLASSES, RECORDS, 0)


def shapes(picture):
    """The elements of a picture, by class."""
    found = {}
    for element in ElementTree.fromstring(picture).iter():
        for name in element.get("class", "").split():
            found.setdefault(name, []).append(element)
    return found


def test_a_curve_rises_at_each_return_by_how_many_were_at_risk():
    found = shapes(return_curves([group(None, Records(trips("keg", 10, 25, None)))]))
    (curve,) = found["curve"]
    steps = [(float(x), float(y)) for x, y in re.findall(r"H([\d.]+)V([\d.]+)", curve.get("d"))]
    left, right = (
        float(x)
        for x in re.match(r"M([\d.]+) [\d.]+H([\d.]+)$", found["grid"][0].get("d")).groups()
    )
    high = [float(re.match(r"M[\d.]+ ([\d.]+)", one.get("d"))[1]) for one in found["grid"]]
    assert [(x - left) / (right - left) for x, _ in steps] == pytest.approx([0.1, 0.25], abs=1e-3)
    assert [(high[0] - y) / (high[0] - high[-1]) for _, y in steps] == pytest.approx(
        [1 / 3, 2 / 3], abs=1e-3
    )
    assert [one.text for one in found["risk"]][:4] == ["3", "2", "1", "1"]  # of 0, 14, ...


def test_of_many_groups_the_largest_cohorts_are_drawn():
    many = [group(f"c{n}", Records(trips("keg", *[5] * (n + 1)))) for n in range(LINES + 3)]
    picture, _, note = return_curves(many).partition("<p>")
    assert len(shapes(picture)["curve"]) == LINES
    assert note.startswith(f"The {LINES} largest of {LINES + 3} cohorts")
    assert ">c0<" not in picture


def test_bars_are_as_long_as_what_they_tell():
    for picture, values in (
        (time_in_stages(CLASSES), [75, 25]),
        (turns_by_class(CLASSES), [1, 3]),
    ):
        wide = [float(one.get("width")) for one in shapes(picture)["amount"]]
        assert [one / sum(wide) for one in wide] == pytest.approx(
            [one / sum(values) for one in values], abs=1e-3
        )


def test_what_is_not_known_is_not_drawn_and_says_so():
    nothing = group(None, Records(members=None, stage_times=None))
    assert "Nothing was sent out" in return_curves([nothing])
    assert "Not known" in time_in_stages([nothing])
    assert "Not known" in turns_by_class([nothing])


def test_a_page_needs_nothing_from_elsewhere_and_names_are_no_markup():
    text = fleet_page(report(), NOON)
    assert "http" not in text.replace('http-equiv="Content-Security-Policy"', "")
    assert "<script" not in text
    assert "url(" not in text
    assert "default-src 'none'" in text
    assert text.count("<svg") == 3
    assert "&lt;script&gt;" in text


def test_each_figure_has_its_formula_beside_it():
    text = fleet_page(report(), NOON)
    for figure in CLASSES[0].figures:
        name = figure.measure.name.replace("_", " ").capitalize()
        row = re.search(f"<tr><td>{name}</td>.*?</tr>", text)[0]
        assert figure.measure.formula.replace("'", "&#x27;") in row
        assert (f"not known: {figure.why}" in row) == (figure.value is None)


@pytest.mark.parametrize(
    ("figure", "words", "counts"),
    [
        (Figure(RETURN_RATE, 0.9375, 150, 160), "93.8 %", "150 / 160"),
        (Figure(TURNS, 1234.567, 24, 0.01944), "1,234.57 per year", "24 / 0.02"),
        (Figure(RETURN_RATE, None, why="nobody knows"), None, ""),
    ],
)
def test_figures_in_words(figure, words, counts):
    assert (words_of(figure), counts_of(figure)) == (words, counts)


@pytest.fixture
def fleet(run, monkeypatch, tmp_path):
    """The command on a database in which one of two pallets is back after ten days."""
    path = tmp_path / "own.db"
    monkeypatch.setenv("RETOUR_DATABASE", f"sqlite:///{path}")
    store = SqliteStore(path)
    with store.writing() as tx:
        for asset in ("p1", "p2"):
            tx.put_asset(Asset(asset, "pallet", initial_stage="ready"))
        for asset, kind, days in (
            *(("p1", "dispatched", 30), ("p1", "lease_started", 29)),
            *(("p1", "collected", 21), ("p1", "received", 20)),
            *(("p2", "dispatched", 30), ("p2", "lease_started", 29)),
        ):
            at = NOON - days * DAY_MS
            state(tx, [(Fact(asset, kind, id=f"{asset}-{kind}"), at)], StampPolicy(), at)
    store.close()
    return lambda *words: run("report", "fleet", *words)


def test_people_read_value_counts_and_formula(fleet):
    status, told, complaints = fleet()
    assert status == 0, complaints
    assert told.startswith("from 2025-12-06 12:00:00Z to 2026-01-05 12:00:00Z\n")
    for words in ("Return rate", "50.0 %", "1 / 2", "sent out in the period", "not known: no"):
        assert words in told


def test_what_is_to_come_counts_for_nothing(fleet):
    assert fleet("--to", "2036-01-05") == fleet()


def test_programs_read_rows(fleet):
    status, told, complaints = fleet("--by", "class", "--json")
    assert status == 0, complaints
    rate = json.loads(told)[0]
    assert (rate["group"], rate["figure"], rate["value"]) == ("pallet", "return_rate", 0.5)


def test_a_page_and_a_table_are_written(fleet, tmp_path):
    page, table = tmp_path / "fleet.html", tmp_path / "fleet.csv"
    status, told, complaints = fleet("--from", "2025-12-01", "--html", page, "--csv", table)
    assert (status, complaints) == (0, "")
    assert told == "".join(f"{file} tells the figures of 1 group\n" for file in (page, table))
    assert "50.0 %" in page.read_text()
    with table.open(newline="") as file:
        rows = {row["figure"]: row for row in csv.DictReader(file)}
    assert (rows["return_rate"]["value"], rows["recovery_rate"]["value"]) == ("0.5", "")
    assert rows["recovery_rate"]["why"].startswith("no inspection")


@pytest.mark.parametrize(
    "words",
    [
        ("--site", "nowhere"),
        ("--partner", "nobody"),
        ("--from", "2026-01-02", "--to", "2026-01-01"),
    ],
)
def test_what_cannot_be_asked_is_one_line(fleet, words, tmp_path):
    page = tmp_path / "fleet.html"
    status, told, complaints = fleet(*words, "--html", page)
    assert (status, told, complaints.count("\n"), page.exists()) == (1, "", 1, False)
