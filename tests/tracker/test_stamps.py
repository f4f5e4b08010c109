"""Which time stamps are believed, which are corrected, and which are held back."""

import pytest

from tracker.model import Device
from tracker.record import sift
from tracker.stamps import DAY, StampPolicy

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
YEAR = 365 * DAY
TRACKER = Device("trk-1", "tracker")


@pytest.fixture
def sifted(make):
    """What becomes of one fix, stamped and sent so long after its reception (ms)."""

    def of(stamped=0, sent=None, device=TRACKER, policy=make.POLICY):
        at = None if sent is None else make.NOW + sent
        message = make.message(make.fix(make.NOW + stamped), sent=at)
        one = sift(message, device, policy)
        assert len(one.rows) + len(one.held) == 1
        return one

    return of


@pytest.mark.parametrize(
    ("sent", "moved"),
    [
        (None, 0),
        (-YEAR, 0),
        (0, 0),
        (5 * SECOND, 0),
        (5 * SECOND + 1, 5 * SECOND + 1),
        (HOUR, HOUR),
    ],
)
def test_a_clock_ahead_of_reception_is_corrected_beyond_five_seconds(sifted, make, sent, moved):
    (row,) = sifted(stamped=0, sent=sent).rows
    assert row.at == make.NOW - moved
    assert row.stamp == make.NOW


def test_a_clock_more_than_an_hour_ahead_is_held_back(sifted):
    (held,) = sifted(stamped=0, sent=HOUR + 1).held
    assert held.reason == "clock_ahead"


def test_the_correction_comes_before_the_plausibility(sifted):
    """A clock half an hour ahead stamps half an hour ahead, and both are put right."""
    assert sifted(stamped=30 * MINUTE, sent=30 * MINUTE).rows
    assert sifted(stamped=30 * MINUTE).held


@pytest.mark.parametrize(
    ("stamped", "reason"),
    [
        (5 * MINUTE, None),
        (5 * MINUTE + 1, "stamp_in_future"),
        (10 * YEAR, "stamp_in_future"),
        (-400 * DAY, None),
        (-400 * DAY - 1, "stamp_too_old"),
    ],
)
def test_a_stamp_is_plausible_from_400_days_before_to_5_minutes_after(sifted, stamped, reason):
    one = sifted(stamped)
    assert [held.reason for held in one.held] == ([] if reason is None else [reason])


@pytest.mark.parametrize(
    ("stamp", "reason"),
    [
        (0, "stamp_too_old"),
        (-1, "stamp_too_old"),
        (1_790_000_000, "stamp_too_old"),  # seconds for milliseconds
        (1_790_000_000_000_000, "stamp_in_future"),  # microseconds
        (2**53 - 1, "stamp_in_future"),
    ],
)
def test_stamps_of_broken_clocks_are_held_back(sifted, make, stamp, reason):
    assert [held.reason for held in sifted(stamp - make.NOW).held] == [reason]


def test_history_counts_from_the_first_reception(sifted, make):
    """What lay within history_days when the device was new is believed for ever."""
    old = Device("trk-1", "tracker", first_received=make.NOW - 300 * DAY)
    assert sifted(-700 * DAY, device=old).rows
    assert sifted(-700 * DAY - 1, device=old).held


def test_history_days_is_a_setting(sifted):
    policy = StampPolicy(history_days=10)
    assert sifted(-10 * DAY, policy=policy).rows
    assert sifted(-10 * DAY - 1, policy=policy).held


def test_the_floor_holds_for_every_device(sifted, make):
    policy = StampPolicy(floor=make.NOW - DAY)
    old = Device("trk-1", "tracker", first_received=make.NOW - 300 * DAY)
    assert sifted(-DAY, device=old, policy=policy).rows
    assert sifted(-DAY - 1, device=old, policy=policy).held


def test_a_recording_may_be_of_any_age_but_not_of_the_future(sifted, make):
    recording = Device("trk-1", "tracker", recording=True)
    assert sifted(-make.NOW, device=recording).rows
    assert sifted(10 * YEAR, device=recording).held


@pytest.mark.parametrize(
    ("rate", "ahead", "moved"),
    [
        (1, 5 * SECOND, 0),
        (2, 5 * SECOND + 1, 5 * SECOND + 1),
        (120, 240 * SECOND, 0),
        (120, 240 * SECOND + 1, 240 * SECOND + 1),
    ],
)
def test_an_accelerated_clock_tolerates_two_real_seconds(sifted, make, rate, ahead, moved):
    (row,) = sifted(0, sent=ahead, policy=StampPolicy(rate=rate)).rows
    assert row.at == make.NOW - moved


def test_an_accelerated_clock_tolerates_a_future_of_two_real_seconds(sifted):
    policy = StampPolicy(rate=600)
    assert sifted(20 * MINUTE, policy=policy).rows
    assert sifted(20 * MINUTE + 1, policy=policy).held
