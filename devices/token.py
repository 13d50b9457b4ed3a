"""Whom an event names, as a number: the credential or the number plate, hashed to 64 bits.

Rules join events of one credential or plate by it ('the same card at two doors'). It is no secret
and keeps none: whoever has a list of cards can hash them all and compare. So it stays in memory and
in the saved state of rules; no alert, page, log or table of readings has it.
"""

import hashlib
from collections.abc import Mapping

from devices.reading import Json

NAMING = ("credential", "plate")
"""The attributes that name somebody; of an event that has both, the first counts."""

NOBODY = 0
"""The token of a reading that names nobody."""

NO_ISSUE = 0
"""The issue of a reading that names none."""

_BYTES = 8
_HIGHEST = 2**31 - 1


def token_of(attributes: Mapping[str, Json]) -> int:
    """The token of what these attributes name, a signed 64-bit number; NOBODY where nothing.

    A text counts as it is written, a whole number as its digits; nothing else names anybody. It is
    BLAKE2b (RFC 7693) of 8 bytes, the lowest first, so the same in every process and after years.
    """
    for name in NAMING:
        said = _said(attributes.get(name))
        if said:
            hashed = hashlib.blake2b(said, digest_size=_BYTES, person=name.encode()).digest()
            # One number means 'nobody': what happens to hash to it is moved aside.
            return int.from_bytes(hashed, "little", signed=True) or 1
    return NOBODY


def issue_of(attributes: Mapping[str, Json]) -> int:
    """The attribute `issue`, from 1 to 2^31-1: which card of its number it is.

    NO_ISSUE where it is missing, something else, or nobody is named beside it.

    A card that is lost is replaced by one with the same number and the next issue, so that the two
    can be told apart (the issue level of access control).
    """
    issue = attributes.get("issue")
    if isinstance(issue, bool) or not isinstance(issue, int | float):
        return NO_ISSUE
    whole = isinstance(issue, int) or issue.is_integer()
    known = whole and 0 < issue <= _HIGHEST and token_of(attributes) != NOBODY
    return int(issue) if known else NO_ISSUE


def _said(value: Json) -> bytes:
    """The value as bytes, the same whether it comes from a message or from the database.

    The database writes 1e16 as 10000000000000000: a number counts by what it is, not as written.
    """
    if isinstance(value, str):
        return value.encode("utf-8", "replace") if value.strip() else b""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return b""
    whole = isinstance(value, int) or value.is_integer()
    return str(int(value)).encode() if whole else b""
