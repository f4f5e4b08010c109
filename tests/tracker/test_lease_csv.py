"""Leases in a table: what is read, and every fault with its row."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.lease_csv import COLUMNS, BadTable, read_table

HEADER = ",".join(COLUMNS) + "\n"


def faults(text):
    with pytest.raises(BadTable) as error:
        read_table(text)
    return [tuple(fault) for fault in error.value.faults]


def test_rows_become_the_lines_of_their_leases():
    text = (
        "\ufeff" + HEADER + "L1,,A1,,acme,yard,2026-01-05,2026-02-02,Europe/Amsterdam,4\n"
        "L2,a,,crate,acme,yard,2026-01-05,2026-02-02,,\n"
        "\n"
        "L1,,,crate,,,2026-01-06,2026-02-03,,\n"
    )
    (one, two), rows = read_table(text)
    assert rows == [[2, 5], [3]]
    assert (one.id, one.customer, one.site, one.timezone, one.grace_h) == (
        "L1",
        "acme",
        "yard",
        "Europe/Amsterdam",
        4,
    )
    assert [(line.id, line.asset, line.kind, line.due) for line in one.lines] == [
        ("1", "A1", None, date(2026, 2, 2)),
        ("2", None, "crate", date(2026, 2, 3)),
    ]
    assert (two.timezone, two.grace_h, two.lines[0].id) == (None, 24, "a")


def test_columns_may_come_in_any_order_and_be_left_out():
    text = "due , from,site,customer,asset,lease\n2026-02-02,2026-01-05,yard,acme,A1,L1"
    assert read_table(text).leases[0].lines[0].asset == "A1"


def test_cells_may_be_kept_apart_by_semicolons():
    text = HEADER + "L1,,A1,,acme,yard,2026-01-05,2026-02-02,,\n"
    assert read_table(text.replace(",", ";")) == read_table(text)


def test_every_fault_is_told_with_its_row():
    text = (
        HEADER + "L1,1,A1,,acme,yard,2026-01-05,2026-01-04,,\n"
        "L1,1,A2,,acme,moon,soon,2026-02-02,,\n"
        ",1,A3,,acme,yard,2026-01-05,2026-02-02,,\n"
        "L 2,2,,,,yard,2026-01-05,2026-02-02,CEST,-1\n"
    )
    assert faults(text) == [
        (2, "`from` 2026-01-05 lies after `due` 2026-01-04"),
        (3, "from: 'soon' is no date: write it like 2026-01-05"),
        (3, "line: '1' is given already, in row 2"),
        (3, "site: 'moon' is another one than in row 2"),
        (4, "lease: it is missing"),
        (5, "`customer` is missing"),
        (5, "give the `asset`, or the `class` of which it may be any"),
        (5, "grace_h: should be greater than or equal to 0, not '-1'"),
        (
            5,
            "lease: 'L 2' is no id: 1 to 128 letters, digits and the characters . _ : -",
        ),
        (5, "timezone: 'CEST' is no IANA time zone; write it like Europe/Amsterdam"),
    ]


@pytest.mark.parametrize(
    ("text", "row", "told"),
    [
        ("", 1, "column `lease` is missing"),
        ("lease,customer,site,from", 1, "column `due` is missing; there may be: lease,line,asset"),
        (HEADER.strip() + ",color\n", 1, "column 'color'; there may be"),
        (HEADER.strip() + ",due\n", 1, "column 'due'; there may be"),
        (HEADER + "a,b,c,d,e,f,g,h,i,j,k\n", 2, "more cells than there are columns"),
        (HEADER + 'a,"b\n', 2, "no CSV: unexpected end of data"),
    ],
)
def test_what_is_no_such_table(text, row, told):
    (fault,) = faults(text)
    assert fault[0] == row
    assert told in fault[1]


@given(st.lists(st.lists(st.sampled_from(["L1", "1", "A", "2026-01-05", "", '"', "x\n", "\0"]))))
def test_whatever_comes_it_is_read_or_refused_with_rows(cells):
    text = HEADER + "\n".join(",".join(row) for row in cells)
    rows = []
    try:
        table = read_table(text)
        assert sum(map(len, table.rows)) == sum(len(one.lines) for one in table.leases)
        rows = [row for of_one in table.rows for row in of_one]
    except BadTable as error:
        rows = [row for row, _ in error.faults]
    assert all(0 < row <= text.count("\n") + 1 for row in rows)
