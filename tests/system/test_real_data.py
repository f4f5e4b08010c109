"""Recordings of real fleets: the same visits in whatever order it comes, tracks across the
antimeridian, and stages against what the filter is not told.

They run where the recordings are: in the folder that RETOUR_DATA names, else in `shared/data`
beside the repository.
"""

import csv
import random
from bisect import bisect
from collections import Counter, defaultdict
from itertools import pairwise, product
from math import cos, hypot, radians
from pathlib import Path

import pytest

from firmware_sim.recordings import read_capmetro, read_schenker
from gateway.decoders.native import decode_events
from tests.recordings import recording_in
from tracker.audit import PROGRAM
from tracker.course import course
from tracker.fold import encode, place_of
from tracker.geofence import Box
from tracker.geojson import track_features
from tracker.importer import import_world, known_of
from tracker.model import Asset, Device
from tracker.news import about
from tracker.process import read_process
from tracker.record import record
from tracker.refold import refresh_some
from tracker.registry import bind_device, register_asset, register_device
from tracker.stamps import StampPolicy
from tracker.stores.sqlite import SqliteStore
from tracker.times import epoch_ms
from tracker.tracks import simplified, track
from tracker.upkeep import Band
from tracker.usage import bins
from tracker.verify import verify
from tracker.wear import degree_hours
from tracker.world import read_world

ROOT = Path(__file__).parents[2]
POLICY = StampPolicy()
METRES_PER_DEGREE = 111_195
ABOUT = 1.05  # a degree of longitude is not as long everywhere on a track
BEYOND_ALL = 10**15


class Played:
    """A database into which a recording is played, and a world is imported."""

    def __init__(self, path, messages, kind="asset"):
        self.store = SqliteStore(path)
        with self.store.writing() as tx:
            for id in sorted({message.device for message in messages}):
                register_device(tx, Device(id, "tracker", recording=True), POLICY)
                register_asset(tx, Asset(id, kind))
                bind_device(tx, id, id)

    def play(self, messages, size=1_000):
        for begin in range(0, len(messages), size):
            decoded = [
                decode_events(f"retour/v1/{one.device}/events", one.payload, one.at_ms)
                for one in messages[begin : begin + size]
            ]
            with self.store.writing() as tx:
                record(tx, decoded, [], POLICY)

    def set_up(self, world):
        """Import a world file of the documentation."""
        content = (ROOT / "docs/worlds" / world).read_bytes()
        with self.store.writing() as tx:
            import_world(tx, read_world(content, known_of(tx)), POLICY, PROGRAM)

    def follow(self, process):
        """Put a process file of the documentation into use."""
        with self.store.writing() as tx:
            tx.put_process(read_process((ROOT / "docs/worlds" / process).read_bytes()), 0)

    def courses(self, every_ms):
        """What is believed of every asset's stages, from its first observation to its last."""
        with self.store.reading() as reader:
            beliefs = sorted(reader.every_belief(), key=lambda one: one.asset)
            histories = {one.asset: [*reader.history(one.asset)] for one in beliefs}
            settings = reader.settings(histories)
        return {
            asset: [*course(rows, settings[asset], rows[0].at, rows[-1].at, every_ms)]
            for asset, rows in histories.items()
        }

    def catch_up(self):
        with self.store.writing() as tx:
            while refresh_some(tx, tx.newest_reception(), 100):
                pass

    def beliefs(self):
        with self.store.reading() as reader:
            return [encode(belief) for belief in reader.every_belief()]

    def visits(self):
        """The visits of every asset, over or not."""
        with self.store.reading() as reader:
            beliefs = list(reader.every_belief())
            found = {b.asset: [one._asdict() for one in reader.visits(b.asset)] for b in beliefs}
        for belief in beliefs:
            if (stay := belief.whereabouts.stay) is not None:
                found[belief.asset].append(stay._asdict())
        return found

    def journal(self):
        with self.store.reading() as reader:
            return reader.journal_after(0, 2**31)


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """Makes a database for the devices of some messages."""
    made = []

    def make(messages, kind="asset"):
        made.append(Played(tmp_path_factory.mktemp("played") / "retour.db", messages, kind))
        return made[-1]

    yield make
    for one in made:
        one.store.close()


