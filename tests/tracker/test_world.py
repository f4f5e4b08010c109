"""World files: what is read, what is refused and where, and that nothing else ever happens."""

import random
import re
from datetime import date
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import tracker
from tracker.geofence import looks_swapped
from tracker.lease_terms import Ending, Lease, LeaseLine, Partner
from tracker.places import WEEK, Circle, Polygon, Reader, Site, Standing, Zone
from tracker.world import (
    AssetEntry,
    BadWorld,
    Known,
    TagBinding,
    Timed,
    Tracker,
    TrackerBinding,
    World,
    read_world,
    write_world,
)

PAGE = (Path(tracker.__file__).parent.parent / "docs/world.md").read_text()
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE, re.S)
GOOD = EXAMPLES[0]
JANUARY_5 = 1_767_571_200_000
DEPOT = "sites: [{id: depot}]\n"
LEASE = "leases:\n  - {id: L, customer: p, site: s, lines: [{asset: a, "
LEASED = "sites: [{id: s}]\npartners: [{id: p}]\nassets: [{id: a, class: pallet}]\n" + LEASE
PALLET = "assets:\n  - {id: A1, class: pallet, "


def faults(text, known=None):
    with pytest.raises(BadWorld) as refused:
        read_world(text, *([known] if known else []))
    return str(refused.value).splitlines()


# What is read


@pytest.mark.parametrize("example", EXAMPLES, ids=["all", "versions"])
def test_the_examples_of_the_page_are_read_and_written(example):
    world = read_world(example)
    assert read_world(write_world(world)) == world


def test_every_part_is_understood():
    world = read_world(GOOD.encode())
    assert [len(part) for name, part in world if name != "retour"] == [3, 2, 2, 1, 1, 1, 1]
    assert world.sites[0].value == Site(
        id="depot",
        name="Depot Rotterdam",
        kind="depot",
        timezone="Europe/Amsterdam",
        geofence=Circle(center=(4.48, 51.92), radius_m=120),
    )
    assert world.readers[1].value.antennas == {1: "z_inspection", 2: "z_outdock"}
    assert world.trackers == [
        Tracker(device="trk-1", rest_interval_s=21600, moving_interval_s=3600)
    ]
    asset = world.assets[0]
    assert (asset.kind, asset.home) == ("pallet", "depot")
    assert asset.attributes == {"color": "blue", "weight_kg": 25, "serial": "0012"}
    assert asset.tags[0].subject == "urn:epc:id:grai:0614141.12345.5678"
    assert asset.trackers[0].subject == "trk-1"
    assert world.leases[0].lines[0].due == date(2026, 2, 2)


def test_every_part_is_optional():
    assert read_world("retour: 1") == read_world("{}") == read_world("sites:") == World()


@pytest.mark.parametrize(
    ("written", "ms"),
    [
        ("2026-01-05", JANUARY_5),
        ("'2026-01-05'", JANUARY_5),
        ("2026-01-05T08:00:00+01:00", JANUARY_5 + 7 * 3_600_000),
        ("2026-01-05 07:00:00.250Z", JANUARY_5 + 7 * 3_600_000 + 250),
        ("1970-01-01", 0),
        ("", None),
        ("null", None),
    ],
)
def test_times(written, ms):
    assert read_world(f"sites:\n  - {{id: depot, since: {written}}}").sites[0].since == ms


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("12", 12),
        ("-1.5e3", -1500.0),
        ("true", True),
        ("'true'", "true"),
        ("yes", "yes"),
        ("0012", "0012"),
        ("1:30", "1:30"),
        ("1_000", "1_000"),
        ("2026-01-05", "2026-01-05"),
        ("'12'", "12"),
        ("999999999999999", 999_999_999_999_999),
        ("1000000000000000", "1000000000000000"),
        ("9" * 5_000, None),
    ],
)
def test_attributes_mean_what_json_would_read(written, value):
    text = PALLET + f"attributes: {{a: {written}}}}}"
    if value is None:
        assert "at most 1,024 characters" in faults(text)[0]
        return
    (read,) = read_world(text).assets[0].attributes.values()
    assert (read, type(read)) == (value, type(value))


