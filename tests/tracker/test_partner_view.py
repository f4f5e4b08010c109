"""What a partner sees of an asset, and when: only while it has it."""

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.asset_ports import AssetFilter
from tracker.facts import state
from tracker.fold import Belief, Place
from tracker.leases import End, Lease, Line, Partner, ends_at, starts_at
from tracker.model import Asset, Fact
from tracker.partner_view import NotForPartners, PartnerView, known_since, seen_back
from tracker.registry import register_asset
from tracker.stamps import StampPolicy
from tracker.whereabouts import Moment, Stay, Turn, Whereabouts

DAY = 86_400_000
FIRST = date(2026, 1, 1)
START = starts_at(FIRST, "UTC")


def day(n: float) -> int:
    """So many days after the first day began."""
    return START + int(n * DAY)


def line(lease: str, start: int, due: int, ended: End | None = None, id: str = "1") -> Line:
    days = [FIRST + timedelta(days=n) for n in (start, due)]
    times = (starts_at(days[0], "UTC"), ends_at(days[1], "UTC"))
    return Line(lease, id, "A1", None, *days, *times, ended)


def lease(customer: str, *lines: Line, consignees: tuple[str, ...] = ()) -> Lease:
    return Lease(lines[0].lease, customer, ("s",), "UTC", consignees=consignees, lines=lines)


def put(db: Any, *leases: Lease, facts: tuple[tuple[float, str], ...] = ()) -> None:
    with db.store.writing() as tx:
        register_asset(tx, Asset("A1", "pallet", initial_stage="ready"))
        for partner in ("acme", "bolt"):
            tx.put_partner(Partner(partner))
        for one in leases:
            tx.put_lease(one)
        for n, (at, kind) in enumerate(facts):
            fact = Fact("A1", kind, id=f"f{n}")
            state(tx, [(fact, day(at))], StampPolicy(), day(at))


def seen_by(db: Any, partner: str, now: float) -> bool:
    """Whether a partner sees the asset; by itself and in the listing alike."""
    with db.store.reading() as reader:
        view = PartnerView(reader, Partner(partner), day(now))
        alone = view.asset("A1") is not None
        assert [one.id for one in view.assets(AssetFilter(), "", 9)] == (["A1"] if alone else [])
        assert {*view.placed(["A1"])} <= ({"A1"} if alone else set())
        assert {*view.presents(["A1"])} <= ({"A1"} if alone else set())
    return alone


OUT = ((1.2, "lease_started"),)
BACK = (*OUT, (3, "received"))
RETURNED = End("returned", day(4))


@pytest.mark.parametrize(
    ("leases", "facts", "now", "seers"),
    [
        # Before the line begins, and from its first moment on, overdue included.
        ([lease("acme", line("L1", 1, 5))], (), 0.9, set()),
        ([lease("acme", line("L1", 1, 5))], (), 1, {"acme"}),
        ([lease("acme", line("L1", 1, 5))], OUT, 9, {"acme"}),
        # Back, although its line is open on paper: what it does at the depot is not theirs.
        ([lease("acme", line("L1", 1, 5))], BACK, 3.5, set()),
        # Ended on paper, however, although it was never seen back.
        ([lease("acme", line("L1", 1, 5, RETURNED))], OUT, 4.5, set()),
        ([lease("acme", line("L1", 1, 5, End("cancelled", day(2))))], (), 3, set()),
        ([lease("acme", line("L1", 1, 5, End("swapped", day(2))))], OUT, 3, set()),
        # A later line of another partner.
        (
            [lease("acme", line("L1", 1, 3, RETURNED)), lease("bolt", line("L2", 5, 8))],
            OUT,
            4.5,
            set(),
        ),
        (
            [lease("acme", line("L1", 1, 3, RETURNED)), lease("bolt", line("L2", 5, 8))],
            OUT,
            6,
            {"bolt"},
        ),
        # Both open on paper: whose began last has it, even before the other one is known back.
        ([lease("acme", line("L1", 1, 3)), lease("bolt", line("L2", 5, 8))], OUT, 4, {"acme"}),
        ([lease("acme", line("L1", 1, 3)), lease("bolt", line("L2", 5, 8))], OUT, 6, {"bolt"}),
        # One that began last and was cancelled took nothing away; one that began at once did.
        (
            [
                lease("acme", line("L1", 1, 9)),
                lease("bolt", line("L2", 3, 8, End("cancelled", day(4)))),
            ],
            OUT,
            6,
            {"acme"},
        ),
        ([lease("acme", line("L1", 1, 9)), lease("bolt", line("L2", 1, 8))], OUT, 6, set()),
        # Leased again to the same one, and again to another one.
        (
            [lease("acme", line("L1", 1, 3, RETURNED), line("L1", 5, 9, id="2"))],
            BACK,
            6,
            {"acme"},
        ),
        # Whoever may have it besides does not see it: the order is another one's.
        ([lease("acme", line("L1", 1, 5), consignees=("bolt",))], OUT, 2, {"acme"}),
    ],
)
def test_only_while_leased(
    db: Any, leases: list[Lease], facts: Any, now: float, seers: set[str]
) -> None:
    put(db, *leases, facts=facts)
    assert {who for who in ("acme", "bolt", "other") if seen_by(db, who, now)} == seers


