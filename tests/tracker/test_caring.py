"""What people tell of assets' lives: inspections, decisions, work, parts; on both databases."""

from dataclasses import replace

import pytest

from tracker.ageing import age, learn
from tracker.asset_class import AssetClass, Limits, Route, Wear
from tracker.audit import Act
from tracker.caring import Decided, NoRoute, decide, inspect
from tracker.class_book import UnknownClass, class_of, drop_class, put_class
from tracker.end_of_life import triggers
from tracker.facts import BadFacts
from tracker.inspection import BadFinding, Fault, Inspection
from tracker.life_ports import LifeFilter
from tracker.living import life_of
from tracker.model import Asset
from tracker.registry import Conflict, Outdated, Unregistered, register_asset, save_asset
from tracker.rules import shipped
from tracker.stamps import DAY, StampPolicy
from tracker.stores.postgresql import PostgresqlStore
from tracker.taught import Learned
from tracker.upkeep import Budget, Defect, Plan
from tracker.verify import verify
from tracker.watching import InForce, look
from tracker.work import BadWork, Done, Lot, Order, Put, Taken
from tracker.working import change_order, close_order, open_order

NOW = 1_790_000_000_000
HOUR = 3_600_000
POLICY = StampPolicy()
ME = Act("me", NOW, NOW)
CLASS = AssetClass(
    id="asset",
    margin_per_cycle=10,
    limits=Limits(cycles=3),
    wear=Wear(cycles=60, shape=2),
    budget=Budget(cycles=100),
    service=[Plan(id="check", every_cycles=5)],
    defects=[Defect(code="cracked", text="Cracked", grade="D", fails=True)],
    routes=[
        Route(id="restock", kind="restock"),
        Route(id="repair", kind="repair", cost=500, restores=0.5, renews=True),
        Route(id="scrap", kind="recycle"),
        Route(id="dump", kind="dispose", forbidden="not in this country"),
    ],
)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.system)])
def db(request, new_database, database_of):
    if request.param == "sqlite":
        made = new_database()
    else:
        made = database_of(PostgresqlStore(request.getfixturevalue("new_postgresql")()))
    made.register("trk-1", asset="A1")
    made.do(put_class, CLASS, ME)
    yield made
    made.store.close()


def trips(db, make, number, first=0):
    """Trips of two hours each, a day apart, the last of them just now."""
    facts = []
    for n in range(first, first + number):
        at = NOW - (30 - n) * DAY
        kinds = ("dispatched", "lease_started", "collected", "received")
        facts += [make.fact(at + k * HOUR, kind) for k, kind in enumerate(kinds)]
    db.record(make.message(*facts, seq=first, received=NOW))


def inspected(db, id="i1", at=NOW, **found):
    return db.do(inspect, id, "A1", at, Inspection(**found), ME, POLICY)


class TestClasses:
    def test_a_class_is_kept_changed_and_forgotten(self, db):
        assert db.ask(class_of, "asset").class_ == CLASS
        assert db.do(put_class, CLASS, ME).version == 1  # the same again
        dearer = CLASS.model_copy(update={"price": 7.0})
        assert db.do(put_class, dearer, ME).version == 2
        with pytest.raises(Outdated):
            db.do(put_class, CLASS, ME, 1)
        db.do(drop_class, "asset", ME)
        with pytest.raises(UnknownClass):
            db.ask(class_of, "asset")

    def test_without_its_class_nothing_is_judged(self, db):
        db.do(drop_class, "asset", ME)
        assert db.ask(life_of, "A1", NOW) is None
        with pytest.raises(UnknownClass):
            inspected(db)


