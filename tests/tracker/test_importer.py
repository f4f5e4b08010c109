"""A world file imported: all of it or nothing, twice as once, and written back the same."""

import re
from datetime import date
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tracker
from tracker.arrange import arrange, give_up, put_place
from tracker.asset_ports import AssetFilter
from tracker.audit import PROGRAM, Act
from tracker.exporter import export_world
from tracker.importer import import_world, known_of
from tracker.lease_lines import Event, extend, give_back
from tracker.model import Asset, Binding, Device
from tracker.places import Circle, Reader, Site, Standing, Zone
from tracker.rebind import rebind
from tracker.record import UNKNOWN_DEVICE
from tracker.refold import refresh_some
from tracker.registry import (
    Conflict,
    Unregistered,
    bind,
    register_asset,
    register_device,
    save_asset,
    unbind,
)
from tracker.stamps import StampPolicy
from tracker.verify import verify
from tracker.world import BadWorld, World, read_world, write_world

PAGE = (Path(tracker.__file__).parent.parent / "docs/world.md").read_text()
EVERYTHING, VERSIONS = re.findall(r"```yaml\n(.*?)```", PAGE, re.S)
HEX = "3374257BF40C0E400000162E"
TAG = "urn:epc:id:grai:0614141.12345.5678"
NOW = 1_790_000_000_000
DAY = 86_400_000
ACT = Act("me", NOW, NOW + 1)
MARCH = 1_772_323_200_000


def load(db, text):
    """Import a file, as the command does; what came of it."""
    with db.store.writing() as tx:
        return import_world(tx, read_world(text, known_of(tx)), StampPolicy(), ACT)


def refused(db, text):
    """The faults that an import is refused with, and that it has left no trace."""
    before = dump(db)
    with pytest.raises(BadWorld) as error:
        load(db, text)
    assert dump(db) == before
    return str(error.value).splitlines()


def dump(db):
    """All that an import could have changed."""
    with db.store.reading() as tx:
        kinds = ("site", "zone", "reader")
        return (
            [tx.versions(kind) for kind in kinds],
            tx.assets(AssetFilter(), "", 1_000),
            [status.device for status in tx.device_list("", 1_000)],
            [*tx.every_binding()],
            tx.changes(None, 1_000),
            tx.stale_count(),
            tx.counts(),
            tx.partners(),
            [(lease, tx.agreements(lease.id)) for lease in tx.leases("", 1_000)],
            tx.timers_of([asset.id for asset in tx.assets(AssetFilter(), "", 1_000)]),
        )


def exported(db):
    with db.store.reading() as tx:
        return export_world(tx)


def told(differences, *actions):
    return [tuple(one) for one in differences if one.action in actions]


