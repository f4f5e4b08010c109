"""API keys: 256 random bits behind a prefix, shown once, kept as a SHA-256 digest.

A key of a partner reads what that partner has on lease, and nothing else (`tracker.partner_view`).
"""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

PREFIX = "rtr_"
SCOPES = ("read", "write", "admin")


class BadKey(Exception):
    """A key cannot be so: what is wrong with it, and of what it is asked for (`name`)."""

    def __init__(self, name: str, detail: str) -> None:
        super().__init__(detail)
        self.name = name
        self.detail = detail


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it is stored. Times are real, epoch ms UTC; `expires` None is never. With a
    `partner` it reads what that one has on lease, and nothing else."""

    id: str
    name: str
    digest: bytes
    scopes: tuple[str, ...]
    created: int
    expires: int | None = None
    revoked: int | None = None
    partner: str | None = None

    def in_force(self, wall: int) -> bool:
        """Whether the key is valid at a (real) time."""
        return self.revoked is None and (self.expires is None or wall < self.expires)

    def allows(self, scope: str) -> bool:
        """Whether the key has a scope; a greater one includes the lesser.

        >>> ApiKey("k1", "console", b"", ("write",), 0).allows("read")
        True
        """
        return any(SCOPES.index(own) >= SCOPES.index(scope) for own in self.scopes)

    def granted(self) -> dict[str, Any]:
        """What the audit log keeps of it."""
        granted = {"name": self.name, "scopes": list(self.scopes), "expires": self.expires}
        return granted if self.partner is None else granted | {"partner": self.partner}


def digest_of(secret: str) -> bytes:
    """What is stored of a key."""
    return sha256(secret.encode()).digest()


def check_partner(partner: str | None, scopes: Collection[str], known: Collection[str]) -> None:
    """Refuse a key of somebody who is none of the `known` partners, or one that may change
    anything. Raises BadKey.

    >>> check_partner("acme", ["read", "write"], ["acme"])
    Traceback (most recent call last):
    tracker.access.BadKey: a partner's key has the scope read alone, not write
    """
    if partner is None:
        return
    if wrong := sorted({*scopes} - {"read"}):
        names = " and ".join(wrong)
        raise BadKey("scopes", f"a partner's key has the scope read alone, not {names}")
    if partner not in known:
        raise BadKey("partner", f"there is no partner {partner}")


def new_key(
    name: str,
    scopes: tuple[str, ...],
    wall: int,
    expires: int | None,
    partner: str | None = None,
) -> tuple[str, ApiKey]:
    """A new key's secret, to be shown once, and what is stored of it."""
    secret = PREFIX + secrets.token_urlsafe(32)
    id = f"key_{secrets.token_hex(6)}"
    return secret, ApiKey(id, name, digest_of(secret), scopes, wall, expires, partner=partner)