# -- Schenker: what containers have been through ------------------------------------------------


def direct(path):
    """The same worked out from the file alone: knocks from half a g on, their sum, degree hours
    above 30 and below 2 degrees (a value holds until the next one, for 12 hours at most), and how
    often a door was opened."""
    rows = defaultdict(list)
    with (path / "161209_Schenker_Sensordaten.csv").open(encoding="utf-8-sig", newline="") as file:
        table = csv.reader(file)
        head, _units = next(table), next(table)
        for row in table:
            rows[row[1]].append(dict(zip(head, row, strict=True)))
    return {f"schenker-{name}": _through(some) for name, some in rows.items()}


def _through(rows):
    def number(row, column):
        return None if row[column] in ("NA", "") else float(row[column])

    def at(row):
        return epoch_ms(f"{row['Date']}T{row['Time_UTC']}Z") / 3_600_000

    rows = sorted(rows, key=at)
    felt = defaultdict(float)  # what is told twice of one moment was one knock
    for row in rows:
        felt[at(row)] = max(felt[at(row)], number(row, "GForce") or 0.0)
    knocks = [g for g in felt.values() if g >= 0.5]
    heat = [(at(row), t) for row in rows if (t := number(row, "Temperature")) is not None]
    above = sum(min(b - a, 12) * max(t - 30, 0) for (a, t), (b, _) in pairwise(heat))
    below = sum(min(b - a, 12) * max(2 - t, 0) for (a, t), (b, _) in pairwise(heat))
    doors = [d != 0 for row in rows if (d := number(row, "Door")) is not None]
    opened = sum(now and not before for before, now in pairwise([False, *doors]))
    tilted = sum(1 for row in rows if (number(row, "Tilt") or 0) >= 1)
    return len(knocks), sum(knocks), above, below, opened, tilted


def test_what_containers_have_been_through_is_what_their_file_says(played):
    folder = recording_in("schenker_containers")
    recording = read_schenker(folder / "161209_Schenker_Sensordaten.csv")
    database = played(recording.messages)
    shuffled = [*recording.messages]
    random.Random(8).shuffle(shuffled)
    database.play(shuffled, 500)
    database.catch_up()
    with database.store.reading() as reader:
        totals = {belief.asset: belief.usage.total for belief in reader.every_belief()}
    expected = direct(folder)
    assert totals.keys() == expected.keys()
    for asset, total in totals.items():
        shocks, tilts = bins(total, "shock"), bins(total, "tilt")
        found = (
            sum(one.times for one in shocks),
            sum(one.sum for one in shocks),
            degree_hours(total, Band(at_most=30)),
            degree_hours(total, Band(at_least=2)),
            total.get("door", 0),
            sum(one.times for one in tilts),
        )
        assert found == pytest.approx(expected[asset]), asset


# -- CapMetro: visits, in whatever order it comes ----------------------------------------------


@pytest.fixture(scope="module")
def buses():
    """The messages of every fifth bus over all four days."""
    files = sorted(recording_in("capmetro_fleet").glob("*.csv.gz"))
    messages = list(read_capmetro(files))
    chosen = set(sorted({message.device for message in messages})[::5])
    return [message for message in messages if message.device in chosen]


@pytest.fixture(scope="module")
def in_order(played, buses):
    """In the order of the files, the world known before."""
    one = played(buses)
    one.set_up("capmetro.yaml")
    one.play(buses)
    return one


def shuffled(messages, seed):
    return random.Random(seed).sample(messages, len(messages))