def test_ids_and_tags_of_digits_stay_what_is_written():
    world = read_world("assets: [{id: 0123, class: NO, tags: [{epc: 303400000000000000000001}]}]")
    asset = world.assets[0]
    assert (asset.id, asset.kind, asset.tags[0].epc) == ("0123", "NO", "303400000000000000000001")


def test_one_id_may_have_versions_that_do_not_overlap():
    world = read_world(EXAMPLES[1])
    assert [(zone.since is None, zone.until is None) for zone in world.zones] == [
        (True, False),
        (False, True),
    ]


def test_a_tag_may_move_between_assets():
    text = """assets:
      - {id: A1, class: pallet, tags: [{epc: E280, until: 2026-01-05}]}
      - {id: A2, class: pallet, tags: [{epc: e280, since: 2026-01-05}]}"""
    assert [asset.tags[0].subject for asset in read_world(text).assets] == ["tag:E280"] * 2


def test_what_is_known_may_be_referred_to():
    text = """zones: [{id: z1, site: s, adjacent: [z]}]
partners: [{id: p1, sites: [s]}]
leases: [{id: L, customer: p, site: s, lines: [{asset: a, from: 2026-01-05, due: 2026-01-05}]}]"""
    ids = map(frozenset, ("s", "z", "a", "p"))
    assert read_world(text, Known(*ids)).zones[0].value.adjacent == ["z"]
    assert len(faults(text)) == 6


def test_faults_that_others_find_have_their_line():
    world = read_world(GOOD)
    line = GOOD[: GOOD.index("- {epc:")].count("\n") + 1
    assert world.line_of("assets", 0, "tags", 0) == line
    assert world.fault("is taken", "assets", 0, "tags", 0) == (
        line,
        "assets[0].tags[0]",
        "is taken",
    )
    assert World().line_of("assets", 0) == 0


# What is refused


