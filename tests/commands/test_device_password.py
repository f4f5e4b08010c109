"""`retour device create` and `retour device password` where Mosquitto keeps passwords."""

import json
import os

import pytest
from typer.testing import CliRunner

import retour
from commands.show import UserError
from gateway.passwords import NoUserName


@pytest.fixture
def passwords(tmp_path, monkeypatch):
    path = tmp_path / "retour.passwd"
    path.touch(0o600)
    monkeypatch.setenv("RETOUR_DATABASE", f"sqlite:///{tmp_path / 'retour.db'}")
    monkeypatch.setenv("RETOUR_MQTT_PASSWORDS", str(path))
    assert CliRunner().invoke(retour.app, ["db", "upgrade"]).exit_code == 0
    return path


def say(*words):
    return CliRunner().invoke(retour.app, words, catch_exceptions=False)


def said(*words):
    return json.loads(say(*words, "--json").stdout)


def registered():
    return [row["id"] for row in said("device", "list")]


def test_a_password_is_shown_once(passwords):
    shown = say("device", "create", "trk-1").stdout
    assert "systemctl reload mosquitto" in shown
    assert "password" not in said("device", "create", "trk-1")
    assert len(passwords.read_text().splitlines()) == 1
    assert said("device", "password", "trk-1")["password"] not in shown


@pytest.mark.parametrize("id", ["a:b", "a/b", "a+b", "a#", "a\0b", "a\x9fb", " a"])
def test_what_no_user_can_be_called_is_no_device(passwords, id):
    with pytest.raises(NoUserName):
        say("device", "create", id)
    assert registered() == []
    assert passwords.read_text() == ""


def test_where_the_file_cannot_be_written_nothing_is_registered(passwords, monkeypatch):
    def full(number):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        say("device", "create", "trk-1")
    passwords.unlink()
    with pytest.raises(UserError, match="there is no file"):
        say("device", "create", "trk-1")
    monkeypatch.delenv("RETOUR_MQTT_PASSWORDS")
    assert registered() == []


def test_only_a_registered_device_gets_a_new_one(passwords, monkeypatch):
    with pytest.raises(UserError, match="retour device create trk-9"):
        say("device", "password", "trk-9")
    monkeypatch.delenv("RETOUR_MQTT_PASSWORDS")
    say("device", "create", "trk-9")
    with pytest.raises(UserError, match="RETOUR_MQTT_PASSWORDS is not set"):
        say("device", "password", "trk-9")


def test_renewing_is_audited_and_the_password_is_not(passwords, tmp_path):
    secret = said("device", "create", "trk-1")["password"]
    secret += said("device", "password", "trk-1")["password"]
    files = b"".join((tmp_path / name).read_bytes() for name in os.listdir(tmp_path))
    assert b"renew" in files
    assert secret[:32].encode() not in files
    assert secret[32:].encode() not in files
