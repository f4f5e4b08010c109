"""Tag ids: what an RFID tag's number means, by the GS1 Tag Data Standard, through epcpy.

A tag that is no EPC is no error: it stays an opaque `tag:<HEX>`, bindable like any other.
"""

from __future__ import annotations

import re
from functools import lru_cache

from epcpy.utils.common import ConvertException
from epcpy.utils.parsers import hex_to_tag_encodable

_URN = re.compile(r"urn:epc:id:[a-z]{3,10}:[\x21-\x7e]{1,200}")
_HEX = re.compile(r"[0-9A-Fa-f]{1,128}")
_GRAI_HEADERS = ("33", "37")  # GRAI-96, GRAI-170


@lru_cache(maxsize=100_000)  # a decode takes 14-24 microseconds, and tags come again
def tag_id(epc: str) -> str:
    """The id of a tag from its hexadecimal number, or from an id that is one already.

    Raises ValueError where the text is neither.

    >>> tag_id("3374257BF40C0E400000162E")
    'urn:epc:id:grai:0614141.12345.5678'
    >>> tag_id("E2801160600002056B1F1234")
    'tag:E2801160600002056B1F1234'
    >>> tag_id("tag:e280")
    'tag:E280'
    """
    if _URN.fullmatch(epc):
        return epc
    digits = epc.removeprefix("tag:")
    if not _HEX.fullmatch(digits):
        raise ValueError(f"{epc!r:.60} is no hexadecimal tag number")
    digits = digits.upper()
    return _pure_identity(digits) or f"tag:{digits}"


def _pure_identity(digits: str) -> str | None:
    try:
        identity = hex_to_tag_encodable(digits).epc_uri
    except (ConvertException, ValueError, KeyError, IndexError):
        return None
    if identity.startswith("urn:epc:id:grai:") and _impossible_grai(digits):
        return None
    return str(identity)


def _impossible_grai(digits: str) -> bool:
    """A GRAI with partition 0 leaves no digit for the asset type, so those bits must be 0;
    epcpy accepts any (TDS 2.0, table 14-12). Both lengths begin with 8 bits of header, 3 of
    filter, 3 of partition, and for partition 0 then 40 of company prefix and 4 of asset type."""
    if not digits.startswith(_GRAI_HEADERS):
        return False
    bits = int(digits[:16].ljust(16, "0"), 16)
    partition, asset_type = bits >> 50 & 0b111, bits >> 6 & 0b1111
    return partition == 0 and asset_type != 0
