"""Processes in use: what changes for whom, and what is refused."""

import pytest

from tracker.audit import Act
from tracker.facts import BadFact, state
from tracker.follow import follow
from tracker.model import Asset, Fact
from tracker.process import read_process, shipped
from tracker.registry import Conflict, bind_device, register_asset
from tracker.verify import verify

ACT = Act("terminal somebody", 1_790_000_000_000, 1_790_000_000_000)
OWN = """\
process: crates
classes: [crate]
stages:
  home: {mean_h: 50, at: depot, next: {away: 1}}
  away: {mean_h: 100, at: customer, next: {home: 0.9, lost: 0.1}}
  lost: {mean_h: 5000, at: dark}
facts:
  inspected: {to: outcome, from: [home]}
"""
CRATES = read_process(OWN)


@pytest.fixture
def fleet(db, make):
    """A crate, a pallet and a keg, each seen once, and a crate that never was."""
    for n, class_ in enumerate(("crate", "pallet", "keg"), 1):
        db.register(f"trk-{n}")
        with db.store.writing() as tx:
            register_asset(tx, Asset(f"{class_}-1", class_))
            bind_device(tx, f"{class_}-1", f"trk-{n}")
        db.record(make.message(make.fix(), device=f"trk-{n}"))
    with db.store.writing() as tx:
        register_asset(tx, Asset("crate-2", "crate"))
    return db


def use(db, process):
    return db.do(follow, process, ACT)


def process_of(db, class_):
    with db.store.reading() as tx:
        return tx.inference().process_of(class_)


def test_what_follows_another_process_now_is_folded_again(fleet):
    assert use(fleet, CRATES) == {"crate": 1}
    assert fleet.stale() == {"crate-1"}
    assert process_of(fleet, "crate") == CRATES
    fleet.refresh(ACT.now)
    with fleet.store.reading() as tx:
        assert verify(tx).sound
    assert fleet.stale() == set()


def test_the_same_again_changes_nothing(fleet):
    use(fleet, CRATES)
    fleet.refresh(ACT.now)
    assert use(fleet, CRATES) is None
    assert fleet.stale() == set()
    with fleet.store.reading() as tx:
        assert len(tx.changes(None, 10, "process")) == 1


def test_the_audit_log_tells_who_and_what(fleet):
    changed = read_process(OWN.replace("mean_h: 50", "mean_h: 60"))
    use(fleet, CRATES)
    use(fleet, changed)
    with fleet.store.reading() as tx:
        (_, later), (_, first) = tx.changes(None, 10, "process")
    assert (first.by, first.action, first.subject) == (ACT.by, "create", "crates")
    assert (first.before, later.action) == (None, "change")
    assert later.before == first.after
    assert later.after["stages"]["home"]["mean_h"] == 60


def test_a_changed_default_touches_all_that_follow_it(fleet):
    """A class that no process names follows the default; a keg has one of its own."""
    default = shipped()["pallet-pool"].model_copy(update={"leak_per_h": 1e-3})
    assert use(fleet, default) == {"crate": 1, "pallet": 1}
    assert fleet.stale() == {"crate-1", "pallet-1"}


def test_a_class_that_is_added_touches_no_other(fleet):
    use(fleet, CRATES)
    fleet.refresh(ACT.now)
    more = CRATES.model_copy(update={"classes": ["crate", "keg"]})
    assert use(fleet, more) == {"keg": 1}
    assert fleet.stale() == {"keg-1"}
    fewer = CRATES.model_copy(update={"classes": ["keg"]})
    fleet.refresh(ACT.now)
    assert use(fleet, fewer) == {"crate": 1}
    assert process_of(fleet, "crate") == shipped()["pallet-pool"]


def test_a_class_follows_one_process(fleet):
    use(fleet, CRATES)
    other = read_process(OWN.replace("process: crates", "process: boxes"))
    with pytest.raises(Conflict, match="class crate follows the process crates: take it out"):
        use(fleet, other)
    assert process_of(fleet, "crate") == CRATES


def test_as_it_was_is_still_known(fleet):
    use(fleet, CRATES)
    with fleet.store.reading() as tx:
        assert tx.inference(ACT.now).process_of("crate") == CRATES
        assert tx.inference(ACT.now - 1).process_of("crate") == shipped()["pallet-pool"]


@pytest.mark.parametrize(
    ("asset", "stage"), [("crate-1", "repair"), ("pallet-1", "home"), ("keg-1", "inspection")]
)
def test_a_fact_that_names_a_stage_of_another_process_is_refused(fleet, make, asset, stage):
    use(fleet, CRATES)
    fact = Fact(asset, "inspected", stage, "f-1")
    with pytest.raises(BadFact, match=f"there is no stage '{stage}'"):
        fleet.do(state, [(fact, make.NOW)], make.POLICY, make.NOW)


def test_a_fact_that_names_one_of_its_own_is_taken(fleet, make):
    use(fleet, CRATES)
    fact = Fact("crate-1", "inspected", "home", "f-1")
    (stated,) = fleet.do(state, [(fact, make.NOW + 1)], make.POLICY, make.NOW + 1)
    assert stated.new
    assert fleet.belief("crate-1").standing.told.stage == "home"
    with fleet.store.reading() as tx:
        assert verify(tx).sound


def test_stages_keep_their_order(fleet):
    use(fleet, CRATES)
    assert list(process_of(fleet, "crate").stages) == list(CRATES.stages)