REFUSED = {
    # the file
    "": "line 1: the file is empty: it begins with `retour: 1`",
    "- 1": "line 1: no keys: a world file begins with `retour: 1`",
    "retour: 2": "line 1: retour: this Retour reads format 1: write `retour: 1`",
    "retour: 1\n---\nretour: 1": "line 2: a second document: a file holds one",
    "retour: 1\n\nstes: []": "line 3: stes: unknown key (did you mean 'sites'?)",
    "retour: 1\nsites: {}": "line 2: sites: a list is wanted here: its items begin with `- `",
    "sites:\n  - depot": "line 2: sites[0]: keys with values are wanted here",
    "sites:\n  -": "line 2: sites[0]: keys with values are wanted here",
    "sites: []\nsites: []": "line 2: sites: also given on line 1",
    "sites:\n  - id: a\n    name: x\n    name:": "line 4: sites[0].name: also given on line 3",
    "sites:\n - id: &x a\n - id: *x": (
        "line 3: sites[1].id: aliases are not understood: write it out"
    ),
    "sites:\n - id: !!str a": (
        "line 2: sites[0].id: tags are not understood: leave out 'tag:yaml.org,2002:str'"
    ),
    "? [a]\n: 1": "line 1: a key is a text",
    "sites: [}": "line 1: not YAML: while parsing a flow node, did not find expected node content",
    "retour: 1\nsites: a: b": "line 2: not YAML: mapping values are not allowed in this context",
    "\n" + "[" * 100_000: "line 2: nested more than 20 deep",
    "sites:\n" + "- " * 100_000: "line 2: nested more than 20 deep",
    b"retour: 1\n\xff": "line 2: not UTF-8: save the file as UTF-8",
    "retour: 1\n\x00": "line 2: a character that no text has: '\\x00'",
    "retour: 1\n\ud800": "line 2: a character that no text has: '\\ud800'",
    # values
    "readers:\n  - {device: r, rssi: [-55]}": (
        "line 2: readers[0].rssi: give a mean and a deviation, dBm: [-55, 6]"
    ),
    "readers:\n  - {device: r, stray_rssi: -55}": (
        "line 2: readers[0].stray_rssi: give a mean and a deviation, dBm: [-55, 6]"
    ),
    "sites:\n  - name: Depot": "line 2: sites[0]: `id` is missing",
    "sites:\n  - id: a b": (
        "line 2: sites[0].id: 'a b' is no id: 1 to 128 letters, digits and the characters . _ : -"
    ),
    "sites:\n  - id: [a]": "line 2: sites[0].id: a text is wanted here",
    "sites:\n  - {id: a, value: b}": "line 2: sites[0].value: unknown key",
    "sites:\n  - {id: a, kind: shed}": (
        "line 2: sites[0].kind: should be 'depot', 'customer', 'hub', 'partner' or 'other', "
        "not 'shed'"
    ),
    "sites:\n  - {id: a, timezone: CEST}": (
        "line 2: sites[0].timezone: 'CEST' is no IANA time zone; write it like Europe/Amsterdam"
    ),
    "sites:\n  - {id: a, since: 2026-01-05T08:00}": (
        "line 2: sites[0].since: '2026-01-05T08:00' has no offset from UTC: write a time with its "
        "offset, like 2026-01-05T08:00:00+01:00, or a date"
    ),
    "sites:\n  - {id: a, since: 1767571200000}": (
        "line 2: sites[0].since: '1767571200000' is no time: write a time with its "
        "offset, like 2026-01-05T08:00:00+01:00, or a date"
    ),
    "sites:\n  - {id: a, since: 0001-01-01}": (
        "line 2: sites[0].since: '0001-01-01' lies before 1970; for always leave it out"
    ),
    "sites:\n  - {id: a, since: 2026-01-05, until: 2026-01-05}": (
        "line 2: sites[0]: `since` is not before `until`"
    ),
    "readers:\n  - {device: r}": (
        "line 2: readers[0]: a reader needs a `zone`, `antennas`, or a `place`"
    ),
    "trackers:\n  - {device: tag:E280}": (
        "line 2: trackers[0].device: 'tag:E280' is no device id: 1 to 128 characters, no control "
        "characters, none of / + #, not beginning with tag:, urn: or fact:"
    ),
    "trackers:\n  - {device: t, rest_interval_s: 0}": (
        "line 2: trackers[0].rest_interval_s: should be greater than 0, not '0'"
    ),
    PALLET + "kind: pallet}": "line 2: assets[0].kind: unknown key",
    PALLET + "tags: [{epc: XYZ}]}": (
        "line 2: assets[0].tags[0].epc: 'XYZ' is no hexadecimal tag number"
    ),
    PALLET + "attributes: {a: [1]}}": (
        "line 2: assets[0].attributes.a: an attribute is a text, a number, true or false"
    ),
    PALLET + "attributes: {a: 1e999}}": (
        "line 2: assets[0].attributes.a: inf is no number that everyone reads alike: make it a text"
    ),
    PALLET + 'attributes: {a: "b\\0"}}': (
        "line 2: assets[0].attributes.a: a text has no NUL character and no half of a surrogate "
        "pair"
    ),
    # geofences
    "sites:\n  - {id: a, geofence: {radius: 5}}": [
        "line 2: sites[0].geofence: `center` is missing",
        "line 2: sites[0].geofence: `radius_m` is missing",
        "line 2: sites[0].geofence.radius: unknown key (did you mean 'radius_m'?)",
    ],
    "sites:\n  - {id: a, geofence: {center: [4, .nan], radius_m: 5}}": (
        "line 2: sites[0].geofence.center[1]: should be a valid number, unable to parse string as "
        "a number, not '.nan'"
    ),
    "sites:\n  - {id: a, geofence: {center: [4, nan], radius_m: 5}}": (
        "line 2: sites[0].geofence.center[1]: should be a finite number, not 'nan'"
    ),
    "sites:\n  - {id: a, geofence: {center: [51, 104], radius_m: 5}}": (
        "line 2: sites[0].geofence.center[1]: should be less than or equal to 90, not '104' "
        "(a position is longitude, latitude)"
    ),
    "sites:\n  - {id: a, geofence: {polygon: [[4, 51], [4, 52], [5]]}}": (
        "line 2: sites[0].geofence.polygon[2]: a position is longitude, latitude"
    ),
    "sites:\n  - id: a\n    geofence: {polygon: [[4, 51], [5, 52], [5, 51], [4, 52]]}": (
        "line 3: sites[0].geofence: the polygon crosses or touches itself near longitude 4.5, "
        "latitude 51.5"
    ),
    """sites:
      - {id: a, geofence: {center: [4.48, 51.92], radius_m: 9}}
      - {id: b, geofence: {center: [4.49, 51.92], radius_m: 9}}
      - {id: c, geofence: {center: [51.93, 4.49], radius_m: 9}}""": (
        "line 4: sites[2].geofence: latitude and longitude look swapped: write the longitude first"
    ),
    # contradictions
    DEPOT + "zones:\n  - {id: z1, site: deport}": (
        "line 3: zones[0].site: there is no site 'deport' (did you mean 'depot'?)"
    ),
    DEPOT + "zones:\n  - id: z1\n    site: depot\n    adjacent:\n      - nowhere": (
        "line 6: zones[0].adjacent[0]: there is no zone 'nowhere'"
    ),
    "readers:\n  - {device: r, zone: z}": "line 2: readers[0].zone: there is no zone 'z'",
    "readers:\n  - {device: r, antennas: {1: z}}": (
        "line 2: readers[0].antennas.1: there is no zone 'z'"
    ),
    PALLET + "home: nowhere}": "line 2: assets[0].home: there is no site 'nowhere'",
    "partners:\n  - {id: p, sites: [s]}": "line 2: partners[0].sites[0]: there is no site 's'",
    "sites:\n  - id: depot\n  - id: depot": (
        "line 3: sites[1].id: site 'depot' is given already, on line 2"
    ),
    "sites:\n - {id: s, until: 2026-01-03}\n - {id: s, since: 2026-01-02}": (
        "line 3: sites[1].id: site 's' is given already at that time, on line 2"
    ),
    "sites:\n - {id: s, since: 2026-01-02}\n - {id: s, until: 2026-01-03}": (
        "line 3: sites[1].id: site 's' is given already at that time, on line 2"
    ),
    "trackers:\n  - device: t\n  - device: t": (
        "line 3: trackers[1].device: tracker 't' is given already, on line 2"
    ),
    "readers:\n  - {device: r, place: {lat: 1, lon: 2}}\ntrackers:\n  - {device: r}": (
        "line 4: trackers[0].device: 'r' is a reader, on line 2"
    ),
    PALLET + "tags: [{epc: E280}]}\n  - {id: A2, class: pallet, tags: [{epc: 'tag:e280'}]}": (
        "line 3: assets[1].tags[0]: tag:E280 is bound to asset 'A1' already, on line 2"
    ),
    PALLET + "external_ids: {erp: 1}}\n  - {id: A2, class: pallet, external_ids: {erp: 1}}": (
        "line 3: assets[1].external_ids.erp: '1' is asset 'A1' already, on line 2"
    ),
    LEASE + "from: 2026-01-05, due: 2026-01-06}]}": [
        "line 2: leases[0].customer: there is no partner 'p'",
        "line 2: leases[0].site: there is no site 's'",
        "line 2: leases[0].lines[0].asset: there is no asset 'a'",
    ],
    LEASED + "from: 2026-01-05, due: 2026-01-04}]}": (
        "line 5: leases[0].lines[0]: `from` 2026-01-05 lies after `due` 2026-01-04"
    ),
    LEASED + "from: soon, due: 2026-01-04}]}": (
        "line 5: leases[0].lines[0].from: 'soon' is no date: write it like 2026-01-05"
    ),
    LEASED + "from: 1969-12-31, due: 2026-01-04}]}": (
        "line 5: leases[0].lines[0].from: 1969-12-31 lies outside of the years 1970 to 2999"
    ),
    LEASED + "id: '2', from: 2026-01-05, due: 2026-01-05}, "
    "{asset: a, from: 2026-01-05, due: 2026-01-05}]}": (
        "line 5: leases[0].lines: line 2 has the id '2', which another one has"
    ),
    LEASED.replace("asset: a, ", "") + "from: 2026-01-05, due: 2026-01-05}]}": (
        "line 5: leases[0].lines[0]: give the `asset`, or the `class` of which it may be any"
    ),
    LEASED.replace("lines:", "consignees: [q], sites: [t], return_to: u, lines:")
    + "from: 2026-01-05, due: 2026-01-05}]}": [
        "line 5: leases[0].consignees[0]: there is no partner 'q'",
        "line 5: leases[0].sites[0]: there is no site 't'",
        "line 5: leases[0].return_to: there is no site 'u'",
    ],
    "sites:\n  - {id: s, open_days: [monday]}": (
        "line 2: sites[0].open_days[0]: should be 'mon', 'tue', 'wed', 'thu', 'fri', 'sat' or "
        "'sun', not 'monday'"
    ),
    "sites:\n  - {id: s, holidays: [soon]}": (
        "line 2: sites[0].holidays[0]: 'soon' is no date: write it like 2026-01-05"
    ),
    # both in one pass
    DEPOT + "zones:\n  - {id: z1, site: deport, stge: x}": [
        "line 3: zones[0].stge: unknown key (did you mean 'stage'?)",
        "line 3: zones[0].site: there is no site 'deport' (did you mean 'depot'?)",
    ],
    "zones:\n  - {id: z1, site: a b}": (
        "line 2: zones[0].site: 'a b' is no id: 1 to 128 letters, digits and the characters . _ : -"
    ),
    DEPOT + "zones:\n  - {id: z1, site: depot, adjacent: [a b, z2]}": [
        "line 3: zones[0].adjacent[0]: 'a b' is no id: 1 to 128 letters, digits and the "
        "characters . _ : -",
        "line 3: zones[0].adjacent[1]: there is no zone 'z2' (did you mean 'z1'?)",
    ],
    "readers:\n  - {device: r/1, antennas: {1: z}}": [
        "line 2: readers[0].device: 'r/1' is no device id: 1 to 128 characters, no control "
        "characters, none of / + #, not beginning with tag:, urn: or fact:",
        "line 2: readers[0].antennas.1: there is no zone 'z'",
    ],
    "sites:\n  - {id: a, kind: shed}\n  - {id: a, timezone: CEST}": [
        "line 2: sites[0].kind: should be 'depot', 'customer', 'hub', 'partner' or 'other', "
        "not 'shed'",
        "line 3: sites[1].timezone: 'CEST' is no IANA time zone; write it like Europe/Amsterdam",
        "line 3: sites[1].id: site 'a' is given already, on line 2",
    ],
    "sites:\n  - {id: a, since: soon}\n  - {id: a, until: 2026-01-05}": (
        "line 2: sites[0].since: 'soon' is no time: write a time with its offset, like "
        "2026-01-05T08:00:00+01:00, or a date"
    ),
    "assets:\n  - {id: a, class: x, value: 3}": "line 2: assets[0].value: unknown key",
    PALLET + "tags: [{epc: 3374257BF40C0E400000162}], home: nowhere}": [
        "line 2: assets[0].tags[0].epc: '3374257BF40C0E400000162' has 23 digits: a tag number has "
        "two for each byte, so one of them is missing or too many",
        "line 2: assets[0].home: there is no site 'nowhere'",
    ],
}