class TestInspections:
    def test_the_same_again_changes_nothing_and_another_one_is_a_conflict(self, db):
        made, is_new = inspected(db, defects=[Fault(code="cracked")])
        assert is_new
        assert (made.judged.grade, made.judged.failed) == ("D", True)
        assert inspected(db, defects=[Fault(code="cracked")]) == (made, False)
        with pytest.raises(Conflict):
            inspected(db)
        assert db.ask(lambda tx: tx.inspections_of(["A1"])) == {"A1": [made]}

    def test_what_is_refused_leaves_nothing(self, db):
        with pytest.raises(BadFinding):
            inspected(db, defects=[Fault(code="melted")])
        with pytest.raises(Unregistered):
            db.do(inspect, "i2", "nobody", NOW, Inspection(), ME, POLICY)
        assert db.ask(lambda tx: tx.inspections_of(["A1", "nobody"])) == {}

    def test_an_outcome_moves_the_stage(self, db, make):
        trips(db, make, 1)
        inspected(db, at=NOW - HOUR, outcome="repair")
        told = db.ask(lambda tx: tx.presents(["A1"]))["A1"]
        assert told.told.stage == "repair"
        assert db.ask(verify).sound

    def test_one_of_an_asset_that_is_elsewhere_is_taken_and_flagged(self, db, make):
        facts = [make.fact(NOW - 9 * HOUR, "dispatched"), make.fact(NOW - HOUR, "lease_started")]
        db.record(make.message(*facts))
        made, _ = inspected(db)
        assert made.flags == ("elsewhere: by telemetry it is in_use",)
        assert db.ask(lambda tx: tx.inspection("i1")).flags == made.flags


class TestDecisions:
    def test_what_is_recommended_needs_no_reason_and_anything_else_does(self, db):
        taken, is_new = db.do(decide, "d1", "A1", "restock", 0, None, ME, POLICY)
        assert (is_new, taken.number, taken.overrides) == (True, 1, False)
        with pytest.raises(NoRoute, match="restock is recommended"):
            db.do(decide, "d2", "A1", "scrap", 1, None, ME, POLICY)
        other, _ = db.do(decide, "d2", "A1", "scrap", 1, "too old", ME, POLICY)
        assert (other.overrides, other.reason) == (True, "too old")
        assert other.best > other.value

    def test_of_two_at_once_the_second_is_refused(self, db):
        db.do(decide, "d1", "A1", "restock", 0, None, ME, POLICY)
        with pytest.raises(Decided, match="decision 1 about A1"):
            db.do(decide, "d2", "A1", "restock", 0, None, ME, POLICY)
        again, is_new = db.do(decide, "d1", "A1", "restock", 0, None, ME, POLICY)
        assert (again.number, is_new) == (1, False)
        assert len(db.ask(lambda tx: tx.decisions_of(["A1"]))["A1"]) == 1

    def test_what_must_not_be_is_refused_whoever_wants_it(self, db):
        with pytest.raises(NoRoute, match="not in this country"):
            db.do(decide, "d1", "A1", "dump", 0, "because", ME, POLICY)
        with pytest.raises(NoRoute, match="no route 'repaint'"):
            db.do(decide, "d1", "A1", "repaint", 0, "because", ME, POLICY)


class TestAgain:
    def test_an_inspection_without_an_outcome_has_its_time_too(self, db):
        """One of the future would be the last one whatever is found until then."""
        with pytest.raises(BadFacts, match="in the future"):
            inspected(db, at=NOW + DAY)

    def test_the_same_inspection_changes_nothing_though_its_class_does(self, db):
        cracked = {"defects": [Fault(code="cracked")]}
        first, _ = inspected(db, **cracked)
        db.do(put_class, CLASS.model_copy(update={"defects": []}), ME)
        assert inspected(db, **cracked) == (first, False)
        db.do(drop_class, "asset", ME)
        assert inspected(db, **cracked) == (first, False)

    def test_an_id_is_one_decision_s_about_one_asset_for_one_reason(self, db):
        db.do(register_asset, Asset("A2", "asset"))
        db.do(decide, "d1", "A1", "scrap", 0, "old", ME, POLICY)
        for asset, reason in (("A2", "old"), ("A1", "ugly")):
            with pytest.raises(Conflict, match="another decision"):
                db.do(decide, "d1", asset, "scrap", 0, reason, ME, POLICY)


def order(id="w1", kind="repair", asset="A1", **fields):
    return Order(id, asset, kind, NOW - HOUR, "me", **({"done": Done()} | fields))


