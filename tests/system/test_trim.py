"""Fault 19: what is older than the log. A gateway goes on beside `retour db trim`, whose user
gives it in a process of its own."""

import json
import os
import subprocess
import sys
import time

import pytest

from tracker.fold import encode

MINUTE = 60_000
WITHIN_S = 60


def trim(world, *options):
    """`retour db trim` as a user gives it: its exit status, and what it says."""
    done = subprocess.run(
        [sys.executable, "-m", "retour", "db", "trim", *map(str, options), "--json"],
        env=os.environ | {"RETOUR_DATABASE": world.database.url},
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
    )
    return done.returncode, json.loads(done.stdout) if done.returncode == 0 else done.stderr


def belief(world, asset="on-trk-1"):
    with world.store.reading() as tx:
        return encode(tx.belief(asset)), tx.visits(asset)


@pytest.fixture
def told(world):
    """A gateway, and a device that has told of two hours, one fix a minute, all receipted."""
    world.ready_gateway()
    device = world.device()
    begin = time.time_ns() // 1_000_000 - 120 * MINUTE
    for minute in range(120):
        device.publish(1, at=begin + minute * MINUTE)
    device.wait_for_receipts()
    return world, device, begin


def test_19_an_event_older_than_the_log_is_stored_and_has_no_effect(told):
    world, device, begin = told
    before, edge = belief(world), begin + 60 * MINUTE
    would = trim(world, "--before", edge, "--dry-run")[1]
    assert (would["rows"], world.count("log")) == (60, 120)
    status, done = trim(world, "--before", edge)
    assert (status, done["rows"], done["assets"]) == (0, 60, 1)
    assert world.count("log") == 60
    assert world.verify()["before_edge"] == 0

    device.publish(1, at=begin + 30 * MINUTE + 1)
    device.wait_for_receipts()
    assert world.count("log") == 61
    assert world.verify()["before_edge"] == 1
    assert belief(world) == before

    device.publish(1, at=begin + 90 * MINUTE + 1)
    device.wait_for_receipts()
    assert belief(world) != before
    report = world.verify()
    assert (report["before_edge"], report["receipted_but_missing"]) == (1, 0)


def test_19_what_is_gone_and_comes_again_is_receipted_and_stays_gone(told):
    """As after a restart of a device that has lost its receipts."""
    world, device, begin = told
    before = belief(world)
    assert trim(world, "--before", begin + 60 * MINUTE)[0] == 0
    for gateway in world.gateways:
        gateway.stop()
    world.ready_gateway()
    device.receipts.clear()
    device.send(range(120))
    device.wait_for_receipts()
    assert (world.count("log"), world.count("dead_letters")) == (60, 0)
    assert belief(world) == before
    assert world.verify()["duplicates"] == 0


def test_an_edge_that_cannot_be_is_refused_in_one_line(told):
    world, _, begin = told
    for edge, complaint in ((begin + 60 * MINUTE, None), (begin, "the log begins at")):
        status, said = trim(world, "--before", edge)
        assert (status == 0) == (complaint is None)
    assert complaint in said
    assert said.count("\n") == 1
    assert "in the future" in trim(world, "--before", "2099-01-01")[1]
    assert "either --before or --days" in trim(world)[1]
    assert world.count("log") == 60
