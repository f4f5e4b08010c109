"""Mosquitto's password file, against the program that Mosquitto brings for it."""

import base64
import os
import re
import shutil
import stat
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.passwords import NoUserName, PasswordFile, entry, refuse_user_name


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "retour.passwd"
    path.touch(0o640)
    return path


@given(st.text("abcXYZ019-_. é%$", min_size=1, max_size=40))
def test_an_entry_is_what_mosquitto_passwd_writes(tmp_path_factory, require, password):
    """Its own salt and number of rounds give its own line."""
    require(shutil.which("mosquitto_passwd"), "mosquitto_passwd (Debian: apt install mosquitto)")
    path = tmp_path_factory.mktemp("passwd") / "file"
    path.touch(0o600)
    subprocess.run(["mosquitto_passwd", "-b", path, "trk-1", password], check=True)
    line = path.read_text().strip()
    _, _, rounds, salt, _ = line.split("$")
    assert entry("trk-1", password, base64.b64decode(salt), int(rounds)) == line


def test_renewing_replaces_one_entry_and_keeps_the_others(path):
    path.write_text("# by hand\ngw:$7$101$c2FsdA==$aGFzaA==\n")
    file = PasswordFile(path)
    first, other, again = file.renew("trk-1"), file.renew("trk-2"), file.renew("trk-1")
    assert len({first, other, again}) == 3
    assert min(map(len, (first, other, again))) >= 32
    lines = path.read_text().splitlines()
    assert lines[:2] == ["# by hand", "gw:$7$101$c2FsdA==$aGFzaA=="]
    assert [line.partition(":")[0] for line in lines[2:]] == ["trk-2", "trk-1"]
    assert not any(secret in path.read_text() for secret in (first, other, again))
    assert (file.has("trk-1"), file.has("trk"), file.has("trk-3")) == (True, False, False)


def test_owner_mode_and_link_stay(path, tmp_path):
    if os.geteuid() == 0:
        os.chown(path, 1234, 4321)
    os.chmod(path, 0o640)
    link = tmp_path / "link"
    link.symlink_to(path)
    before = path.stat()
    PasswordFile(link).renew("trk-1")
    after = path.stat()
    assert link.is_symlink()
    assert stat.S_IMODE(after.st_mode) == 0o640
    assert (after.st_uid, after.st_gid) == (before.st_uid, before.st_gid)
    assert after.st_ino != before.st_ino
    assert {one.name for one in tmp_path.iterdir()} == {"link", "retour.passwd"}


def test_many_at_once_lose_nothing(path):
    names = [f"trk-{n}" for n in range(60)]
    with ThreadPoolExecutor(12) as pool:
        list(pool.map(lambda name: PasswordFile(path).renew(name), names))
    lines = path.read_text().splitlines()
    assert sorted(line.partition(":")[0] for line in lines) == sorted(names)
    assert all(re.fullmatch(r"[^:]+:\$7\$101\$[\w+/]{16}\$[\w+/]{86}==", line) for line in lines)


def test_what_cannot_be_written_leaves_the_file_as_it_was(path, monkeypatch):
    PasswordFile(path).renew("trk-1")
    before = path.read_text()

    def full(number):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        PasswordFile(path).renew("trk-2")
    assert path.read_text() == before
    assert [one.name for one in path.parent.iterdir()] == ["retour.passwd"]


@pytest.mark.parametrize(
    "id", ["", "a:b", "a/b", "a+", "#", "a\0b", "a\nb", "a\x85b", "a\ud800", "a\ufffe", " a", "a\t"]
)
def test_what_no_line_can_hold_is_refused(path, id):
    with pytest.raises(NoUserName):
        PasswordFile(path).renew(id)
    assert path.read_text() == ""


@pytest.mark.parametrize("id", ["trk-1", "Überseecontainer 7", "aa.bb", "a%u", "$x", "日本"])
def test_names_that_it_can_hold(id):
    refuse_user_name(id)
