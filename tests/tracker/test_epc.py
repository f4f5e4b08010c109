"""Tag ids, by the published examples of the Tag Data Standard."""

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.epc import tag_id

VECTORS = Path(__file__).parents[3] / "shared" / "vectors" / "epc_tds.csv"
hexadecimal = st.text("0123456789abcdefABCDEF", min_size=1, max_size=64)


def vectors():
    if not VECTORS.exists():
        skip = pytest.mark.skip(reason="the vectors of the Tag Data Standard are not here")
        return [pytest.param("", "", marks=skip)]
    with VECTORS.open() as lines:
        rows = [row for row in csv.DictReader(lines) if not row["scheme"].startswith("adi")]
    return [pytest.param(row["hex"], row["pure_identity_uri"], id=row["scheme"]) for row in rows]


@pytest.mark.parametrize(("number", "identity"), vectors())
def test_a_standard_number_has_its_pure_identity(number, identity):
    assert tag_id(number) == identity


@pytest.mark.parametrize(
    ("text", "id"),
    [
        ("3374257BF40C0E400000162E", "urn:epc:id:grai:0614141.12345.5678"),
        ("3374257bf40c0e400000162e", "urn:epc:id:grai:0614141.12345.5678"),
        ("tag:3374257BF40C0E400000162E", "urn:epc:id:grai:0614141.12345.5678"),
        ("3474257BF40000000000162E", "urn:epc:id:giai:0614141.5678"),
        ("urn:epc:id:giai:0614141.5678", "urn:epc:id:giai:0614141.5678"),
    ],
)
def test_an_epc_has_one_id_however_it_is_written(text, id):
    assert tag_id(text) == id


@pytest.mark.parametrize(
    "number",
    [
        "E2801160600002056B1F1234",  # the number of a chip
        "3B0E0CF5E76C9047759AD00373DC7602E7200",  # an ADI-var
        "33223BF69FE501400000162E",  # a GRAI-96 whose partition leaves no asset type
        "37223BF69FE501708000000000000000000000000000",  # a GRAI-170 alike
        "00",
        "0",
        "F" * 128,
    ],
)
def test_what_is_no_epc_is_an_opaque_tag(number):
    assert tag_id(number) == f"tag:{number}"


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "tag:", "tag:tag:E2", "pallet 7", "E2 80", "0x33", "E280\n", "\x00", "-1"),
        *("urn:epc:id:grai:", "urn:epc:id:grai:0614141.1\n", "urn:epc:id:" + "x" * 300),
        *("F" * 129, "ﬀ", "٣٣", "１２"),  # at last letters and digits, but no hexadecimal ones
    ],
)
def test_what_is_no_number_is_refused(text):
    with pytest.raises(ValueError, match="no hexadecimal tag number"):
        tag_id(text)


@given(st.text() | hexadecimal | hexadecimal.map("tag:{}".format) | st.text().map("urn:{}".format))
def test_any_text_is_a_tag_or_a_value_error(text):
    try:
        id = tag_id(text)
    except ValueError:
        return
    assert id.startswith(("urn:epc:id:", "tag:"))
    assert tag_id(id) == id


@given(st.sampled_from("23"), st.text("0123456789ABCDEF", min_size=1, max_size=62))
def test_any_number_like_a_standard_one_is_a_tag(start, rest):
    """The headers of the standard's schemes start with 2 or 3."""
    id = tag_id(start + rest)
    assert tag_id(id) == id
