"""A change of sites, zones and readers: what it marks stale, refuses and writes down."""

import pytest

from tracker.arrange import BadPlace, arrange, give_up
from tracker.audit import Act
from tracker.model import Asset
from tracker.places import Circle, Polygon, Reader, Site, Standing, Zone
from tracker.refold import from_nothing
from tracker.registry import Conflict, Unregistered, bind_tag, register_asset
from tracker.verify import verify

NOW = 1_790_000_000_000
MINUTE = 60_000
LAT, LON = 51.92, 4.48
M = 1 / 111_195  # a metre of latitude, degrees
SMALL, LARGE = (Circle(center=(LON, LAT), radius_m=radius) for radius in (120, 2_000))
AWAY = Circle(center=(-70.0, -33.0), radius_m=120)
BOWTIE = Polygon(polygon=[(4, 51), (5, 52), (5, 51), (4, 52)])
ME = Act("me", 7, 8)


@pytest.fixture
def lived_in(db, make):
    """`near` drove past the depot, `far` was in Chile; `read` was read at a gate of the depot,
    `gated` by a reader that stands there and watches no zone."""
    for asset in ("near", "far"):
        db.register(f"trk-{asset}", asset=asset)
    for asset, tag in (("read", "AA"), ("gated", "BB")):
        db.do(register_asset, Asset(asset))
        db.do(bind_tag, asset, tag)
    for device in ("gate-1", "gate-2"):
        db.register(device)
    db.do(arrange, Site(id="depot", name="Depot"))
    db.do(arrange, Site(id="hub"))
    db.do(arrange, Zone(id="z1", site="depot"))
    db.do(arrange, Zone(id="z2", site="hub"))
    db.do(arrange, Reader(device="gate-1", zone="z1"))
    db.do(arrange, Reader(device="gate-2", place=Standing(lat=LAT, lon=LON)))
    db.record(
        *(
            make.message(
                *(make.fix(NOW + n * MINUTE, lat + n * 1_000 * M, lon) for n in range(5)),
                device=device,
                received=NOW + 60 * MINUTE,
            )
            for device, lat, lon in (("trk-near", LAT, LON), ("trk-far", -33.0, -70.0))
        ),
        make.message(make.read(NOW, "tag:AA"), device="gate-1"),
        make.message(make.read(NOW, "tag:BB"), device="gate-2"),
    )
    assert db.stale() == set()
    return db


def differing(db):
    """The assets whose history comes to something else now: what must be stale."""
    with db.store.reading() as tx:
        return {
            belief.asset
            for belief in tx.every_belief()
            if from_nothing(tx, belief.asset).belief != belief
        }


CHANGES = [
    ("a first fence", Site(id="depot", geofence=SMALL), {"near", "read", "gated"}),
    ("a fence elsewhere", Site(id="depot", geofence=AWAY), {"far", "read"}),
    ("a new site around all", Site(id="yard", geofence=LARGE), {"near", "gated"}),
    ("another name", Site(id="depot", name="Rotterdam", timezone="Europe/Amsterdam"), set()),
    ("opening days", Site(id="depot", name="Depot", open_days=["mon"]), set()),
    ("a zone in another site", Zone(id="z1", site="hub"), {"read"}),
    ("a reader in another zone", Reader(device="gate-1", zone="z2"), {"read"}),
    ("a reader elsewhere", Reader(device="gate-2", place=Standing(lat=1, lon=1)), {"gated"}),
]


@pytest.mark.parametrize(("value", "stale"), [c[1:] for c in CHANGES], ids=[c[0] for c in CHANGES])
def test_a_change_marks_what_it_touches_and_a_refresh_brings_it_up_to_date(lived_in, value, stale):
    assert lived_in.do(arrange, value, act=ME)
    assert differing(lived_in) <= lived_in.stale() == stale
    assert lived_in.ask(verify).sound
    lived_in.refresh()
    assert differing(lived_in) == lived_in.stale() == set()
    assert lived_in.ask(verify).sound


def test_what_a_fence_held_is_touched_when_it_is_drawn_elsewhere(lived_in):
    lived_in.do(arrange, Site(id="yard", geofence=SMALL))
    lived_in.refresh()
    lived_in.do(arrange, Site(id="yard", geofence=AWAY))
    assert differing(lived_in) <= lived_in.stale() == {"near", "far", "gated"}


def test_what_stands_at_a_site_is_touched_when_that_is_given_up(lived_in):
    lived_in.do(arrange, Site(id="yard", geofence=LARGE))
    lived_in.refresh()
    lived_in.do(give_up, "site", "yard", NOW + MINUTE)
    assert differing(lived_in) <= lived_in.stale() == {"near", "gated"}
    lived_in.refresh()
    assert lived_in.belief("near").whereabouts.stay is None
    assert lived_in.ask(verify).sound