@pytest.fixture(scope="module", params=["in order", "before", "midway", "after"])
def any_way(request, played, buses, in_order):
    """In order, and in other orders and batches, the world imported before, midway, or after."""
    if request.param == "in order":
        return in_order
    one = played(buses)
    if request.param == "before":
        one.set_up("capmetro.yaml")
        one.play(shuffled(buses, 1), size=4_999)
    elif request.param == "midway":
        messages = shuffled(buses, 2)
        one.play(messages[: len(buses) // 2], size=3_001)
        one.set_up("capmetro.yaml")
        one.play(messages[len(buses) // 2 :], size=3_001)
    else:
        one.play(buses[::-1], size=4_000)
        one.set_up("capmetro.yaml")
    one.catch_up()
    return one


def test_buses_make_the_same_visits_in_any_order(any_way, in_order):
    assert any_way.beliefs() == in_order.beliefs()
    assert any_way.visits() == in_order.visits()


def test_the_log_comes_to_what_is_stored_in_any_order(any_way, buses):
    with any_way.store.reading() as reader:
        report = verify(reader)
    assert report.sound
    assert (report.observations, report.stale) == (len(buses), 0)


def test_the_journal_comes_to_the_visits_in_any_order(any_way):
    newest, told = {}, {}
    for number, _, entry in any_way.journal():
        subject = entry.asset, entry.about
        corrects = newest.get(subject) if entry.kind.endswith(".corrected") else None
        assert entry.supersedes == corrects
        newest[subject] = number
        told[subject] = entry.body
    assert {
        subject: body
        for subject, body in told.items()
        if subject[1].startswith("visit") and "withdrawn" not in body
    } == {
        (asset, about(visit["opened"])): as_told(visit)
        for asset, visits in any_way.visits().items()
        for visit in visits
    }


def as_told(visit):
    """A visit as the journal tells it: of one that is not over, its beginning."""
    names = ("site", "since", "began")
    if "until" in visit:
        names += ("last", "until", "ended")
    return {name: visit[name] for name in names}


def test_the_disorder_of_the_files_is_told_as_corrections(in_order):
    assert any(line.entry.kind == "visit.corrected" for line in in_order.journal())


def test_visits_of_buses_are_plausible(in_order):
    visits = in_order.visits()
    assert sum(map(len, visits.values())) > 200
    for of_one in visits.values():
        of_one.sort(key=lambda visit: visit["since"])
        for visit in of_one:
            assert visit["since"] <= visit["last"] < visit.get("until", BEYOND_ALL)
            assert visit.get("until", BEYOND_ALL) - visit["since"] >= 60_000
        for one, other in pairwise(of_one):
            assert one["until"] <= other["since"]


# -- Schenker: across the antimeridian ---------------------------------------------------------

CROSSINGS = {
    "schenker-C": "2016-02-14T09:40:31Z",
    "schenker-I": "2016-05-06T00:19:55Z",
}
"""When the containers that cross the antimeridian have just crossed it."""


@pytest.fixture(scope="module")
def containers():
    folder = recording_in("schenker_containers")
    return list(read_schenker(next(folder.glob("*.csv"))))


@pytest.fixture(scope="module")
def voyage(played, containers):
    return played(containers)


@pytest.fixture(scope="module")
def found_at_times(voyage, containers):
    """Played on to each crossing and to the end: what boxes find then, and the last places."""
    found, begin = {}, 0
    for asset, at in (CROSSINGS | {"the end": "2017-01-01T00:00:00Z"}).items():
        end = sum(message.at_ms <= epoch_ms(at) for message in containers)
        voyage.play(containers[begin:end])
        with voyage.store.reading() as reader:
            places = {b.asset: b.last for b in reader.every_belief() if b.last is not None}
            boxes = [*grid_of_boxes(), *boxes_around(places.values())]
            found[asset] = places, {box: located(reader, box) for box in boxes}
        begin = end
    return found


def located(reader, box):
    return {belief.asset for belief in reader.located(box, "", 100)}


def grid_of_boxes():
    """Those whose west lies east of their east cross the antimeridian."""
    lons = (-180, -179.5, -178, -120, -74.2, 0, 100, 123.2, 178.5, 180)
    for south, north in ((-90, 90), (-20, 42), (45, 50)):
        for west, east in product(lons, lons):
            if abs(west - east) not in (0, 360):
                yield Box(south, west, north, east)


def boxes_around(places):
    """Boxes at whose corners assets are: edges belong to a box."""
    for place, other in product(places, repeat=2):
        yield Box(min(place.lat, other.lat), place.lon, max(place.lat, other.lat), other.lon)


def lies_in(box, place):
    """Going east from the box's west, the place comes before its east."""
    within = (place.lon - box.west) % 360 <= (box.east - box.west) % 360
    return within and box.south <= place.lat <= box.north


@pytest.mark.parametrize("when", [*CROSSINGS, "the end"])
def test_a_box_finds_the_containers_whose_last_place_lies_in_it(found_at_times, when):
    places, found = found_at_times[when]
    assert {
        box: {asset for asset, place in places.items() if lies_in(box, place)} for box in found
    } == found


@pytest.mark.parametrize("asset", CROSSINGS)
def test_a_box_across_the_antimeridian_finds_a_container_that_has_just_crossed(
    found_at_times, asset
):
    _, found = found_at_times[asset]
    assert found[Box(45, 178.5, 50, -178)] == {asset}
    assert asset not in found[Box(45, -178, 50, 178.5)]


@pytest.fixture(scope="module")
def tracks(voyage, found_at_times):
    with voyage.store.reading() as reader:
        return {
            belief.asset: track(reader, belief.asset, None, None, None, 10**6)
            for belief in reader.every_belief()
        }


def test_a_track_is_cut_where_it_crosses_the_antimeridian_and_nowhere_else(tracks):
    assert len(tracks) == 9
    for asset, places in tracks.items():
        geometry = track_features(asset, places)["features"][0]["geometry"]
        parts = geometry["coordinates"]
        if asset not in CROSSINGS:
            assert geometry["type"] == "LineString"
            assert parts == [(place.lon, place.lat) for place in places]
            continue
        assert geometry["type"] == "MultiLineString"
        west, east = parts
        assert (west[-1][0], east[0][0]) == (180, -180)
        assert west[-1][1] == east[0][1]
        assert [*west[:-1], *east[1:]] == [(place.lon, place.lat) for place in places]
        for part in parts:
            assert all(abs(one[0] - other[0]) < 180 for one, other in pairwise(part))


@pytest.mark.parametrize("tolerance_m", [100, 5_000, 100_000])
def test_a_simplified_track_passes_every_place_within_the_tolerance(tracks, tolerance_m):
    for places in tracks.values():
        kept = simplified(places, tolerance_m)
        assert (kept[0], kept[-1]) == (places[0], places[-1])
        assert len(kept) < len(places)
        after = 0
        for place in places:
            if after + 1 < len(kept) and place is kept[after + 1]:
                after += 1
            ends = kept[after], kept[min(after + 1, len(kept) - 1)]
            assert off_line_m(place, *ends) <= ABOUT * tolerance_m


def off_line_m(place, one, other):
    """How far a place lies from the straight line between two, on the plane around it."""
    east = METRES_PER_DEGREE * cos(radians(place.lat))

    def seen_from_place(end):
        return (end.lon - place.lon + 180) % 360 - 180, end.lat - place.lat

    (x, y), (u, v) = seen_from_place(one), seen_from_place(other)
    (x, y), (u, v) = (x * east, y * METRES_PER_DEGREE), (u * east, v * METRES_PER_DEGREE)
    length = hypot(u - x, v - y)
    if length == 0:
        return hypot(x, y)
    along = max(0.0, min(1.0, -(x * (u - x) + y * (v - y)) / length**2))
    return hypot(x + along * (u - x), y + along * (v - y))


# -- Stages ------------------------------------------------------------------------------------

MINUTE, HOUR = 60_000, 3_600_000
CLOSED_FOR_GOOD = {  # the last time that a container's door is opened, by the door itself
    "schenker-A": "2016-08-23T23:27:00Z",
    "schenker-B": "2016-02-17T01:53:00Z",
    "schenker-E": "2016-02-22T00:44:00Z",
    "schenker-F": "2016-03-31T17:04:00Z",
    "schenker-G": "2016-06-08T10:21:00Z",
}


def shares(courses):
    """The share of the time in which each stage is told, and in which none is likelier than .8
    (`unsure`)."""
    times = Counter()
    for samples in courses.values():
        for one, after in pairwise(samples):
            times[one.told.stage] += after.at - one.at
            times["unsure"] += (after.at - one.at) * (one.stages.max() < 0.8)
            times["all"] += after.at - one.at
    return {stage: time / times["all"] for stage, time in times.items()}


def told(samples):
    """The stages that are told, one after the other, and since when."""
    changes = [samples[0], *(b for a, b in pairwise(samples) if a.told.stage != b.told.stage)]
    return [(one.told.stage, one.at) for one in changes]


@pytest.fixture(scope="module")
def containers_stages(played, containers):
    one = played(containers, "container")
    one.set_up("schenker.yaml")
    one.follow("schenker-process.yaml")
    one.play(containers)
    return one.courses(HOUR)


def test_a_container_is_ready_then_outbound_then_in_use_and_nothing_else(containers_stages):
    for samples in containers_stages.values():
        stages = [stage for stage, _ in told(samples)]
        assert stages == ["ready", "outbound", "in_use"][: len(stages)]
        assert len(stages) >= 2
    found = shares(containers_stages)
    assert found["outbound"] > 0.9
    assert found["unsure"] < 0.05


def test_a_container_is_in_use_about_when_its_door_is_opened(containers_stages):
    late = {
        asset: (told(samples)[-1][1] - epoch_ms(CLOSED_FOR_GOOD[asset])) / HOUR
        for asset, samples in containers_stages.items()
        if asset in CLOSED_FOR_GOOD
    }
    assert all(told(containers_stages[asset])[-1][0] == "in_use" for asset in late)
    assert 0 < late["schenker-A"] < 0.1
    assert 12 < late["schenker-G"] < 13  # at its second position there
    assert 24 * 5 < late["schenker-F"] < 24 * 7  # few positions, and rough ones
    assert -20 < late["schenker-B"] < 0  # they stand there before they are opened
    assert -70 < late["schenker-E"] < -60


@pytest.fixture(scope="module")
def buses_stages(played, buses):
    chosen = set(sorted({message.device for message in buses})[::3])
    messages = [message for message in buses if message.device in chosen]
    one = played(messages, "vehicle")
    one.set_up("capmetro.yaml")
    one.set_up("capmetro-trackers.yaml")
    one.follow("capmetro-process.yaml")
    one.play(messages)
    times = defaultdict(list)
    for message in messages:
        times[message.device].append(message.at_ms)
    return one.courses(5 * MINUTE), {device: sorted(ats) for device, ats in times.items()}, one


def test_every_long_silence_of_a_bus_is_told_as_off_duty_after_half_an_hour(buses_stages):
    courses, times, _ = buses_stages
    delays = []
    for asset, samples in courses.items():
        off = [one.at for one in samples if one.told.stage == "off_duty"]
        for last, first in pairwise(times[asset]):
            if first - last > 150 * MINUTE:
                delays.append(min(at for at in off if last < at < first) - last)
    assert len(delays) > 20
    assert max(delays) < 40 * MINUTE


def test_a_bus_that_reports_is_on_duty_but_in_the_garage(buses_stages):
    courses, times, one = buses_stages
    with one.store.reading() as reader:
        layout = reader.layout()
        sites = {
            asset: [
                layout.site_around(place_of(row, layout), row.at) for row in reader.history(asset)
            ]
            for asset in courses
        }
    at_rest = Counter()
    for asset, samples in courses.items():
        ats = times[asset]
        for sample in samples:
            n = bisect(ats, sample.at)
            if 0 < n < len(ats) and ats[n] - ats[n - 1] < 15 * MINUTE:
                at_rest[sites[asset][n - 1] == "east-garage", sample.told.stage == "off_duty"] += 1
    assert at_rest[True, True] > 0
    assert at_rest[False, True] < 0.001 * at_rest[False, False]


def test_nearly_every_visit_to_the_end_of_a_line_is_a_layover(buses_stages):
    courses, _, one = buses_stages
    met = []
    for asset, visits in one.visits().items():
        layovers = [s.at for s in courses[asset] if s.told.stage == "layover"]
        for visit in visits:
            if visit["site"] != "east-garage":
                until = visit.get("until", BEYOND_ALL)
                met.append(any(visit["since"] <= at < until for at in layovers))
    assert len(met) > 50
    assert sum(met) / len(met) > 0.97
    assert shares(courses)["unsure"] < 0.04