class TestWhatIsImported:
    def test_all_of_a_file_is_there_in_its_order(self, db):
        differences = load(db, EVERYTHING)
        assert told(differences, "change", "same") == []
        assert [f"{one.kind} {one.id}" for one in differences] == [
            "site depot",
            "site cust-1",
            "site fixit",
            "zone z_inspection",
            "zone z_outdock",
            "device rdr-1",
            "reader rdr-1",
            "device rdr-2",
            "reader rdr-2",
            "device trk-1",
            "asset A1",
            f"binding {TAG}",
            "binding trk-1",
            "partner acme",
            "lease L1",
        ]
        with db.store.reading() as tx:
            layout, asset = tx.layout(), tx.asset("A1")
            assert layout.zones()["z_inspection"].adjacent == ["z_outdock"]
            assert layout.readers()["rdr-2"].antennas == {1: "z_inspection", 2: "z_outdock"}
            assert tx.device("trk-1").device.rest_interval_s == 21_600
            assert asset.attributes == {"color": "blue", "weight_kg": 25, "serial": "0012"}
            assert (asset.class_, asset.home) == ("pallet", "depot")
            assert tx.labelled("id:erp", "4711") == ["A1"]
            assert [b.since for b in tx.bindings_of("A1")] == [1_767_596_400_000, None]

    @pytest.mark.parametrize("text", [EVERYTHING, VERSIONS], ids=["everything", "versions"])
    def test_the_same_file_again_changes_nothing(self, db, text):
        load(db, text)
        before = dump(db)
        assert {one.action for one in load(db, text)} == {"same"}
        assert dump(db) == before

    def test_zones_may_name_each_other(self, db):
        zones = "zones: [{id: a, site: s, adjacent: [b]}, {id: b, site: s, adjacent: [a]}]"
        load(db, f"sites: [{{id: s}}]\n{zones}")
        with db.store.reading() as tx:
            assert tx.layout().zones()["a"].adjacent == ["b"]

    def test_a_file_may_refer_to_what_is_registered(self, db):
        load(db, "sites: [{id: depot}]")
        load(db, "zones: [{id: z, site: depot}]\nassets: [{id: A1, class: pallet, home: depot}]")
        assert [zone.value.site for zone in exported(db).zones] == ["depot"]

    def test_a_tracker_that_is_only_bound_is_registered(self, db):
        differences = load(db, "assets: [{id: A1, class: pallet, trackers: [{device: trk-1}]}]")
        assert ("create", "device", "trk-1", "tracker") in told(differences, "create")

    def test_every_change_has_its_line_in_the_audit_log(self, db):
        differences = load(db, EVERYTHING)
        with db.store.reading() as tx:
            lines = [line for _, line in tx.changes(None, 100)]
        assert sorted(f"{line.kind} {line.subject}" for line in lines) == sorted(
            f"{one.kind} {one.id}" for one in differences
        )
        assert {(line.by, line.at) for line in lines} == {("me", NOW + 1)}

    def test_what_a_device_sent_before_is_taken_in(self, db, make):
        db.record(make.message(make.fix(), make.sensor(), device="trk-1"))
        text = (
            "trackers: [{device: trk-1}]\nassets: [{id: A1, class: a, trackers: [{device: trk-1}]}]"
        )
        assert load(db, text)[0].detail == "tracker, 2 observations adopted"
        assert db.count("log") == 2
        assert [out.topic for out in db.outbox()] == ["retour/v1/trk-1/receipt"]

    def test_a_tag_bound_by_a_file_claims_its_earlier_reads(self, db, make):
        db.register("gate-1", place=Standing(lat=51, lon=4))
        db.record(make.message(make.read(tag=TAG), device="gate-1"))
        load(db, f"assets: [{{id: A1, class: a, tags: [{{epc: {HEX}}}]}}, {{id: A2, class: a}}]")
        with db.store.writing() as tx:
            assert tx.stale_assets(10) == ["A1"]
            refresh_some(tx, NOW, 10)
        assert db.belief().observations == 1

    def test_what_was_never_observed_is_not_stale(self, db):
        load(db, EVERYTHING)
        with db.store.reading() as tx:
            assert tx.stale_count() == 0


class TestWhatIsChanged:
    @pytest.fixture
    def full(self, db):
        load(db, EVERYTHING)
        return db

    @pytest.mark.parametrize(
        ("old", "new", "difference"),
        [
            ("radius_m: 120", "radius_m: 90", ("site", "depot", "geofence")),
            ("name: Depot Rotterdam, ", "", ("site", "depot", "name")),
            ("stage: outbound", "stage: inbound", ("zone", "z_outdock", "stage")),
            ("cycle_s: 1800, ", "", ("reader", "rdr-1", "cycle_s")),
            ("rest_interval_s: 21600, ", "", ("device", "trk-1", "rest_interval_s")),
            ("class: pallet", "class: box", ("asset", "A1", "class")),
            ("weight_kg: 25, ", "", ("asset", "A1", "attributes")),
            ('{erp: "4711"}', '{erp: "4712"}', ("asset", "A1", "external_ids")),
        ],
    )
    def test_what_differs_is_changed_and_named(self, full, old, new, difference):
        text = EVERYTHING.replace(old, new)
        assert told(load(full, text), "create", "change") == [("change", *difference)]
        assert {one.action for one in load(full, text)} == {"same"}
        expected = read_world(text)
        assert (exported(full).sites, exported(full).readers) == (expected.sites, expected.readers)

    def test_a_fence_that_moves_at_a_time_stays_where_it_was_before(self, full):
        fence = "geofence: {center: [4.6, 51.9], radius_m: 50}"
        text = f"sites: [{{id: fixit, kind: partner, stage: repair, {fence}, since: 2026-03-01}}]"
        [difference] = load(full, text)
        assert difference.detail == "geofence from 2026-03-01T00:00:00.000Z"
        with full.store.reading() as tx:
            radii = [tx.layout().sites(at)["fixit"].geofence.radius_m for at in (MARCH - 1, MARCH)]
        assert radii == [80, 50]

    def test_what_people_call_a_device_stays(self, full):
        with full.store.writing() as tx:
            tx.put_device(Device("trk-1", "tracker", name="the blue one", power="sun"))
        load(full, EVERYTHING)
        with full.store.reading() as tx:
            device = tx.device("trk-1").device
        assert (device.name, device.power, device.rest_interval_s) == ("the blue one", None, 21_600)

    def test_external_ids_may_change_places(self, db):
        text = "assets:\n- {{id: A1, class: a, external_ids: {{erp: {}}}}}\n"
        text += "- {{id: A2, class: a, external_ids: {{erp: {}}}}}\n"
        load(db, text.format(1, 2))
        load(db, text.format(2, 1))
        with db.store.reading() as tx:
            assert tx.labelled("id:erp", "1") == ["A2"]