@pytest.mark.parametrize(("text", "said"), REFUSED.items(), ids=range(len(REFUSED)))
def test_refused(text, said):
    assert faults(text) == (said if isinstance(said, list) else [said])


def test_all_faults_are_told_at_once_and_by_line():
    said = faults("""assets:
  - {id: A1, class: pallet, home: nowhere}
  - {id: A1, class: pallet, name: x, name: y}
zones: [{id: z, site: s, stge: x}]
sites: [{id: s, kind: shed}]
sitez: 1""")
    assert [line.partition(":")[0] for line in said] == [f"line {n}" for n in (2, 3, 3, 4, 5, 6)]


def test_what_refers_to_an_item_with_faults_has_none():
    said = faults("sites: [{id: s, kind: shed}]\nzones: [{id: z, site: s}]")
    assert len(said) == 1


def test_among_many_versions_each_that_overlaps_is_told():
    spans = ["since: 2026-01-01, until: 2026-12-31", "since: 2026-02-01, until: 2026-02-02"]
    spans += ["since: 2026-03-01, until: 2026-03-02", "since: 2027-01-01"]
    said = faults("sites:\n" + "".join(f"  - {{id: s, {span}}}\n" for span in spans))
    assert [line[:6] for line in said] == ["line 3", "line 4"]


