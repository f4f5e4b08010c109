"""Mosquitto's password file: a device's entry written as `mosquitto_passwd` would write it.

An entry is `user:$7$iterations$salt$hash`: PBKDF2 with HMAC-SHA512, salt and hash in base64.
Mosquitto reads the file when it starts and on SIGHUP.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
import tempfile
import unicodedata
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PASSWORD_BYTES = 24  # from the operating system: nobody guesses 192 bits
SALT_BYTES = 12
ITERATIONS = 101  # Mosquitto's own; more would slow its logins, and a random secret needs none


class NoUserName(ValueError):
    """A device's id cannot be the user name of an entry; the text says why."""


class PasswordFile:
    """The password file of a Mosquitto. It must be there: Mosquitto must be able to read it,
    and under which user that runs is not ours to guess."""

    def __init__(self, path: Path) -> None:
        self._path = path.resolve()  # a link stays a link

    def has(self, user: str) -> bool:
        """Whether there is an entry for a user."""
        return any(_user_of(line) == user for line in self._lines())

    def renew(self, user: str) -> str:
        """Give a user a new random password; it stands in the file as a hash when this returns.

        Raises NoUserName where the file cannot hold the name, OSError where it cannot be
        read or written. Of two renewals at once none is lost.
        """
        refuse_user_name(user)
        password = secrets.token_urlsafe(PASSWORD_BYTES)
        new = entry(user, password, secrets.token_bytes(SALT_BYTES))
        with _locked(self._path.parent):
            others = [line for line in self._lines() if _user_of(line) != user]
            self._replace("".join(f"{line}\n" for line in [*others, new]))
        return password

    def _lines(self) -> list[str]:
        return [
            line for line in self._path.read_text("utf-8", "surrogateescape").split("\n") if line
        ]

    def _replace(self, text: str) -> None:
        """Write the file anew beside itself, then rename: Mosquitto reads the old or the new."""
        before = self._path.stat()
        number, name = tempfile.mkstemp(prefix=f".{self._path.name}.", dir=self._path.parent)
        try:
            with os.fdopen(number, "w", encoding="utf-8", errors="surrogateescape") as file:
                if (before.st_uid, before.st_gid) != (os.geteuid(), os.getegid()):
                    os.fchown(number, before.st_uid, before.st_gid)
                os.fchmod(number, before.st_mode & 0o777)
                file.write(text)
                file.flush()
                os.fsync(number)
            os.replace(name, self._path)
        except BaseException:
            with suppress(OSError):
                os.unlink(name)
            raise


def entry(user: str, password: str, salt: bytes, iterations: int = ITERATIONS) -> str:
    """A line of the file.

    >>> entry("trk-1", "not-for-use", bytes(12), iterations=1)[:38]
    'trk-1:$7$1$AAAAAAAAAAAAAAAA$LcrvHi+OD9'
    """
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, iterations)
    return f"{user}:$7${iterations}${b64encode(salt).decode()}${b64encode(digest).decode()}"


def refuse_user_name(id: str) -> None:
    """Raise NoUserName where a line of the file, or MQTT, cannot hold a name."""
    for character in id:
        if character in ":/+#" or unicodedata.category(character) in ("Cc", "Cs", "Cn"):
            raise NoUserName(
                f"{id!r} holds {character!r}: a user name of Mosquitto has none of : / + # and no "
                "control character; choose another id, or give the device a certificate"
            )
    if not id.strip() or id != id.strip():
        raise NoUserName(f"{id!r} is empty or has a blank at an end, which Mosquitto cuts off")


def _user_of(line: str) -> str:
    return line.partition(":")[0].strip()


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Alone among the programs that lock the folder; the file itself is replaced meanwhile."""
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(number, fcntl.LOCK_EX)
        yield
        os.fsync(number)  # the renaming itself
    finally:
        os.close(number)
