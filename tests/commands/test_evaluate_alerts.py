"""`retour evaluate --alerts`: what becomes of alerts about leases, against the truth of a world."""

import json
import subprocess
import sys

import pytest

from commands.evaluate_leases import leases_of
from tracker.world import read_world

HOUR = 3_600_000
WITHIN_S = 300
pytestmark = pytest.mark.thorough


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("world")


def retour(*words):
    command = [sys.executable, "-m", "retour", *map(str, words)]
    subprocess.run(command, check=True, capture_output=True, timeout=WITHIN_S)


@pytest.fixture(scope="module")
def judged(folder):
    """The alerts of a world that nothing was tuned on, its leases, and the truth."""
    files = {name: folder / f"{name}.jsonl" for name in ("MESSAGES", "TRUTH", "ALERTS")}
    retour("simulate", "pallets-nl", "--assets", 12, "--days", 45, "--seed", 8, "--out", folder)
    retour(
        *("evaluate", "--world", folder / "WORLD.yaml", "--messages", files["MESSAGES"]),
        *("--truth", files["TRUTH"], "--alerts", files["ALERTS"]),
    )
    alerts = [json.loads(line) for line in files["ALERTS"].read_text().splitlines()]
    truth = [json.loads(line) for line in files["TRUTH"].read_text().splitlines()]
    world = read_world((folder / "WORLD.yaml").read_bytes())
    return alerts, list(leases_of(world)), truth


def stage_at(truth, asset, at):
    spans = (span for span in truth if span["asset"] == asset)
    return next((one["stage"] for one in spans if one["from"] <= at < one["to"]), None)


def opened(alerts, lease, rule="overdue"):
    mine = [one for one in alerts if (one["lease"], one["rule"]) == (lease.id, rule)]
    return [one["at"] for one in mine if one["state"] == "open"]


def test_what_is_truly_overdue_is_told_within_the_hour(judged):
    alerts, leases, truth = judged
    end = max(span["to"] for span in truth) - HOUR
    late = [one for one in leases if is_late(one, truth, end)]
    for lease in late:
        deadline = lease.lines[0].due_at + lease.grace_ms
        assert any(deadline <= at <= deadline + HOUR for at in opened(alerts, lease)), lease.id
    assert late


def is_late(lease, truth, end):
    """Whether an asset is at its customer's at the deadline, and never came back before."""
    (line,) = lease.lines
    deadline = line.due_at + lease.grace_ms
    mine = [span for span in truth if span["asset"] == line.asset]
    stages = [s["stage"] for s in mine if s["to"] > line.start_at and s["from"] <= deadline + HOUR]
    while stages and stages[0] == "ready":  # it leaves in the course of the first day
        del stages[0]
    return deadline < end and {*stages} == {"outbound", "in_use"}


def test_nothing_is_told_overdue_before_its_deadline(judged):
    alerts, leases, _ = judged
    for lease in leases:
        deadline = lease.lines[0].due_at + lease.grace_ms
        assert all(at >= deadline for at in opened(alerts, lease))


def test_states_follow_one_another(judged):
    """Nobody is told of the same twice."""
    alerts, *_ = judged
    state = {}
    assert [one["at"] for one in alerts] == sorted(one["at"] for one in alerts)
    for one in alerts:
        name = (one["asset"], one["lease"], one["rule"])
        assert (one["state"] == "open") == (state.get(name) != "open")
        state[name] = one["state"]