def tags(*bindings):
    """A file in which assets have the same tag, each at a time."""
    lines = [
        f"- {{id: {asset}, class: a, tags: [{{epc: {HEX}{when}}}]}}" for asset, when in bindings
    ]
    return "\n".join(["assets:", *lines])


class TestBindings:
    @pytest.fixture
    def read_in_february(self, db, make):
        """A tag, always on A1, that was read twice before March 2026 and once after."""
        db.register("gate-1", place=Standing(lat=51, lon=4))
        load(db, tags(("A1", "")))
        reads = [make.read(at=MARCH + n, tag=TAG) for n in (-2, -1, 1)]
        db.record(make.message(*reads, device="gate-1"))
        return db

    def test_a_binding_may_become_narrower(self, db):
        load(db, tags(("A1", "")))
        [difference] = told(load(db, tags(("A1", ", since: 2026-03-01"))), "change")
        assert difference[3] == "to A1 from 2026-03-01T00:00:00.000Z"
        with db.store.reading() as tx:
            assert tx.bindings_of("A1") == [Binding("A1", TAG, MARCH, None)]

    def test_but_not_so_that_observations_belong_to_nobody(self, read_in_february):
        [fault] = refused(read_in_february, tags(("A1", ", since: 2026-03-01")))
        assert fault == (
            f"line 2: assets[0].tags[0]: 2 observations of {TAG} that are logged until "
            "2026-03-01T00:00:00.000Z would belong to no asset any more: "
            "it is bound to asset A1 then"
        )

    def test_a_tag_may_move_with_its_observations(self, read_in_february):
        db = read_in_february
        moved = tags(("A1", ", until: 2026-03-01"), ("A2", ", since: 2026-03-01"))
        assert [one[:2] for one in load(db, moved)] == [
            ("same", "asset"),
            ("change", "binding"),
            ("create", "asset"),
            ("create", "binding"),
        ]
        with db.store.writing() as tx:
            refresh_some(tx, NOW, 10)
            assert [tx.belief(asset).observations for asset in ("A1", "A2")] == [2, 1]
            assert verify(tx).sound
        assert {one.action for one in load(db, moved)} == {"same"}

    def test_a_tag_that_is_another_assets_is_refused(self, read_in_february):
        assert refused(read_in_february, tags(("A2", ", since: 2026-03-01"))) == [
            f"line 2: assets[0].tags[0]: {TAG} is bound to asset A1 already"
        ]

    def test_another_time_of_the_same_tag_is_added(self, db):
        load(db, tags(("A1", ", until: 2026-03-01")))
        load(db, tags(("A1", ", since: 2026-04-01")))
        with db.store.reading() as tx:
            assert len(tx.bindings_of("A1")) == 2


class TestWhatIsRefused:
    def test_every_conflict_is_told_with_its_line_and_nothing_stored(self, db):
        with db.store.writing() as tx:
            register_device(tx, Device("rdr-1", "tracker"), StampPolicy())
            register_device(tx, Device("trk-1", "reader"), StampPolicy())
            save_asset(tx, Asset("B1", external_ids={"erp": "4711"}))
            bind(tx, Binding("B1", TAG))
        assert refused(db, EVERYTHING) == [
            "line 11: readers[0].device: device rdr-1 is registered already, as tracker",
            "line 14: trackers[0].device: device trk-1 is registered already, as reader",
            "line 20: assets[0].external_ids.erp: '4711' is asset 'B1' already",
            f"line 22: assets[0].tags[0]: {TAG} is bound to asset B1 already",
        ]

    @pytest.mark.parametrize(
        "text",
        [
            "sites:\n- {id: depot, kind: depot, since: 2026-01-01}",
            "assets:\n- {id: A1, class: a, tags: [{epc: AA, since: 2026-01-01}]}",
        ],
    )
    def test_what_reaches_back_to_before_the_logs_edge(self, db, text):
        with db.store.writing() as tx:
            tx.add_edge(MARCH, NOW)
        [fault] = refused(db, text)
        assert "lies before" in fault
        assert fault.startswith(f"line {text.count(chr(10)) + 1}: ")

    def test_but_what_is_stored_may_reach_back(self, db):
        load(db, EVERYTHING)
        with db.store.writing() as tx:
            tx.add_edge(MARCH, NOW)
        assert {one.action for one in load(db, EVERYTHING)} == {"same"}