SPELLS = st.lists(
    st.tuples(
        st.sampled_from(["acme", "bolt"]),
        st.integers(0, 8),
        st.integers(0, 4),
        st.sampled_from([None, *(End(how, day(6)) for how in ("returned", "cancelled"))]),
    ),
    max_size=4,
)


@given(SPELLS, st.sampled_from([(), OUT, BACK]), st.floats(0, 14))
@settings(max_examples=60, deadline=None)
def test_at_any_time_one_partner_at_most_sees_it(
    new_database: Any, spells: Any, facts: Any, now: float
) -> None:
    db = new_database()
    lines = [
        line(f"L{n}", start, start + days, end) for n, (_, start, days, end) in enumerate(spells)
    ]
    put(db, *(lease(who, one) for (who, *_), one in zip(spells, lines, strict=True)), facts=facts)
    seers = {who for who in ("acme", "bolt") if seen_by(db, who, now)}
    open_ = {
        who
        for (who, *_), one in zip(spells, lines, strict=True)
        if one.start_at <= day(now) and one.ended is None
    }
    assert seers <= open_
    assert len(seers) <= 1
    db.store.close()


def test_what_nobody_has_thought_of_is_refused(db: Any) -> None:
    with db.store.reading() as reader:
        view = PartnerView(reader, Partner("acme"), START)
        asked = {name for name in dir(reader) if not name.startswith("_")}
        closed = {name for name in asked if name not in vars(PartnerView)}
        assert {"log", "transitions", "facts", "audit", "api_keys", "located"} & asked <= closed
        for name in closed:
            with pytest.raises(NotForPartners):
                getattr(view, name)


def place(at: int) -> Place:
    return Place(51.9, 4.4, None, at, "fix", "trk-1", "k")


@pytest.mark.parametrize(
    ("start", "last", "stay", "turn"),
    [(30, 50, 30, 45), (42, 50, None, 45), (48, 50, None, None), (60, None, None, None)],
)
def test_of_a_belief_what_was_before_is_cut_off(
    start: int, last: int | None, stay: int | None, turn: int | None
) -> None:
    stood = Stay("other", 10, "entered", 40, Moment(10, "k"))
    where = Whereabouts(45, stood, Turn("s", 45, False))
    found = known_since(start, Belief("A1", 3, 60, "k", place(10), place(50), where))
    assert found is not None
    assert (found.first, found.last.at if found.last else None) == (None, last)
    there = found.whereabouts
    assert there.stay is None if stay is None else there.stay and there.stay.since == stay
    assert (there.turn.at if there.turn else None) == turn


def test_of_a_belief_of_before_there_is_nothing() -> None:
    assert known_since(61, Belief("A1", 3, 60, "k", place(10), place(50))) is None


def test_a_stage_of_before_is_told_since_the_line_began(db: Any) -> None:
    put(db, lease("acme", line("L1", 2, 5)), facts=OUT)
    with db.store.reading() as reader:
        found = PartnerView(reader, Partner("acme"), day(3)).presents(["A1"])
    assert found["A1"].told[:2] == ("in_use", day(2))


@pytest.mark.parametrize(("others", "back"), [((), {"1": day(7)}), ((line("L2", 5, 8),), {})])
def test_a_return_from_a_later_line_is_not_told(db: Any, others: Any, back: Any) -> None:
    own = lease("acme", line("L1", 1, 3, RETURNED))
    put(db, own, *(lease("bolt", one) for one in others), facts=(*OUT, (7, "received")))
    with db.store.reading() as reader:
        assert seen_back(reader, own) == {"1": day(7)}
        view: Any = PartnerView(reader, Partner("acme"), day(8))
        assert seen_back(view, own) == back
