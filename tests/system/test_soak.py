"""A short soak, as a user gives it: `.ci/run` has a longer one."""

import json
import subprocess
import sys

import pytest

from tracker.stores.local_influx import influxd_binary
from tracker.stores.local_postgresql import postgresql_folder

WITHIN_S = 400


@pytest.mark.alone
@pytest.mark.parametrize(("store", "minutes"), [("postgresql", 0.6), ("sqlite", 0.4)])
def test_a_short_soak_keeps_the_promise(mosquitto_installed, require, store, minutes):
    require(influxd_binary(), "InfluxDB 2 (tests/build-influxd builds one)")
    if store == "postgresql":
        require(postgresql_folder(), "PostgreSQL (Debian: apt install postgresql)")
    words = ["bench", "soak", "--minutes", str(minutes), "--seed", "7", "--store", store]
    done = subprocess.run(
        [sys.executable, "-m", "retour", *words, "--json"],
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads(done.stdout)
    assert figures["sent"] == figures["receipted"] == figures["stored"] > 1_000
    assert (figures["lost"], figures["doubled"], figures["verify"]) == (0, 0, "sound")
    assert sum(figures["faults"].values()) == done.stderr.count(" s  ")
