"""Figures from sums: never nonsense, little from little, and what a down reader does not tell."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.case import Cadence
from tracker.estimate import figures_of, of_cycle, of_reader, of_tracker, told
from tracker.intervals import Usual
from tracker.model import Read
from tracker.places import Reader
from tracker.process import Rfid, shipped
from tracker.stamps import HOUR
from tracker.tally import OfReader

PROCESSES = shipped()
STATED = Reader(device="r", zone="z", cycle_s=900, miss=0.2, stray=0.1)


def seen(lay, reads):
    """Tags lay (hour, own, beside); reads came (hour, own, stray, dBm, answers)."""
    found = OfReader()
    for hour, own, beside in lay:
        found.lie(np.array([hour]), np.array([[own, beside]]))
    for hour, own, stray, rssi, count in reads:
        found.read(hour * HOUR, Read("tag", 1, rssi, count), own, stray, "pallet-pool")
    return found


def estimates(reader, found, cycle_s=900.0):
    return {one.figure: one for one in of_reader(reader, cycle_s, found, PROCESSES)}


def test_without_anything_seen_nothing_is_told():
    assert estimates(STATED, seen([], [])) == {}
    assert [*of_cycle(STATED, None)] == []
    assert [*of_tracker("t", Cadence(60.0, None), None, None)] == []


def test_much_moves_a_figure_to_what_was_seen_and_little_leaves_it_about_where_it_was():
    hours = range(200)  # four inventories an hour, of which half read it
    much = [(hour, 1, 0, -62.0 + side, 3) for hour in hours for side in (-4, 4)]
    found = estimates(STATED, seen([(hour, 1, 0) for hour in hours], much))
    assert found["miss"].new == pytest.approx(0.5, abs=0.01)
    assert found["rssi"].new == pytest.approx((-62, 4), abs=0.2)
    assert found["count"].new == pytest.approx(3, abs=0.05)
    assert all(found[name].differs for name in ("miss", "rssi", "count"))
    assert not found["stray"].differs

    little = estimates(STATED, seen([(0, 1, 0)], much[:1]))
    assert little["miss"].new == pytest.approx(0.2, abs=0.1)
    assert not any(one.differs for one in little.values())


def test_hours_without_a_read_where_many_were_due_do_not_count():
    up = [hour for hour in range(100) if not 40 <= hour < 52]
    reads = [(hour, 1, 0, -55.0, 6) for hour in up for _ in range(3)]
    every = [(hour, 1, 0) for hour in range(100)]
    own, _ = seen(every, reads).lain()
    assert own == pytest.approx(len(up))
    assert estimates(STATED, seen(every, reads))["miss"].new == pytest.approx(0.25, abs=0.01)


def test_where_more_was_read_than_there_were_inventories_the_rates_are_left_alone():
    """Then the time between them is wrong, and so would be all that is counted by it."""
    found = seen([(hour, 1, 0) for hour in range(100)], [(h, 1, 0, -55.0, 6) for h in range(100)])
    assert {"miss", "stray"} & estimates(STATED, found, cycle_s=7_200.0).keys() == set()
    assert {"miss", "stray"} & estimates(STATED, found, cycle_s=None).keys() == set()


def test_a_cadence_is_told_where_both_intervals_are_known_by_then():
    rest, moving = Usual(14_400.0, 10.0, 50), Usual(1_800.0, 5.0, 20)
    both = figures_of(of_tracker("t", Cadence(None, None), rest, moving))
    assert both == {"t": {"rest_interval_s": 14_400.0, "moving_interval_s": 1_800.0}}
    assert [*of_tracker("t", Cadence(None, None), rest, None)] == []
    assert figures_of(of_tracker("t", Cadence(None, 600.0), rest, None)).keys() == {"t"}


def test_an_interval_that_is_nearly_as_stated_stays():
    (same,) = of_cycle(STATED, Usual(910.0, 0.1, 1_000))
    (other,) = of_cycle(STATED, Usual(1_000.0, 0.1, 1_000))
    assert (same.differs, other.differs) == (False, True)


SHARES = st.floats(0, 1)
LAY = st.lists(st.tuples(st.integers(0, 300), st.floats(0, 50), st.floats(0, 50)), max_size=20)
READS = st.lists(
    st.tuples(
        st.integers(0, 300),
        SHARES,
        SHARES,
        st.none() | st.floats(-150, 0),
        st.none() | st.integers(-1, 10**5),
    ),
    max_size=20,
)


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(LAY, READS, st.none() | SHARES, st.none() | SHARES, st.floats(1, 1e5))
def test_figures_are_always_ones_that_a_reader_may_have(lay, reads, miss, stray, cycle_s):
    reader = Reader(device="r", zone="z", miss=miss, stray=stray)
    found = told(of_reader(reader, cycle_s, seen(lay, reads), PROCESSES))
    Reader.model_validate(reader.model_dump() | figures_of(found).get("r", {}))
    for one in found:
        assert one.of >= 1
        parts = one.sd if isinstance(one.sd, tuple) else (one.sd,)
        assert all(part >= 0 for part in parts)


def test_the_priors_are_those_of_the_process_that_most_of_what_is_read_follows():
    own = PROCESSES["kegs"].model_copy(
        update={"rfid": Rfid().model_copy(update={"own": Rfid().stray})}
    )
    found = seen([(0, 1, 0)], [])
    for process in ("kegs", "kegs", "pallet-pool"):
        found.read(0, Read("tag", 1, -67.0, 1), 1, 0, process)
    (rssi,) = (
        one
        for one in of_reader(STATED, None, found, {**PROCESSES, "kegs": own})
        if one.figure == "rssi"
    )
    assert rssi.expected == Rfid().stray.rssi
