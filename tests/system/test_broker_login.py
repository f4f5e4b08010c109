"""Signing in at a broker: user and password, TLS, and a clear word where it fails."""

import shutil
import subprocess

import pytest

from gateway.mosquitto import Mosquitto


@pytest.fixture
def certificates(require, tmp_path):
    """A certificate for 127.0.0.1 that vouches for itself, and its key."""
    require(shutil.which("openssl"), "openssl (Debian: apt install openssl)")
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", tmp_path / "key.pem", "-out", tmp_path / "ca.pem"]
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    subprocess.run([*make, *files, *subject], check=True, capture_output=True, timeout=60)
    return tmp_path


@pytest.fixture
def guarded(mosquitto_installed, tmp_path, certificates):
    """A broker with TLS that lets in `gw` with the password `s@cret` only."""
    passwords = tmp_path / "passwords"
    passwords.touch(mode=0o600)
    login = ["mosquitto_passwd", "-b", passwords, "gw", "s@cret"]
    subprocess.run(login, check=True, capture_output=True, timeout=60)
    options = [
        f"certfile {certificates}/ca.pem",
        f"keyfile {certificates}/key.pem",
        "allow_anonymous false",
        f"password_file {passwords}",
    ]
    with Mosquitto(tmp_path, options) as broker:
        yield broker


@pytest.fixture
def gateway(world_at, guarded, certificates):
    def start(login, ca="ca.pem", version="5"):
        world = world_at(guarded, version)
        world.url = f"mqtts://{login}@127.0.0.1:{guarded.port}"
        return world.gateway(mqtt_ca=str(certificates / ca))

    return start


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_user_password_and_tls(gateway, version):
    gateway("gw:s%40cret", version=version).wait_until_ready()


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_a_wrong_password_is_told_in_one_line(gateway, version):
    process = gateway("gw:wrong", version=version)
    process.wait_until_dead(1)
    assert process.last_line().startswith("retour: mqtts://127.0.0.1:")
    assert "see RETOUR_MQTT_URL" in process.last_line()


def test_a_certificate_that_is_not_trusted_is_told_in_one_line(gateway, tmp_path):
    other = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=other"]
    files = ["-keyout", tmp_path / "k.pem", "-out", tmp_path / "other.pem"]
    subprocess.run([*other, *files], check=True, capture_output=True, timeout=60)
    process = gateway("gw:s%40cret", ca="other.pem")
    process.wait_until_dead(1)
    assert "not trusted" in process.last_line()


def test_certificates_that_cannot_be_read_are_told_in_one_line(gateway):
    process = gateway("gw:s%40cret", ca="none.pem")
    process.wait_until_dead(1)
    assert "cannot read the certificates" in process.last_line()