def test_too_large_a_file_is_not_looked_at():
    assert "too large: 64 MiB" in faults(b"#" * (64 * 1024 * 1024 + 1))[0]


# What is written

TIMES = st.none() | st.integers(0, 253_402_300_799_999)
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
WORDS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=12
)
SHARES = st.none() | st.floats(0, 1)
SECONDS = st.none() | st.floats(0.001, 1e6)
STRENGTHS = st.none() | st.tuples(st.floats(-120, 0), st.floats(0.1, 20))
ATTRIBUTES = st.one_of(
    TEXT,
    st.booleans(),
    st.integers(1 - 10**15, 10**15 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["1e5", "-0", "null", "~", "yes", "0x1", "1_0", "2026-01-05", "<<", "=", "*a"]),
)
CIRCLES = st.builds(
    Circle,
    center=st.tuples(st.floats(-30, 30), st.floats(-80, 80)),
    radius_m=st.floats(0.1, 1e6),
)
SQUARES = st.builds(
    lambda lon, lat, size: Polygon(
        polygon=[(lon, lat), (lon + size, lat), (lon + size, lat + size), (lon, lat + size)]
    ),
    st.floats(-30, 30),
    st.floats(-80, 80),
    st.floats(0.01, 1),
)


@st.composite
def intervals(draw):
    since, until = draw(TIMES), draw(TIMES)
    assume(since is None or until is None or since != until)
    if since is not None and until is not None and since > until:
        since, until = until, since
    return {"since": since, "until": until}