class TestWork:
    def test_a_repair_begins_goes_on_ends_and_renews(self, db, make):
        trips(db, make, 2)
        inspected(db, at=NOW - 2 * HOUR, defects=[Fault(code="cracked")])
        assert db.ask(life_of, "A1", NOW).condition().failed
        assert db.do(open_order, order(route="repair"), ME, POLICY)[1]
        assert not db.do(open_order, order(route="repair"), ME, POLICY)[1]
        done = Done(put=[Put(name="motor", cost=45)], minutes=50, cost=10)
        changed = db.do(change_order, "w1", done, ME, 1)
        assert (changed.version, changed.spent) == (2, 55)
        closed = db.do(close_order, "w1", "done", NOW, "ready", ME, POLICY, 2)
        assert db.ask(lambda tx: tx.order("w1")) == closed
        assert closed.hours == db.ask(life_of, "A1", NOW).worn.hours > 0
        assert (closed.trips, closed.result) == (2, "done")
        life = db.ask(life_of, "A1", NOW)
        assert not life.condition().failed
        assert life.condition().worn == 1  # half of two
        for at in (NOW, None):  # told again, for the answer was lost
            assert db.do(close_order, "w1", "done", at, "ready", ME, POLICY, 2) == closed
        for other in (("cancelled", NOW), ("done", NOW - HOUR)):
            with pytest.raises(Conflict, match="is closed"):
                db.do(close_order, "w1", *other, "ready", ME, POLICY)
        with pytest.raises(Conflict, match="is closed"):
            db.do(change_order, "w1", Done(), ME)
        told = db.ask(lambda tx: tx.presents(["A1"]))["A1"]
        assert told.told.stage == "ready"
        assert db.ask(verify).sound

    @pytest.mark.parametrize(
        ("wrong", "path"),
        [
            ({"route": "repaint"}, ("route",)),
            ({"plan": "oil"}, ("plan",)),
            ({"done": Done(put=[Put(name="x", asset="A1")])}, ("put", 0, "asset")),
            ({"done": Done(put=[Put(name="x", asset="a/b")])}, ("put", 0, "asset")),
            ({"done": Done(taken=[Taken(name="x", asset="P", count=2)])}, ("taken", 0, "count")),
        ],
    )
    def test_what_cannot_be_is_refused(self, db, wrong, path):
        with pytest.raises(BadWork) as refused:
            db.do(open_order, order(**wrong), ME, POLICY)
        assert refused.value.path == path
        assert db.ask(lambda tx: tx.order("w1")) is None

    def test_a_service_counts_for_its_plan(self, db, make):
        trips(db, make, 5)
        assert "service_due:check" in found(db)
        db.do(open_order, order(kind="service", plan="check"), ME, POLICY)
        db.do(close_order, "w1", "done", NOW, None, ME, POLICY)
        assert "service_due:check" not in found(db)

    def test_dismantling_makes_parts_that_carry_their_history_on(self, db):
        db.do(register_asset, Asset("A2", "asset"))
        taken = Done(
            taken=[Taken(name="motor", asset="M1", **{"class": "motor"})],
            lots=[Lot(material="steel", kg=3.2, receiver="scrap-co", certificate="R-1")],
        )
        db.do(open_order, order(kind="dismantle", done=taken), ME, POLICY)
        db.do(close_order, "w1", "done", NOW, "recycle", ME, POLICY)
        assert db.ask(lambda tx: tx.asset("M1")).class_ == "motor"
        put = Done(put=[Put(name="motor", asset="M1")])
        db.do(open_order, order("w2", asset="A2", done=put), ME, POLICY)
        db.do(close_order, "w2", "done", NOW + 5, None, ME, POLICY)
        kin = db.ask(lambda tx: tx.kin_of(["M1"]))
        assert [(one.asset, one.since, one.until) for one in kin] == [
            ("A1", None, NOW),
            ("A2", NOW + 5, None),
        ]
        assert db.ask(lambda tx: tx.kin_of(["A1"])) == kin[:1]
        db.do(open_order, order("w3", done=put), ME, POLICY)
        with pytest.raises(Conflict, match="M1 is in A2"):
            db.do(close_order, "w3", "done", NOW + 9, None, ME, POLICY)
        assert [one.id for one in db.ask(lambda tx: tx.orders(True, "", 9))] == ["w3"]
        assert db.ask(lambda tx: tx.kin_of(["M1"])) == kin

    def test_work_of_a_kind_that_is_no_stage_has_its_time_too(self, db):
        late = order(kind="service", plan="check")._replace(opened=NOW + DAY)
        with pytest.raises(BadFacts, match="in the future"):
            db.do(open_order, late, ME, POLICY)
        db.do(open_order, late._replace(opened=NOW), ME, POLICY)
        with pytest.raises(BadFacts, match="in the future"):
            db.do(close_order, "w1", "done", NOW + DAY, None, ME, POLICY)

    def test_the_same_id_with_another_route_is_another_order(self, db):
        db.do(open_order, order(route="repair"), ME, POLICY)
        with pytest.raises(Conflict, match="another work order"):
            db.do(open_order, order(route="restock"), ME, POLICY)

    def test_work_of_a_class_that_is_not_known_yet_tells_its_trips(self, db, make):
        trips(db, make, 2)
        db.do(drop_class, "asset", ME)
        db.do(open_order, order(), ME, POLICY)
        assert db.do(close_order, "w1", "done", NOW, None, ME, POLICY).trips == 2
        db.do(put_class, CLASS, ME)
        assert db.ask(life_of, "A1", NOW).worn_trips == 1

    def test_a_part_cannot_be_taken_out_of_where_it_is_not_nor_before_it_was_there(self, db):
        for asset in ("A2", "M1"):
            db.do(register_asset, Asset(asset, "asset"))
        put = Done(put=[Put(name="motor", asset="M1")])
        take = Done(taken=[Taken(name="motor", asset="M1")])
        db.do(open_order, order("w1", asset="A2", done=put), ME, POLICY)
        db.do(close_order, "w1", "done", NOW, None, ME, POLICY)
        kin = db.ask(lambda tx: tx.kin_of(["M1"]))
        db.do(open_order, order("w2", done=take), ME, POLICY)
        with pytest.raises(Conflict, match="M1 is in A2"):
            db.do(close_order, "w2", "done", NOW, None, ME, POLICY)
        db.do(open_order, order("w3", asset="A2", done=take), ME, POLICY)
        with pytest.raises(BadWork, match="was put in at"):
            db.do(close_order, "w3", "done", NOW - 5, None, ME, POLICY)
        assert db.ask(lambda tx: tx.kin_of(["M1"])) == kin
        db.do(close_order, "w3", "done", NOW + 9, None, ME, POLICY)
        db.do(open_order, order("w4", done=put), ME, POLICY)
        with pytest.raises(BadWork, match="was taken out at"):
            db.do(close_order, "w4", "done", NOW + 5, None, ME, POLICY)

    def test_a_part_that_nobody_registered_cannot_be_put_in(self, db):
        put = Done(put=[Put(name="seal"), Put(name="motor", asset="ghost")])
        with pytest.raises(BadWork, match="ghost") as refused:
            db.do(open_order, order(done=put), ME, POLICY)
        assert refused.value.path == ("put", 1, "asset")
        db.do(open_order, order(), ME, POLICY)
        with pytest.raises(BadWork, match="ghost"):
            db.do(change_order, "w1", put, ME)
        assert db.ask(lambda tx: tx.order("w1")).done == Done()

    def test_a_part_that_was_put_back_without_a_word_is_taken_out_again(self, db):
        take = Done(taken=[Taken(name="motor", asset="M1")])
        for n in (1, 2):
            db.do(open_order, order(f"w{n}", done=take), ME, POLICY)
            db.do(close_order, f"w{n}", "done", NOW + n, None, ME, POLICY)
        kin = db.ask(lambda tx: tx.kin_of(["M1"]))
        assert [(one.since, one.until, one.order) for one in kin] == [
            (None, NOW + 1, "w1"),
            (NOW + 1, NOW + 2, "w2"),
        ]

    def test_nothing_is_put_into_what_is_in_it(self, db):
        for asset in ("A2", "A3"):
            db.do(register_asset, Asset(asset, "asset"))
        for n, (inner, outer) in enumerate((("A2", "A1"), ("A3", "A2"), ("A1", "A3"))):
            put = Done(put=[Put(name="part", asset=inner)])
            db.do(open_order, order(f"w{n}", asset=outer, done=put), ME, POLICY)
            if n < 2:
                db.do(close_order, f"w{n}", "done", NOW + n, None, ME, POLICY)
        with pytest.raises(Conflict, match="A3 is in A1"):
            db.do(close_order, "w2", "done", NOW + 9, None, ME, POLICY)


