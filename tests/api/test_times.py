from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from api.times import MS_AT_MOST, epoch_ms, iso

YEARS_OF_FOUR_DIGITS = st.integers(-62_135_596_800_000, 253_402_300_799_999)  # 1 to 9999


@given(YEARS_OF_FOUR_DIGITS)
def test_times_are_written_as_python_writes_them(ms: int) -> None:
    seconds, rest = divmod(ms, 1000)
    moment = datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest * 1000)
    assert iso(ms) == moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@given(YEARS_OF_FOUR_DIGITS)
def test_what_is_written_can_be_asked_for(ms: int) -> None:
    assert epoch_ms(iso(ms)) == epoch_ms(str(ms)) == ms


@given(st.integers(-MS_AT_MOST, MS_AT_MOST))
def test_any_time_can_be_written(ms: int) -> None:
    assert iso(ms).endswith("Z")
    assert len(iso(ms)) in (24, 27)
