"""Assets that wear by parameters which nobody is told: what inspections teach, beside the truth."""

from statistics import mean

import orjson
import pytest

from firmware_sim.world.files import write_files
from firmware_sim.world.scenario import read_scenario
from firmware_sim.world.simulation import simulate
from gateway.decoders.native import decode_events
from tracker.ageing import learn
from tracker.asset_class import AssetClass, Route, Wear
from tracker.audit import Act
from tracker.caring import inspect
from tracker.class_book import put_class
from tracker.facts import fact_of, state
from tracker.importer import import_world, known_of
from tracker.inspection import Inspection
from tracker.record import record
from tracker.stamps import StampPolicy
from tracker.stores.sqlite import SqliteStore
from tracker.upkeep import Stress
from tracker.verify import verify
from tracker.work import Done, Order
from tracker.working import close_order, open_order
from tracker.world import read_world

SCENARIO = """
name: Wearing tools
seed: 5
days: 220
assets: {count: 40, class: pallet, id: tool, tags: false}
depots: [{id: yard, at: [4.4, 51.9], timezone: Europe/Amsterdam}]
scatter: {customers: 5, within_km: 30}
trackers: {rest_interval_s: 86400, moving_interval_s: 21600}
wear: {cycles: 22, shape: 2.2, knocks_per_trip: 1.5, per_knock: 0.25}
stages:
  ready: {mean_h: 40}
  in_use: {mean_h: 90, next: {return_requested: 0.7, return_transit: 0.3}}
  return_requested: {mean_h: 20, next: {return_transit: 1}}
  outbound: {mean_h: 10, next: {in_use: 1}}
  return_transit: {mean_h: 10, next: {received: 1}}
  received: {mean_h: 6, next: {inspection: 1}}
  inspection: {mean_h: 4, next: {ready: 0.95, repair: 0.05}}
  repair: {mean_h: 30, next: {ready: 1}}
facts:
  told: {dispatched: 1, lease_started: 1, collected: 1, received: 1, inspected: 1, work_started: 1,
         work_done: 1, return_requested: 1}
"""
CLASS = AssetClass(
    id="pallet",
    wear=Wear(cycles=40, shape=1.2),  # the maker's word, and wrong
    stress=Stress(shock_from=3),
    routes=[Route(id="repair", kind="repair", restores=0.5)],
)
POLICY = StampPolicy()
SOON_MS = 30 * 60_000  # until what happens at a bench is known
BATCH = 200


def lived(folder, store):
    """Play a world into a database: what devices and people tell, in order of arrival."""
    with store.writing() as tx:
        world = read_world((folder / "WORLD.yaml").read_bytes(), known_of(tx))
        start = min(line["at"] for line in _lines(folder / "INSPECTIONS.jsonl", "inspection"))
        import_world(tx, world, POLICY, Act("test", start, start))
        put_class(tx, CLASS, Act("test", start, start))
    arrivals = [(line["received_at"], line) for line in _lines(folder / "MESSAGES.jsonl")]
    arrivals += [
        (line["inspection"]["at"] + SOON_MS, line) for line in _lines(folder / "INSPECTIONS.jsonl")
    ]
    arrivals.sort(key=lambda one: one[0])
    for begin in range(0, len(arrivals), BATCH):
        with store.writing() as tx:
            for at, line in arrivals[begin : begin + BATCH]:
                _told(tx, at, line)


def _told(tx, at, line):
    if "fact" in line:
        state(tx, [fact_of(line["fact"])], POLICY, at)
        _worked(tx, line["fact"], Act("bench", at, at))
    elif "inspection" in line:
        found = line["inspection"]
        seen = Inspection(grade=found["grade"], failed=found["failed"])
        inspect(tx, line["id"], found["asset"], found["at"], seen, Act("bench", at, at), POLICY)
    else:
        decoded = decode_events(line["topic"], orjson.dumps(line["payload"]), at)
        record(tx, [decoded], [], POLICY)


def _worked(tx, fact, act):
    """A work order for each repair."""
    asset = fact["asset"]
    if fact["kind"] == "work_started":
        opened = Order(f"{asset}-{fact['at']}", asset, fact["stage"], fact["at"], "me", Done())
        open_order(tx, opened, act, POLICY)
    elif fact["kind"] == "work_done":
        begun = [one for one in tx.orders_of([asset]).get(asset, ()) if one.closed is None]
        for one in begun:
            close_order(tx, one.id, "done", max(fact["at"], one.opened), None, act, POLICY)


def _lines(file, part=None):
    lines = map(orjson.loads, file.read_bytes().splitlines())
    return [line if part is None else line[part] for line in lines]


def judged(folder, store):
    """Inspection by inspection: how likely the model says that the next trip fails, by what was
    counted by then, and how likely it truly was."""
    (fitted,) = store_ask(store, lambda tx: learn(tx, 2**50))
    truth = {line["asset"]: line["checks"] for line in _lines(folder / "WEAR.jsonl")}
    found = store_ask(store, lambda tx: [*tx.every_inspection()])
    pairs, counted = [], []
    by_asset = {}
    for one in found:
        by_asset.setdefault(one.asset, []).append(one)
    for asset, inspections in by_asset.items():
        for told, true in zip(inspections, truth[asset], strict=True):
            counted.append((told.trips, true["trips"]))
            worn = true["worn"]
            rates = tuple(told.rates[name] for name in fitted.rates)
            pairs.append((fitted.model.p_fail(worn - 1, 1, rates), true["p"]))
    return fitted, pairs, counted


def store_ask(store, question):
    with store.reading() as tx:
        return question(tx)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wear")
    write_files(simulate(read_scenario(SCENARIO), lambda *_: None), folder, lambda *_: None)
    store = SqliteStore(folder / "retour.db")
    lived(folder, store)
    yield folder, store
    store.close()


def test_what_inspections_teach_is_near_to_what_is_true(world):
    folder, store = world
    fitted, pairs, counted = judged(folder, store)
    assert mean(told == true for told, true in counted) > 0.95
    assert fitted.model.failures >= 60
    assert fitted.model.borrowed == 0
    assert fitted.model.shape == pytest.approx(2.2, abs=0.6)
    assert mean(p for p, _ in pairs) == pytest.approx(mean(true for _, true in pairs), abs=0.02)
    assert mean(abs(p - true) for p, true in pairs) < 0.05


def test_who_is_knocked_about_fails_sooner_and_the_model_knows(world):
    folder, store = world
    fitted, _, _ = judged(folder, store)
    shock = dict(zip(fitted.rates, fitted.model.coefficients, strict=True))["shock"]
    assert shock == pytest.approx(-0.25 / 3, abs=0.05)  # a knock has 3 g beyond the class's bound


def test_the_world_that_wears_is_stored_soundly(world):
    _, store = world
    assert store_ask(store, verify).sound