def found(db):
    return [one.name for one in triggers(db.ask(life_of, "A1", NOW))]


def alerts(db, now=NOW):
    events = db.do(look, ["A1"], now, InForce.of(shipped(), Learned()))
    return {(one.alert.rule, one.kind): one.alert for one in events}


def due(db, now):
    return db.ask(lambda tx: tx.timers(now, 9))


class TestAlerts:
    def test_a_limit_that_is_reached_raises_one_alert_with_its_figures(self, db, make):
        trips(db, make, 2)
        assert ("end_of_life", "opened") not in alerts(db)
        trips(db, make, 1, first=2)
        raised = alerts(db)[("end_of_life", "opened")]
        assert raised.why["told"] == "Its limit of 3 cycles is reached: it has done 3."
        assert raised.why["figures"] == [
            {"found": "limit_reached", "by": "cycles", "trips": 3, "limit": 3.0}
        ]
        assert ("end_of_life", "opened") not in alerts(db, NOW + HOUR)  # one alert, not two

    def test_a_service_by_hours_is_told_of_an_asset_in_use_of_which_nothing_is_heard(
        self, db, make
    ):
        class_ = CLASS.model_copy(update={"service": [Plan(id="oil", every_hours=12)]})
        db.do(put_class, class_, ME)
        db.record(make.message(make.fact(NOW - HOUR, "lease_started", "A1")))
        assert ("service_due", "opened") not in alerts(db)
        (at,) = db.ask(lambda tx: tx.timers_of(["A1"])).values()
        assert NOW + 10 * HOUR <= at <= NOW + 12 * HOUR
        raised = alerts(db, NOW + 13 * HOUR)[("service_due", "opened")]
        assert raised.why["figures"][0]["hours"] >= 12

    def test_a_limit_that_moves_ends_it(self, db, make):
        trips(db, make, 3)
        assert ("end_of_life", "opened") in alerts(db)
        looser = CLASS.model_copy(update={"limits": Limits(cycles=4)})
        db.do(put_class, looser, ME)
        assert ("end_of_life", "resolved") in alerts(db, NOW + HOUR)

    def test_what_is_said_anew_of_an_asset_or_its_class_is_looked_at_though_nothing_is_heard(
        self, db, make
    ):
        """A silent asset has no other occasion."""
        trips(db, make, 2)
        alerts(db)
        assert not due(db, NOW + HOUR)
        said = {"retire_by": "2026-01-01"}
        db.do(save_asset, Asset("A1", "asset", attributes=said), ME)
        assert due(db, NOW)
        assert ("end_of_life", "opened") in alerts(db)
        db.do(save_asset, Asset("A1", "asset"), ME)
        assert ("end_of_life", "resolved") in alerts(db)
        db.do(register_asset, Asset("B1", "other"))
        alerts(db)
        db.do(put_class, CLASS.model_copy(update={"limits": Limits(cycles=2)}), ME)
        assert due(db, NOW + HOUR) == ["A1"]
        assert ("end_of_life", "reopened") in alerts(db)
        db.do(drop_class, "asset", ME)
        assert due(db, NOW + HOUR) == ["A1"]
        assert ("end_of_life", "resolved") in alerts(db)

    def test_a_service_is_told_by_a_rule_of_its_own(self, db, make):
        trips(db, make, 5)
        assert ("service_due", "opened") in alerts(db)


