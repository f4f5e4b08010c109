"""API keys: 256 random bits behind a prefix, shown once, kept as a SHA-256 digest."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

PREFIX = "rtr_"
SCOPES = ("read", "write", "admin")


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it is stored. Times are real, epoch ms UTC; `expires` None is never."""

    id: str
    name: str
    digest: bytes
    scopes: tuple[str, ...]
    created: int
    expires: int | None = None
    revoked: int | None = None

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
        return {"name": self.name, "scopes": list(self.scopes), "expires": self.expires}


def digest_of(secret: str) -> bytes:
    """What is stored of a key."""
    return sha256(secret.encode()).digest()


def new_key(
    name: str, scopes: tuple[str, ...], wall: int, expires: int | None
) -> tuple[str, ApiKey]:
    """A new key's secret, to be shown once, and what is stored of it."""
    secret = PREFIX + secrets.token_urlsafe(32)
    id = f"key_{secrets.token_hex(6)}"
    return secret, ApiKey(id, name, digest_of(secret), scopes, wall, expires)