def ids(prefix, most=3):
    return st.integers(0, most).map(lambda count: [f"{prefix}{n}" for n in range(count)])


@st.composite
def worlds(draw):
    """Worlds with every part, without contradictions."""

    def timed(value):
        return Timed(value=value, **draw(intervals()))

    def some(names):
        return draw(st.lists(st.sampled_from(names), unique=True, max_size=3)) if names else []

    def site(id):
        fence = draw(st.none() | CIRCLES | SQUARES)
        return Site(
            id=id,
            name=draw(TEXT),
            geofence=fence,
            stage=draw(st.none() | TEXT),
            open_days=draw(st.lists(st.sampled_from(WEEK), max_size=3)),
            holidays=draw(st.lists(st.dates(), max_size=2)),
        )

    def reader(id):
        antennas = dict(enumerate(some(zones)))
        place = (
            None
            if antennas
            else Standing(lat=draw(st.floats(-90, 90)), lon=draw(st.floats(-180, 180)))
        )
        return Reader(
            device=id,
            antennas=antennas,
            place=place,
            miss=draw(SHARES),
            cycle_s=draw(SECONDS),
            rssi=draw(STRENGTHS),
            stray_rssi=draw(STRENGTHS),
            count=draw(st.none() | st.floats(1, 1e3)),
        )

    def asset(id):
        return AssetEntry(
            id=id,
            kind=draw(WORDS),
            home=draw(st.sampled_from([None, *sites])),
            attributes=draw(st.dictionaries(WORDS, ATTRIBUTES, max_size=3)),
            external_ids=dict.fromkeys(draw(st.lists(WORDS, max_size=2)), id),
            tags=[TagBinding(epc=f"tag:E280{id[1:]}", **draw(intervals()))],
            trackers=[TrackerBinding(device=f"trk-{id}", **draw(intervals()))],
        )

    def lease(id):
        day = draw(st.dates(date(1970, 1, 1), date(2999, 12, 31)))
        end = draw(st.none() | st.builds(Ending, how=st.just("swapped"), at=st.integers(0, 10**12)))
        lines = [LeaseLine(asset=name, start=day, due=day) for name in some(assets) or assets[:1]]
        lines.append(LeaseLine(id="any", kind=draw(WORDS), start=day, due=day, ended=end))
        return Lease(
            id=id,
            customer=partners[0],
            site=sites[0],
            sites=some(sites),
            return_to=draw(st.sampled_from([None, *sites])),
            grace_h=draw(st.integers(0, 99)),
            open_days=draw(st.booleans()),
            consignees=some(partners),
            attributes=draw(st.dictionaries(WORDS, ATTRIBUTES, max_size=2)),
            lines=lines,
        )

    sites = draw(ids("s"))
    zones = draw(ids("z")) if sites else []
    assets, partners = draw(ids("a")), draw(ids("p"))
    leases = draw(ids("l")) if sites and assets and partners else []
    described = [timed(site(id)) for id in sites]
    fences = [one.value.geofence for one in described if one.value.geofence is not None]
    for n, fence in enumerate(fences):
        assume(not looks_swapped(fence, fences[:n] + fences[n + 1 :]))
    return World(
        sites=described,
        zones=[
            timed(
                Zone(
                    id=id,
                    site=draw(st.sampled_from(sites)),
                    adjacent=some(zones),
                )
            )
            for id in zones
        ],
        readers=[timed(reader(id)) for id in draw(ids("r"))],
        trackers=[Tracker(device=id, power=draw(WORDS)) for id in draw(ids("t"))],
        assets=[asset(id) for id in assets],
        partners=[
            Partner(id=id, name=draw(TEXT), kind=draw(WORDS), sites=some(sites)) for id in partners
        ],
        leases=[lease(id) for id in leases],
    )


