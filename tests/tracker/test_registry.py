"""Registration and bindings: they claim what was observed before, and do nothing twice."""

import pytest

from tracker.fold import encode, fold
from tracker.model import Asset, Device
from tracker.places import Standing
from tracker.registry import (
    Conflict,
    Unregistered,
    bind_device,
    bind_tag,
    register_asset,
    register_device,
)

HEX = "3374257BF40C0E400000162E"


@pytest.fixture
def gate(db, here):
    """A database with a fixed reader and an asset that no tag is bound to yet."""
    db.register("gate-1", place=here)
    with db.store.writing() as tx:
        register_asset(tx, Asset("A1"))
    return db


def test_a_tag_bound_later_claims_its_earlier_reads(gate, make, here):
    gate.record(make.message(make.read(make.NOW + 1), make.read(make.NOW), device="gate-1"))
    assert gate.belief() is None
    with gate.store.writing() as tx:
        bind_tag(tx, "A1", HEX)
    belief = gate.belief()
    assert belief.observations == 2
    assert (belief.first.at, belief.last.at) == (make.NOW, make.NOW + 1)


def test_binding_before_and_after_the_reads_ends_in_the_same_belief(new_database, make, here):
    beliefs = []
    for bind_first in (True, False):
        db = new_database()
        db.register("gate-1", place=here)
        with db.store.writing() as tx:
            register_asset(tx, Asset("A1"))
            if bind_first:
                bind_tag(tx, "A1", HEX)
        db.record(make.message(make.read(), make.read(make.NOW + 5), device="gate-1"))
        if not bind_first:
            with db.store.writing() as tx:
                bind_tag(tx, "A1", HEX)
        beliefs.append(encode(db.belief()))
        db.store.close()
    assert beliefs[0] == beliefs[1]


def test_a_read_places_the_asset_where_the_reader_stands(gate, make, here):
    with gate.store.writing() as tx:
        bind_tag(tx, "A1", HEX)
    gate.record(make.message(make.read(), device="gate-1"))
    last = gate.belief().last
    assert (last.lat, last.lon, last.acc, last.source) == (here.lat, here.lon, here.acc, "read")


def test_a_tag_may_be_bound_by_number_or_urn(gate, make):
    with gate.store.writing() as tx:
        bind_tag(tx, "A1", HEX.lower())
        bind_tag(tx, "A1", make.TAG)
        assert len(tx.bindings([make.TAG])[make.TAG]) == 1


@pytest.mark.parametrize(("bind", "subject"), [(bind_tag, "tag:E280"), (bind_device, "gate-1")])
def test_a_subject_tells_about_one_asset_only(gate, bind, subject):
    with gate.store.writing() as tx:
        register_asset(tx, Asset("A2"))
        bind(tx, "A1", subject)
        bind(tx, "A1", subject)
        with pytest.raises(Conflict, match="bound to asset A1 already"):
            bind(tx, "A2", subject)
        assert len(tx.bindings([subject])[subject]) == 1


@pytest.mark.parametrize(
    ("bind", "asset", "subject", "missing"),
    [
        (bind_device, "A1", "nobody", "device nobody"),
        (bind_device, "A9", "gate-1", "asset A9"),
        (bind_tag, "A9", HEX, "asset A9"),
    ],
)
def test_what_is_bound_must_be_registered(gate, bind, asset, subject, missing):
    with gate.store.writing() as tx, pytest.raises(Unregistered, match=missing):
        bind(tx, asset, subject)


def test_what_is_no_tag_is_not_bound(gate):
    with gate.store.writing() as tx, pytest.raises(Conflict, match="no hexadecimal"):
        bind_tag(tx, "A1", "pallet 7")


def test_registering_again_changes_nothing(gate, make, here):
    gate.record(make.message(make.fix(), device="gate-1"))
    assert gate.register("gate-1", place=here) == 0
    with gate.store.writing() as tx:
        register_asset(tx, Asset("A1"))
    with gate.store.reading() as tx:
        assert tx.device("gate-1").device.first_received == make.NOW


@pytest.mark.parametrize(
    "other",
    [
        Device("gate-1", "tracker"),
        Device("gate-1", "reader", name="Gate 1"),
        Device("gate-1", "reader", rest_interval_s=60.0),
        Device("gate-1", "reader", recording=True),
    ],
)
def test_a_device_registered_otherwise_is_a_conflict(gate, make, other):
    with gate.store.writing() as tx, pytest.raises(Conflict, match="registered already"):
        register_device(tx, other, make.POLICY)


def test_an_asset_registered_otherwise_is_a_conflict(gate):
    with gate.store.writing() as tx, pytest.raises(Conflict, match="registered already"):
        register_asset(tx, Asset("A1", "trolley"))


def test_a_place_in_whole_degrees_is_stored_as_it_is_folded(db, make):
    """A belief is bit-identical whether its reader came from memory or from the database."""
    db.register("gate-1", place=Standing(lat=51, lon=4, acc=5), asset="A1")
    with db.store.writing() as tx:
        bind_tag(tx, "A1", HEX)
    db.record(make.message(make.read(), device="gate-1"))
    with db.store.reading() as tx:
        refolded = fold(None, tx.history("A1"), tx.settings(["A1"])["A1"]).belief
    assert encode(db.belief()) == encode(refolded)


def test_a_device_named_like_a_tag_does_not_speak_for_the_tags_asset(gate, make):
    with gate.store.writing() as tx:
        bind_tag(tx, "A1", "E280")
    try:
        gate.register("tag:E280")
    except (Conflict, ValueError):
        return
    gate.record(make.message(make.fix(), device="tag:E280"))
    assert gate.belief() is None