def test_what_holds_before_a_change_stays_as_it_was(lived_in, make):
    lived_in.do(arrange, Site(id="yard", geofence=SMALL), NOW + 30 * MINUTE)
    lived_in.do(arrange, Site(id="yard", geofence=SMALL), None, NOW - MINUTE)
    lived_in.refresh()
    assert lived_in.belief("near").whereabouts.site is None
    layout = lived_in.ask(lambda tx: tx.layout())
    held = [("yard" in layout.sites(NOW + n * MINUTE)) for n in (-2, -1, 0, 29, 30)]
    assert held == [True, False, False, False, True]


def test_a_change_that_changes_nothing_is_not_written(lived_in):
    before = lived_in.ask(lambda tx: tx.layout().revision)
    assert not lived_in.do(arrange, Site(id="depot", name="Depot"), act=ME)
    assert not lived_in.do(arrange, Site(id="depot", name="Depot"), NOW, act=ME)
    assert lived_in.ask(lambda tx: tx.layout().revision) == before
    assert lived_in.ask(lambda tx: tx.changes(None, 1))[0][1].by != "me"


@pytest.mark.parametrize(
    ("value", "error", "told"),
    [
        (Site(id="depot", geofence=BOWTIE), BadPlace, "crosses or touches itself near longitude"),
        (Zone(id="z9", site="nowhere"), Unregistered, "there is no site nowhere"),
        (Zone(id="z9", site="depot", adjacent=["z8"]), Unregistered, "there is no zone z8"),
        (Reader(device="gate-9", zone="z1"), Unregistered, "no device of that id"),
        (Reader(device="gate-1", zone="z9"), Unregistered, "there is no zone z9"),
        (Reader(device="gate-1", antennas={1: "z1", 2: "z9"}), Unregistered, "no zone z9"),
    ],
)
def test_what_cannot_be_is_refused_and_leaves_no_trace(lived_in, value, error, told):
    before = lived_in.ask(lambda tx: tx.layout().revision)
    with pytest.raises(error, match=told):
        lived_in.do(arrange, value)
    assert lived_in.ask(lambda tx: tx.layout().revision) == before
    assert lived_in.stale() == set()


def test_a_period_ends_after_it_begins(lived_in):
    with pytest.raises(BadPlace, match="end before it begins"):
        lived_in.do(arrange, Site(id="depot"), NOW, NOW)


def test_what_is_needed_is_not_given_up(lived_in):
    with pytest.raises(Conflict, match="site depot is needed by zone z1"):
        lived_in.do(give_up, "site", "depot")
    with pytest.raises(Conflict, match="zone z1 is needed by reader gate-1"):
        lived_in.do(give_up, "zone", "z1")
    with pytest.raises(Unregistered, match="no reader gate-9"):
        lived_in.do(give_up, "reader", "gate-9")
    for kind, id in (("reader", "gate-1"), ("zone", "z1"), ("site", "depot")):
        lived_in.do(give_up, kind, id)
        lived_in.refresh()
    assert "depot" not in lived_in.ask(lambda tx: tx.layout()).sites()
    assert lived_in.ask(verify).sound


def test_what_was_needed_for_a_time_is_given_up_from_its_end_on(lived_in):
    lived_in.do(arrange, Zone(id="z3", site="hub"), NOW, NOW + MINUTE)
    lived_in.do(give_up, "zone", "z2")
    for since in (None, NOW, NOW + MINUTE - 1):
        with pytest.raises(Conflict, match="site hub is needed by zone z3"):
            lived_in.do(give_up, "site", "hub", since)
    lived_in.do(give_up, "site", "hub", NOW + MINUTE)
    assert lived_in.ask(lambda tx: tx.layout()).site_of_zone("z3", NOW) == "hub"


def test_every_change_stands_in_the_audit_log(lived_in):
    lived_in.do(arrange, Site(id="yard", geofence=SMALL), act=ME)
    lived_in.do(arrange, Site(id="yard", geofence=LARGE), NOW, act=ME)
    lived_in.do(give_up, "site", "yard", act=ME)
    lines = [line for _, line in lived_in.ask(lambda tx: tx.changes(None, 3, "site", "yard"))]
    assert [(line.at, line.by, line.action) for line in lines] == [
        (8, "me", "give up"),
        (8, "me", "change"),
        (8, "me", "create"),
    ]
    assert lines[2].before is None
    assert lines[1].before == lines[2].after
    assert [spell["since"] for spell in lines[1].after["spells"]] == [None, NOW]
    assert lines[0].after is None
