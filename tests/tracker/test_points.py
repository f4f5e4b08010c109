"""Lines of points: what the time-series store is told, and that it reads them as they are meant."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.model import Binding, Fix, Values
from tracker.points import at_of, line, series_of, time_ns
from tracker.stores.influx import Influx

NOW = 1_790_000_000_000
_PRINTED = st.characters(
    exclude_categories=["C", "Z"], include_characters=" ", exclude_characters="/+#"
)
IDS = st.text(_PRINTED, min_size=1, max_size=20)
NAMES = IDS.filter(lambda name: name != "time" and not name.startswith("_"))


def fix_of(make, device, at=NOW):
    return make.message(make.fix(at), device=device).observations[0]


def test_presence_and_nothing_are_not_told(make):
    online, empty = make.message(make.presence(), make.sensor(x=None)).observations
    assert line(online, 1) is None
    assert line(empty._replace(what=Values({"x": None})), 1) is None


@pytest.mark.parametrize(
    ("said", "fields"),
    [
        ({"n": 21}, b"n=21.0"),
        ({"ok": True, "off": False}, b"ok.true=true,off.true=false"),
        ({"s": 'a"b\\c'}, b's.text="a\\"b\\\\c"'),
        ({"list": [1, {"b": 1, "a": 2}]}, b'list.text="[1,{\\"a\\":2,\\"b\\":1}]"'),
        ({"two words": 1, "a=b": 2, "c,d": 3}, b"two\\ words=1.0,a\\=b=2.0,c\\,d=3.0"),
    ],
)
def test_every_sort_of_value_is_a_field(make, said, fields):
    row = make.message(make.sensor()).observations[0]._replace(what=Values(said))
    assert line(row, 7) == b"sensor,device=trk-1,kind=sensor " + fields + b" 1790000000000000007"


@given(IDS, st.integers(0, 2**50))
def test_a_line_tells_its_series_and_time(make, device, number):
    told = line(fix_of(make, device), number)
    assert at_of(told) == NOW
    assert series_of(told).startswith("fix/")


def test_rows_a_million_apart_alone_share_a_time():
    assert time_ns(NOW, 5) == time_ns(NOW, 1_000_005) != time_ns(NOW, 6)


@pytest.mark.system
@pytest.mark.parametrize("id", ["a b", "a,b=c", "a\\", "\\", '"', "50%", "%5C", "ü漢", "${x}", "'"])
def test_an_id_is_found_again_as_it_was(make, new_influx, id):
    series = Influx(new_influx())
    series.write([line(fix_of(make, id), 1), line(fix_of(make, "another"), 2)])
    (found,) = series.history([Binding("A1", id)], NOW)
    assert (found.device, found.at, found.what) == (id, NOW, Fix(50.1, 4.2, 8.0))
    series.close()


@pytest.mark.system
@given(
    st.lists(
        st.tuples(NAMES, IDS | st.floats(allow_nan=False, width=32) | st.booleans()),
        min_size=1,
        max_size=5,
        unique_by=lambda pair: pair[0],
    )
)
@settings(max_examples=60, deadline=None)
def test_whatever_a_device_says_is_read_as_it_was_said(make, series, said):
    said = {name: value for name, value in said if value not in (float("inf"), float("-inf"))}
    number = next(series.numbers)
    device = f"trk-{number}"
    row = make.message(make.sensor(), device=device).observations[0]._replace(what=Values(said))
    if told := line(row, number):
        series.write([told])
    for name, value in said.items():
        (found,) = series.values([Binding("A1", device)], name, NOW)
        assert (found.value, found.device) == (value, device)


@pytest.fixture(scope="module")
def series(new_influx):
    from itertools import count

    made = Influx(new_influx())
    made.numbers = count()
    yield made
    made.close()