LEASES = """
leases:
  - id: L2
    customer: acme
    site: cust-1
    sites: [fixit]
    return_to: depot
    grace_h: 4
    open_days: true
    consignees: [acme]
    attributes: {order: 4711}
    lines:
      - {asset: A2, from: 2026-01-05, due: 2026-02-02}
      - {class: crate, from: 2026-01-05, due: 2026-02-02}
"""


class TestLeases:
    def test_what_an_import_changes_is_told(self, db):
        load(db, EVERYTHING)
        changed = EVERYTHING.replace("Acme Foods", "Acme").replace(
            "due: 2026-02-02", "due: 2026-03-02"
        )
        assert told(load(db, changed), "change", "create") == [
            ("change", "partner", "acme", "name"),
            ("change", "lease", "L1", "line 1"),
        ]

    def test_a_file_may_refer_to_a_stored_partner(self, db):
        load(db, EVERYTHING)
        text = (
            EVERYTHING[EVERYTHING.index("leases:") :]
            .replace("L1", "L2")
            .replace("from: 2026-01-05, due: 2026-02-02", "from: 2026-02-03, due: 2026-02-09")
        )
        assert told(load(db, text), "create") == [("create", "lease", "L2", "")]

    def test_every_flaw_has_its_line_and_nothing_is_stored(self, db):
        load(db, EVERYTHING)
        text = (
            "leases:\n- {id: L2, customer: acme, site: depot, lines: [\n"
            "  {class: crate, from: 2026-01-05, due: 2026-01-06},\n"
            "  {asset: A1, from: 2026-01-09, due: 2026-01-09}]}"
        )
        (fault,) = refused(db, text)
        assert fault.startswith(
            "line 4: leases[0].lines[1]: asset A1 is on lease L1, line 1, until"
        )


class TestExport:
    @pytest.mark.parametrize("text", [EVERYTHING, VERSIONS], ids=["everything", "versions"])
    def test_what_is_exported_is_what_was_imported(self, db, text):
        load(db, text)
        assert exported(db) == as_stored(read_world(text))

    def test_so_are_leases_with_all_that_became_of_them(self, db):
        load(db, EVERYTHING)
        load(db, "assets: [{id: A2, class: crate}]")
        load(db, LEASES)
        with db.store.writing() as tx:
            extend(tx, ACT, Event("L2", "2"), date(2026, 3, 2))
            give_back(tx, ACT, Event("L2", "1", MARCH))
        text = write_world(exported(db))
        assert {one.action for one in load(db, text)} == {"same"}
        assert {one.action for one in load(db, EVERYTHING) + load(db, LEASES)} == {"same"}
        lease = read_world(text).leases[1]
        assert lease.lines[0].ended.how == "returned"
        assert [line.due for line in lease.lines] == [date(2026, 2, 2), date(2026, 3, 2)]

    def test_an_empty_database_is_an_empty_world(self, db):
        assert exported(db) == World()

    def test_what_was_given_up_for_always_is_not_referred_to(self, db):
        with db.store.writing() as tx:
            for value in (
                Site(id="s"),
                Zone(id="z", site="s"),
                Zone(id="y", site="s", adjacent=["z"]),
            ):
                arrange(tx, value)
            save_asset(tx, Asset("A1", home="s"))
            give_up(tx, "zone", "z")
            assert [zone.value.adjacent for zone in export_world(tx).zones] == [[]]
            give_up(tx, "zone", "y", MARCH)
            put_place(tx, "site", "s", None, None, None, PROGRAM)  # which give_up refuses now
            world = export_world(tx)
        assert (world.sites, world.zones, world.assets[0].home) == ([], [], None)


