"""The systemd units: verified where systemd is, and what they start, run by hand."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
from contextlib import closing

import pytest

from gateway.mosquitto import Mosquitto, free_port
from tests.deploy.conftest import ROOT, assert_are_settings, assert_is_a_command, env_file
from tests.system.conftest import WITHIN_S, wait_for
from tracker.audit import PROGRAM
from tracker.project import project
from tracker.stores.postgresql import PostgresqlStore

FOLDER = ROOT / "deploy/systemd"
UNITS = sorted(FOLDER.glob("*.service"))
INSTALLED = "/opt/retour/bin/retour"
HARDENED = (
    "NoNewPrivileges=yes",
    "ProtectSystem=strict",
    "PrivateTmp=yes",
    "CapabilityBoundingSet=",
    "SystemCallFilter=@system-service",
)


def started(unit):
    """The words of its ExecStart, after the program."""
    return re.search(rf"^ExecStart={INSTALLED} (.*)$", unit.read_text(), re.M).group(1).split()


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_what_it_starts_and_sets_exists(unit):
    text = unit.read_text()
    assert_is_a_command(started(unit))
    assert_are_settings(re.findall(r"^Environment=(\w+)=", text, re.M))
    assert set(HARDENED) <= set(text.splitlines())
    assert re.search(r"^User=(?!root)", text, re.M)


def test_the_file_of_settings_names_settings():
    named = env_file(FOLDER / "retour.env")
    assert_are_settings(named)
    assert len(named) >= 6


@pytest.fixture
def installed(require, tmp_path):
    """The units as they would be after installation, with the program of this environment."""
    require(shutil.which("systemd-analyze"), "systemd-analyze (Debian: apt install systemd)")
    for unit in UNITS:
        name = unit.name.replace("@", "@1")
        program = shutil.which("true")
        (tmp_path / name).write_text(unit.read_text().replace(INSTALLED, program))
    return tmp_path


def test_systemd_finds_no_fault(installed):
    for unit in sorted(installed.iterdir()):
        done = subprocess.run(
            ["systemd-analyze", "verify", unit], capture_output=True, text=True, timeout=60
        )
        assert (done.returncode, done.stderr) == (0, "")


def test_systemd_calls_them_well_confined(installed):
    for unit in sorted(installed.iterdir()):
        command = ["systemd-analyze", "security", "--offline=yes", "--threshold=20", unit]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout


@pytest.fixture
def environment(mosquitto_installed, new_postgresql, new_influx, tmp_path):
    """The settings of retour.env, for servers that are there."""
    influx = new_influx()
    with Mosquitto(tmp_path) as broker:
        named = env_file(FOLDER / "retour.env") | {
            "RETOUR_DATABASE": new_postgresql(),
            "RETOUR_MQTT_URL": broker.url,
            "RETOUR_INFLUX_URL": influx.url,
            "RETOUR_INFLUX_ORG": influx.org,
            "RETOUR_INFLUX_BUCKET": influx.bucket,
            "RETOUR_INFLUX_TOKEN": influx.token,
            "RETOUR_METRICS_PORT": str(free_port()),
            "RETOUR_API_PORT": str(free_port()),
        }
        yield {k: v for k, v in os.environ.items() if not k.startswith("RETOUR_")} | named


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_what_it_starts_works_on_real_servers(unit, environment, tmp_path):
    if "worker" in unit.name:
        store = PostgresqlStore(environment["RETOUR_DATABASE"])
        with closing(store), store.writing() as tx:
            project(tx, True, PROGRAM)
    words = started(unit)
    ready = {
        "gateway": (environment["RETOUR_METRICS_PORT"], "/health"),
        "worker": (environment["RETOUR_METRICS_PORT"], "/health"),
        "api": (environment["RETOUR_API_PORT"], "/health/ready"),
    }
    port, path = ready[words[0]]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "retour", *words], env=environment, cwd=tmp_path, stderr=log
        )
    try:

        def healthy():
            assert process.poll() is None, (tmp_path / "log").read_text()
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
                    return json.load(answer)["ready"]
            except OSError:
                return False

        wait_for(healthy, f"{words} is ready")
        process.send_signal(signal.SIGTERM)
        assert process.wait(WITHIN_S) == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(WITHIN_S)