def swept(db):
    return db.ask(lambda tx: [*age(tx, NOW)])


class TestAgeing:
    def test_a_sweep_finds_who_has_spent_the_most(self, db, make):
        db.do(register_asset, Asset("A2", "asset"))
        db.do(register_asset, Asset("B1", "other"))
        trips(db, make, 2)
        for one in swept(db):
            db.do(lambda tx, one=one: tx.save_spent(one.spent, one.gone))
        first, *rest = db.ask(lambda tx: tx.spent(LifeFilter(), None, 9))
        assert (first.asset, first.because) == ("A1", "limit_cycles")
        assert first.spent == pytest.approx(2 / 3)
        assert [one.asset for one in rest] == ["A2"]
        assert [(len(one.spent), one.gone) for one in swept(db)] == [(0, [])]
        after = (first.spent, first.asset)
        assert db.ask(lambda tx: tx.spent(LifeFilter(), after, 9)) == rest
        assert db.ask(lambda tx: tx.spent(LifeFilter(least=0.5), None, 9)) == [first]
        moved = db.ask(lambda tx: tx.asset(rest[0].asset))
        db.do(save_asset, replace(moved, class_="nobody_knows"), ME)
        assert db.ask(lambda tx: tx.spent(LifeFilter(), None, 9)) == [first, *rest[1:]]
        db.do(lambda tx: tx.forget_spent(["other"]))
        assert db.ask(lambda tx: tx.spent(LifeFilter(), None, 9)) == []

    def test_a_sweep_tells_what_another_model_foretells_though_a_limit_ends_the_life(
        self, db, make
    ):
        trips(db, make, 2)
        for cycles in (60, 600, None):
            wear = None if cycles is None else Wear(cycles=cycles, shape=2)
            db.do(put_class, CLASS.model_copy(update={"wear": wear}), ME)
            for one in swept(db):
                db.do(lambda tx, one=one: tx.save_spent(one.spent, one.gone))
            (told,) = db.ask(lambda tx: tx.spent(LifeFilter(), None, 9))
            model = db.ask(life_of, "A1", NOW).model
            assert told.because == "limit_cycles"
            assert told.p_fail == (model and pytest.approx(model.p_fail(2, 1, (0, 0, 0))))
            assert [len(one.spent) for one in swept(db)] == [0]

    def test_failures_that_inspections_find_teach_a_model(self, db, make):
        for n in range(40):
            db.register(f"t{n}", asset=f"L{n}")
            facts = [
                make.fact(NOW - (20 - 5 * t) * DAY + k * HOUR, kind, f"L{n}")
                for t in range(1 + n % 3)
                for k, kind in enumerate(("dispatched", "lease_started", "collected", "received"))
            ]
            db.record(make.message(*facts, device=f"t{n}"))
            if n % 2:
                failed = Inspection(defects=[Fault(code="cracked")])
                db.do(inspect, f"i{n}", f"L{n}", NOW, failed, ME, POLICY)
        (learned,) = db.ask(learn, NOW)
        assert (learned.class_, learned.number, learned.model.failures) == ("asset", 1, 20)
        assert learned.model.lives == 40  # A1 has done nothing
        db.do(lambda tx: tx.add_model(learned))
        assert db.ask(lambda tx: tx.models("asset")) == [learned]
        assert db.ask(learn, NOW + DAY) == []  # nothing has failed since
        assert db.ask(life_of, "L1", NOW).model == learned.model

    def test_a_single_failure_of_a_class_without_a_maker_s_word_teaches_nothing_yet(self, db, make):
        """There is no curve through one point; and the other classes are looked at all the same."""
        db.do(put_class, CLASS.model_copy(update={"wear": None}), ME)
        trips(db, make, 2)
        inspected(db, defects=[Fault(code="cracked")])
        assert db.ask(learn, NOW) == []