def as_stored(world):
    """A world with its tags named by their ids, and leases with the zone of their days."""
    assets = [
        asset.model_copy(
            update={
                "tags": [tag.model_copy(update={"epc": tag.subject}) for tag in asset.tags],
            }
        )
        for asset in world.assets
    ]
    leases = [one.model_copy(update={"timezone": "Europe/Amsterdam"}) for one in world.leases]
    return world.model_copy(update={"assets": assets, "leases": leases})


# Whatever is set up, its export makes the same of an empty database.

TIMES = [None, *(MARCH + n * DAY for n in range(4))]
IDS = ("a", "b")
SUBJECTS = (TAG, "tag:AA", "trk-1")
periods = st.tuples(st.sampled_from(TIMES), st.sampled_from(TIMES)).filter(
    lambda p: None in p or p[0] < p[1]
)
ids = st.sampled_from(IDS)
fences = st.none() | st.builds(Circle, center=st.just((4.5, 51.9)), radius_m=st.integers(1, 99))
places = st.one_of(
    st.builds(Site, id=ids, geofence=fences, name=st.sampled_from(["", "x"])),
    st.builds(Zone, id=ids, site=ids, adjacent=st.lists(ids, max_size=2)),
    st.builds(Reader, device=st.just("rdr-1"), zone=ids, cycle_s=st.none() | st.integers(1, 9)),
    st.builds(
        Reader,
        device=st.just("rdr-2"),
        antennas=st.dictionaries(st.integers(1, 2), ids),
        place=st.just(Standing(lat=51, lon=4)),
    ),
)
bindings = st.builds(Binding, st.sampled_from(["A1", "A2"]), st.sampled_from(SUBJECTS))
steps = st.one_of(
    st.tuples(st.just("arrange"), places, periods),
    st.tuples(st.just("give up"), st.tuples(st.sampled_from(["site", "zone"]), ids), periods),
    st.tuples(st.just("bind"), bindings, periods),
    st.tuples(st.just("unbind"), bindings, periods),
)


def take(tx, step):
    """Take a step, if it makes sense."""
    what, value, (since, until) = step
    try:
        if what == "arrange":
            arrange(tx, value, since, until)
        elif what == "give up":
            give_up(tx, *value, since)
        elif what == "bind":
            bind(tx, Binding(value.asset, value.subject, since, until), moves=True)
        else:
            unbind(tx, value.asset, value.subject, since)
    except (Conflict, Unregistered):
        pass


@pytest.mark.thorough
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(taken=st.lists(steps, min_size=1, max_size=15))
def test_what_is_exported_makes_the_same_of_an_empty_database(new_database, taken):
    one, other = new_database(), new_database()
    with one.store.writing() as tx:
        for id in IDS:
            arrange(tx, Site(id=id))
        for id in ("rdr-1", "rdr-2"):
            register_device(tx, Device(id, "reader"), StampPolicy())
            arrange(tx, Reader(device=id, place=Standing(lat=51, lon=4)))
        register_device(tx, Device("trk-1", "tracker"), StampPolicy())
        for id in ("A1", "A2"):
            register_asset(tx, Asset(id))
        for step in taken:
            take(tx, step)
    world = exported(one)
    load(other, write_world(world))
    assert exported(other) == world
    assert {difference.action for difference in load(one, write_world(world))} <= {"same"}
    one.store.close()
    other.store.close()


def asset_at(held, at):
    return {binding.asset for binding in held if binding.holds_at(at)}


def overlap(held):
    return any(one.overlaps(two.since, two.until) for one, two in combinations(held, 2))


one_binding = st.builds(
    lambda asset, p: Binding(asset, "t", *p), st.sampled_from(["A1", "A2"]), periods
)
held = st.lists(one_binding, max_size=4).filter(lambda bindings: not overlap(bindings))


@given(stored=held, said=held)
def test_a_rebinding_leaves_what_is_said_and_what_is_not_against_it(stored, said):
    plan = rebind(stored, said)
    if any(one.against for one in plan):
        return
    lost = [part for one in plan for part in one.lost]
    kept = [binding for binding in stored if not any(binding in one.replaced for one in plan)]
    for at in [0, *TIMES[1:]]:
        was, is_said, stays = (asset_at(some, at) for some in (stored, said, kept))
        assert not (is_said and stays - is_said)
        assert asset_at(lost, at) == (was - stays if not is_said else set())


def test_an_unknown_devices_observations_wait_until_a_file_names_it(db, make):
    db.record(make.message(make.fix(), device="trk-9"))
    load(db, EVERYTHING)
    assert [held.reason for held in db.held()] == [UNKNOWN_DEVICE]
