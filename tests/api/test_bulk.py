"""Many assets at once: what comes of it is what would come of them one by one."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from api.bulk import Batch, BulkAsset, Done, put_one
from tracker.audit import Act
from tracker.model import Asset, Fix, Read
from tracker.places import Standing
from tracker.ports import Writer
from tracker.registry import save_asset

NOON = 1_767_614_400_000
ACT = Act("key", NOON, NOON)
TAGS = ["E280", "E281", "E282"]
SUBJECTS = ["trk", "trk-2", *(f"tag:{tag}" for tag in TAGS)]
IDS = ["a", "b", "c", "d"]
PERIODS = [{}, {}, {"since": NOON}, {"since": 0}, {"since": NOON, "until": NOON + 9}, {"until": 5}]


def binding(subject: dict[str, str], period: dict[str, int], moves: bool) -> dict[str, Any]:
    return {**subject, **period, "moves": moves}


BINDINGS = st.builds(
    binding,
    st.sampled_from(
        [*({"tag": tag} for tag in TAGS), *({"device": id} for id in ("trk", "trk-2", "nobody"))]
    ),
    st.sampled_from([*PERIODS, {"since": NOON, "until": NOON}]),
    st.booleans(),
)
ITEMS = st.fixed_dictionaries(
    {"id": st.sampled_from(IDS)},
    optional={
        "class": st.sampled_from(["asset", "pallet"]),
        "home": st.sampled_from(["depot", "nowhere"]),
        "initial_stage": st.sampled_from(["ready", "in_use", "nowhere"]),
        "external_ids": st.sampled_from([{}, {"erp": "1"}, {"erp": "2"}, {"crm": "1"}]),
        "bindings": st.lists(BINDINGS, max_size=3),
    },
)


class Undone(Exception):
    """So that nothing stays of it."""


def outcome(world: Any, put: Callable[[Writer], list[Done]]) -> Any:
    """What is done, and all that is registered then."""
    with suppress(Undone), world.store.writing() as tx:
        done = put(tx)
        registered = {id: tx.assets_by_id([id]) for id in IDS}
        bound = dict(tx.bindings(SUBJECTS))
        changes = [change for _, change in tx.changes(None, 1_000)]
        found = {id: tx.labelled("id:erp", id) for id in ("1", "2")}
        places = {id: tx.belief(id) for id in IDS}
        told = tx.presents(IDS)
        raise Undone
    return done, registered, bound, changes, found, places, told


@pytest.fixture
def registered(world: Any) -> Any:
    """Something to meet: an asset with a tag, a device and what they saw, and an edge."""
    world.site("depot")
    world.device("gate", place=Standing(lat=51.9, lon=4.4))
    world.device("trk")
    world.device("trk-2")
    world.asset("a", devices=("trk",), tags=("tag:E280",))
    with world.store.writing() as tx:
        save_asset(tx, Asset("a", "pallet", external_ids={"erp": "1"}))
        tx.add_edge(1, NOON)
    world.tell("trk", 0, (NOON, Fix(51.9, 4.4)))
    world.tell("gate", 0, (NOON + 1, Read("tag:E280")), (NOON + 1, Read("tag:E281")))
    return world


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(bodies=st.lists(ITEMS, max_size=5))
@example([{"id": "b", "bindings": [{"tag": "E282"}]}, {"id": "b", "bindings": [{"tag": "E282"}]}])
@example([{"id": "b", "external_ids": {"erp": "2"}}, {"id": "c", "external_ids": {"erp": "2"}}])
@example([{"id": "a", "class": "pallet"}, {"id": "b", "external_ids": {"erp": "1"}}])
@example([{"id": "a", "class": "pallet", "external_ids": {"erp": "1"}, "home": "nowhere"}])
def test_many_are_put_as_they_would_be_one_by_one(
    registered: Any, bodies: list[dict[str, Any]]
) -> None:
    items = [BulkAsset.model_validate(body) for body in bodies]

    def at_once(tx: Writer) -> list[Done]:
        batch = Batch(tx, ACT, items)
        done = [batch.put(item) for item in items]
        batch.write()
        return done

    def one_by_one(tx: Writer) -> list[Done]:
        return [put_one(tx, ACT, item) for item in items]

    assert outcome(registered, at_once) == outcome(registered, one_by_one)


def test_many_new_ones_are_written_at_once_and_the_same_ones_not_at_all(
    registered: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = [BulkAsset(id=f"n{n}", bindings=[{"tag": f"AA{n:02}"}]) for n in range(20)]
    with registered.store.writing() as tx:
        written: list[int] = []
        put_assets = tx.put_assets
        monkeypatch.setattr(tx, "put_assets", lambda some: written.append(len(some)))
        batch = Batch(tx, ACT, items)
        assert {batch.put(item).outcome for item in items} == {"created"}
        monkeypatch.setattr(tx, "put_assets", put_assets)
        batch.write()
        again = Batch(tx, ACT, items)
        assert {again.put(item).outcome for item in items} == {"same"}
    assert written == []
