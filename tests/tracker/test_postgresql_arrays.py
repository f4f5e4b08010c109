"""Arrays come to PostgreSQL as they were, whatever is in them."""

import math

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.stores.postgresql_arrays import array


@pytest.fixture(scope="module")
def database(new_postgresql):
    with psycopg.connect(new_postgresql(), autocommit=True) as connection:
        yield connection


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
COLUMNS = st.one_of(
    st.tuples(
        st.just("text"), st.lists(st.none() | TEXTS | st.sampled_from(["null", "{}", "\\n"]))
    ),
    st.tuples(st.just("bytea"), st.lists(st.none() | st.binary())),
    st.tuples(st.just("bigint"), st.lists(st.none() | st.integers(-(2**63), 2**63 - 1))),
    st.tuples(st.just("double precision"), st.lists(st.none() | st.floats())),
    st.tuples(st.just("boolean"), st.lists(st.none() | st.booleans())),
)


@settings(deadline=None, max_examples=300)
@given(COLUMNS)
def test_what_comes_back_is_what_was_given(database, column):
    kind, values = column
    query = f"SELECT %s::{kind}[]".encode()
    (found,) = database.execute(query, (array(tuple(values)),)).fetchone()
    assert [repr(value) for value in found] == [repr(value) for value in values]


def test_the_quick_way_is_taken_for_what_bodies_are_made_of():
    assert array(('{"lat":50.1,"name":"a \\" b \\\\ c"}', "é", None)).startswith("{")
    assert isinstance(array((math.nan,)), list)
