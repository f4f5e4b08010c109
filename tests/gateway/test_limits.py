"""A device may send what its bucket holds and what flows in, and no more; nobody pays for it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import limits as module
from gateway.limits import Limits, Shed, device_of

SIZES = st.integers(0, 40_000)
PAUSES = st.floats(0, 30, allow_subnormal=False)
RATES = st.floats(0.5, 500)
BURSTS = st.floats(1, 500)


def units(size):
    return 1 + size // 4096


@pytest.mark.parametrize(
    ("size", "allowed"),
    [(0, 100), (4_095, 100), (4_096, 50), (8_192, 34), (262_144, 2), (3_000_000, 1)],
)
def test_a_message_takes_a_unit_and_one_more_for_each_4_kib(size, allowed):
    """The last one may take more than is left: else a large one could never pass."""
    limits = Limits(rate=1, burst=100)
    assert sum(limits.allows("trk-1", size, 5.0) for _ in range(200)) == allowed


@pytest.mark.parametrize(
    ("waited", "allowed"), [(0, 0), (0.125, 1), (0.2, 2), (5, 40), (10, 80), (9_999, 80)]
)
def test_a_bucket_fills_again_up_to_its_brim(waited, allowed):
    limits = Limits(rate=8, burst=80)
    assert all(limits.allows("trk-1", 10, 0.0) for _ in range(80))
    assert sum(limits.allows("trk-1", 10, float(waited)) for _ in range(200)) == allowed


def test_what_is_refused_takes_nothing():
    limits = Limits(rate=1, burst=1)
    assert limits.allows("trk-1", 10, 0.0)
    assert not any(limits.allows("trk-1", 10, 0.0) for _ in range(1_000))
    assert limits.allows("trk-1", 10, 0.5)


@given(st.lists(st.tuples(PAUSES, SIZES), min_size=1, max_size=200), RATES, BURSTS)
def test_over_any_time_no_more_than_burst_and_rate_and_one_message(sent, rate, burst):
    limits, now, taken = Limits(rate, burst), 1_000.0, []
    for pause, size in sent:
        now += pause
        if limits.allows("trk-1", size, now):
            taken.append((now, units(size)))
    for first, (start, _) in enumerate(taken):
        total = 0
        for at, cost in taken[first:]:
            assert total <= burst + rate * (at - start) + 1e-3
            total += cost


@given(st.lists(SIZES, min_size=1, max_size=200), RATES, BURSTS)
def test_who_keeps_to_the_rate_is_never_refused(sizes, rate, burst):
    limits, now = Limits(rate, burst), 1_000.0
    for size in sizes:
        assert limits.allows("trk-1", size, now)
        now += units(size) / rate + 1e-6


@given(st.lists(st.tuples(PAUSES, SIZES, st.booleans()), max_size=100), RATES, BURSTS)
def test_a_flood_changes_nothing_for_others(sent, rate, burst):
    alone, beside, now = Limits(rate, burst), Limits(rate, burst), 0.0
    for pause, size, flooded in sent:
        now += pause
        for _ in range(20 * flooded):
            beside.allows("flooder", size, now)
        assert alone.allows("trk-1", size, now) == beside.allows("trk-1", size, now)


@given(st.lists(st.tuples(st.floats(0, 2), st.integers(0, 9)), max_size=200))
def test_forgetting_full_buckets_changes_nothing(sent):
    remembers, forgets, now = Limits(1, 2), Limits(1, 2), 0.0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BUCKETS_AT_MOST", 0)
        forgets._sweep_above = 0
        for pause, device in sent:
            now += pause
            answers = [limits.allows(f"dev-{device}", 10, now) for limits in (remembers, forgets)]
            assert answers[0] == answers[1]


def test_many_devices_do_not_fill_the_memory(monkeypatch):
    monkeypatch.setattr(module, "BUCKETS_AT_MOST", 100)
    limits = Limits(rate=1, burst=10)
    limits._sweep_above = 100
    for n in range(10_000):
        limits.allows(f"dev-{n}", 10, n / 10)
    assert len(limits._full_at) <= 101


@pytest.mark.parametrize(("rate", "burst"), [(0, 10), (-1, 10), (10, 0), (10, 0.5)])
def test_a_limit_that_lets_nothing_through_is_refused(rate, burst):
    with pytest.raises(ValueError, match="no limit"):
        Limits(rate, burst)


def test_what_is_shed_is_counted_and_told_once_a_minute():
    shed = Shed()
    told = [shed.add("trk-1", float(second)) for second in range(130)]
    assert [second for second, tell in enumerate(told) if tell] == [0, 60, 120]
    assert shed.add("trk-2", 130.0)
    assert shed.messages == {"trk-1": 130, "trk-2": 1}


def test_of_very_many_devices_the_last_ones_shed_are_remembered(monkeypatch):
    monkeypatch.setattr(module, "SHED_AT_MOST", 2)
    shed = Shed()
    for device in ("a", "b", "a", "c"):
        shed.add(device, 0.0)
    assert shed.messages == {"a": 2, "c": 1}
    assert shed.add("b", 0.0)


@pytest.mark.parametrize(
    ("topic", "device"),
    [
        ("retour/v1/trk-1/events", "trk-1"),
        ("retour/v1/trk-1/presence", "trk-1"),
        ("retour/v1/trk-1", "retour/v1/trk-1"),
        ("", ""),
        ("owntracks/anna/phone", "owntracks/anna/phone"),
    ],
)
def test_a_device_has_one_bucket_for_all_its_topics(topic, device):
    assert device_of(topic) == device