@given(worlds())
def test_what_is_written_is_read_again(world):
    text = write_world(world)
    assert read_world(text) == world
    assert write_world(read_world(text.encode())) == text


def test_what_is_written_leaves_out_what_need_not_be_said():
    assert write_world(World()) == "retour: 1\n"
    assert write_world(read_world(DEPOT)) == "retour: 1\nsites:\n- {id: depot}\n"


# Whatever comes

VALUES = [
    "",
    "null",
    "-1",
    "1e999",
    ".nan",
    "[]",
    "{}",
    "*a",
    "&a x",
    "!!python/object:os.x y",
    "'",
]
VALUES += [
    "2026-13-45",
    "9" * 5_000,
    "[[[[",
    "\x00",
    "\u2028",
    "<<",
    "? ",
    "|",
    "🚚",
    "- ",
    "%YAML 9",
]


def mutated(seed):
    """A good file with some accidents, the same for the same seed."""
    chance = random.Random(seed)
    data = bytearray(GOOD, "utf-8")
    for _ in range(chance.randint(1, 4)):
        accident = chance.choice([_flip, _line, _value])
        data = accident(chance, data)
    return bytes(data)


def _flip(chance, data):
    for _ in range(chance.randint(1, 3)):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return data


def _line(chance, data):
    lines = data.splitlines(keepends=True)
    at = chance.randrange(len(lines))
    lines[at : at + 1] = [lines[at]] * chance.choice([0, 2])
    return bytearray(b"".join(lines)) or data


def _value(chance, data):
    words = [*re.finditer(rb"[^\s,:\[\]{}]+", data)]
    if words:
        word = chance.choice(words)
        data[word.start() : word.end()] = chance.choice(VALUES).encode()
    return data


def outcome(data):
    """The world that is read, or the faults; anything else is raised."""
    try:
        return read_world(data)
    except BadWorld as refused:
        return refused.faults


def check(result):
    """Whether it was read; what is read can be written, what is refused has reasons."""
    if isinstance(result, World):
        assert read_world(write_world(result)) == result
        return True
    assert result
    assert all(fault.line >= 1 and fault.detail for fault in result)
    return False


def test_a_mutated_file_is_read_or_refused():
    read = {check(outcome(mutated(seed))) for seed in range(500)}
    assert read == {True, False}


@given(st.text() | st.binary())
def test_anything_is_read_or_refused(data):
    check(outcome(data))


def test_of_very_many_faults_the_first_are_told():
    with pytest.raises(BadWorld) as bad:
        read_world("sites: [" + "{}, " * 5_000 + "]\nzones: [{}]")
    assert len(bad.value.faults) == 1_001
    assert str(bad.value.faults[-1]).endswith("from here on nothing was looked at")
