"""`retour evaluate` on a small world that is written by hand."""

import base64
import json
import random
from itertools import pairwise

import pytest

from commands import evaluate

HOUR = 3_600_000
START = 1_790_002_800_000  # a whole hour
EPCS = [f"3374257BF40C0E400000{n:04X}" for n in range(1, 4)]
DEPOT, CUSTOMER = (51.92, 4.48), (51.80, 4.30)
WORLD = {
    "retour": 1,
    "sites": [
        {"id": "depot", "kind": "depot", "geofence": {"center": [4.48, 51.92], "radius_m": 200}},
        {"id": "cust", "kind": "customer", "geofence": {"center": [4.30, 51.80], "radius_m": 200}},
    ],
    "zones": [
        {"id": "z-ready", "site": "depot", "stage": "ready", "adjacent": ["z-out"]},
        {"id": "z-out", "site": "depot", "stage": "outbound", "adjacent": ["z-ready"]},
    ],
    "readers": [
        {"device": "rdr-ready", "zone": "z-ready", "cycle_s": 1800},
        {"device": "rdr-out", "zone": "z-out", "cycle_s": 1800},
    ],
    "trackers": [
        {"device": f"trk-{n}", "rest_interval_s": 21600, "moving_interval_s": 3600}
        for n in range(3)
    ],
    "assets": [
        {
            "id": f"A{n}",
            "class": "pallet",
            "initial_stage": "ready",
            "tags": [{"epc": EPCS[n]}],
            "trackers": [{"device": f"trk-{n}"}],
        }
        for n in range(3)
    ],
}
LEAVES = [10, 12, 15]  # hours after the start
ARRIVES = [16, 20, 19]
END = 60


def truth_lines():
    for n in range(3):
        times = [0, LEAVES[n], ARRIVES[n], END]
        for stage, since, until in zip(
            ("ready", "outbound", "in_use"), times[:-1], times[1:], strict=True
        ):
            yield {
                "asset": f"A{n}",
                "stage": stage,
                "from": START + since * HOUR,
                "to": START + until * HOUR,
            }


def message_lines(seed=1):
    """What came, in order: reads of several assets together, fixes, facts; some of it late or
    twice, some that cannot be decoded."""
    chance, lines, seqs = random.Random(seed), [], {}

    def tell(device, received, *events, topic="events"):
        seqs[device] = seqs.get(device, -1) + 1
        payload = {"boot": "b1", "seq": seqs[device], "sent": received, "events": list(events)}
        line = {"received_at": received, "topic": f"retour/v1/{device}/{topic}", "payload": payload}
        lines.append(line)
        if chance.random() < 0.1:
            lines.append({**line, "received_at": received + chance.randrange(5 * HOUR)})

    for half in range(2 * END):
        at = START + half * HOUR // 2 + 1_000
        for zone, first, last in (("ready", [0, 0, 0], LEAVES), ("out", LEAVES, [12, 13, 16])):
            here = [n for n in range(3) if first[n] <= half / 2 < last[n] and chance.random() < 0.8]
            reads = [
                {"at": at + n, "read": {"epc": EPCS[n], "antenna": 1, "rssi": -55.0, "count": 5}}
                for n in here
            ]
            if reads:
                late = chance.randrange(3 * HOUR) if chance.random() < 0.2 else 500
                tell(f"rdr-{zone}", at + late, *reads)
    for n in range(3):
        for hour in range(0, END, 3):
            lat, lon = CUSTOMER if hour >= ARRIVES[n] else DEPOT
            at = START + hour * HOUR + chance.randrange(HOUR)
            fix = {"lat": lat, "lon": lon, "acc": 10.0}
            tell(f"trk-{n}", at + 800, {"at": at, "fix": fix, "status": {"moving": False}})
        at = START + LEAVES[n] * HOUR
        fact = {"id": f"f-{n}", "asset": f"A{n}", "kind": "dispatched", "at": at}
        lines.append({"received_at": at + chance.randrange(HOUR), "fact": fact})
    body = base64.b64encode(b'{"boot": "b2", "seq": 0, "events": [{"at": 1}]}').decode()
    for topic in ("retour/v1/rdr-out/events", "elsewhere"):
        lines.append({"received_at": START + HOUR, "topic": topic, "payload_base64": body})
    lines.sort(key=lambda line: line["received_at"])
    return lines


def write_lines(path, lines):
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


@pytest.fixture
def folder(tmp_path):
    """Writes a folder that holds a world."""

    def write(name, lines=None, truth=None):
        path = tmp_path / name
        path.mkdir()
        (path / "WORLD.yaml").write_text(json.dumps(WORLD))
        write_lines(path / "MESSAGES.jsonl", message_lines() if lines is None else lines)
        write_lines(path / "TRUTH.jsonl", truth_lines() if truth is None else truth)
        return path

    return write


def words(path):
    return (
        *("--world", path / "WORLD.yaml", "--messages", path / "MESSAGES.jsonl"),
        *("--truth", path / "TRUTH.jsonl"),
    )


@pytest.fixture
def judge(run):
    """The figures of a folder, and the lines of timeline and posteriors."""

    def give(path, *more):
        out = [path / "timeline.jsonl", path / "posteriors.jsonl"]
        status, shown, complaints = run(
            *("evaluate", *words(path), "--timeline", out[0], "--posteriors", out[1], *more)
        )
        assert status == 0, complaints
        figures = json.loads(shown)
        del figures["seconds"]
        return figures, *(one.read_bytes() for one in out)

    return give


def parsed(text):
    return [json.loads(line) for line in text.splitlines()]


def stage_told(timeline, asset, at):
    told = [line["stage"] for line in timeline if line["asset"] == asset and line["at"] <= at]
    return told[-1] if told else "unknown"


def test_figures_are_what_the_files_say(folder, judge):
    figures, timeline, posteriors = judge(folder("w"))
    timeline, posteriors = parsed(timeline), parsed(posteriors)
    assert [line["at"] for line in timeline] == sorted(line["at"] for line in timeline)
    truth = list(truth_lines())

    right = dict.fromkeys(("ready", "outbound", "in_use"), 0)
    whole = dict.fromkeys(right, 0)
    delays = []
    for span in truth:
        cuts = {line["at"] for line in timeline if span["from"] < line["at"] < span["to"]}
        cuts = sorted({span["from"], span["to"]} | cuts)
        parts = list(pairwise(cuts))
        good = [p for p in parts if stage_told(timeline, span["asset"], p[0]) == span["stage"]]
        right[span["stage"]] += sum(until - since for since, until in good)
        whole[span["stage"]] += span["to"] - span["from"]
        if span["stage"] != "ready":
            delays.append((good[0][0] - span["from"]) / HOUR)
    assert figures["acc"] == pytest.approx(sum(right.values()) / sum(whole.values()))
    assert figures["macro"] == pytest.approx(sum(right[s] / whole[s] for s in whole) / 3)
    assert figures["active"] == pytest.approx(right["outbound"] / whole["outbound"])
    assert figures["delay_median_h"] == pytest.approx(sorted(delays)[2])
    assert figures["delay_p90_h"] == pytest.approx(max(delays))
    assert figures["missed"] == 0
    assert 0.5 < figures["acc"] < 1

    bins, brier, hours = {}, 0.0, 0
    for line in posteriors:
        true = [
            t["stage"]
            for t in truth
            if t["asset"] == line["asset"] and t["from"] <= line["at"] < t["to"]
        ]
        if not true or line["at"] % HOUR or line["at"] == START:
            continue
        best = max(line["p"], key=line["p"].get)
        sure, hits = bins.get(int(line["p"][best] * 10), (0.0, 0))
        bins[int(line["p"][best] * 10)] = sure + line["p"][best], hits + (best == true[0])
        brier += sum((p - (stage == true[0])) ** 2 for stage, p in line["p"].items())
        hours += 1
    assert hours > 150
    assert figures["ece"] == pytest.approx(sum(abs(s - h) for s, h in bins.values()) / hours)
    assert figures["brier"] == pytest.approx(brier / hours)


def test_posteriors_are_of_every_asset_from_its_first_truth_to_the_last_line(folder, judge):
    truth = [line for line in truth_lines() if line["asset"] != "A2"]
    truth.append({"asset": "A2", "stage": "ready", "from": START + 7_000, "to": START + HOUR})
    path = folder("w", truth=truth)
    _, _, posteriors = judge(path, "--every", "1800")
    last = max(line["received_at"] for line in message_lines())
    for asset, first in (("A0", START), ("A1", START), ("A2", START + 7_000)):
        ats = [line["at"] for line in parsed(posteriors) if line["asset"] == asset]
        assert ats == [*range(first, last, HOUR // 2), last]
    assert all(sum(line["p"].values()) == pytest.approx(1) for line in parsed(posteriors))


def test_lines_taken_together_tell_what_they_tell_one_by_one(folder, judge, monkeypatch):
    lines = [*message_lines(1), *message_lines(2)]  # the second tells otherwise by the same names
    lines.sort(key=lambda line: line["received_at"])
    path = folder("w", [line for line in lines if "fact" not in line])
    together = judge(path)
    monkeypatch.setattr(evaluate, "LINES_AT_ONCE", 1)
    assert judge(path) == together
    monkeypatch.setattr(evaluate, "LINES_AT_ONCE", 7)
    assert judge(path) == together


def test_with_facts_too(folder, judge, monkeypatch):
    path = folder("w")
    together = judge(path)
    monkeypatch.setattr(evaluate, "LINES_AT_ONCE", 1)
    assert judge(path) == together


def test_two_runs_write_the_same_bytes(folder, judge):
    path = folder("w")
    assert judge(path) == judge(path)


def test_what_was_read_is_counted(folder, judge):
    lines = message_lines()
    figures, *_ = judge(folder("w", [*lines[:50], *lines[:50]]))
    again, *_ = judge(folder("v", lines[:50]))
    assert again["undecodable"] == 1  # the topic; what an event lacks fails alone
    assert figures["observations"] == again["observations"] > 50
    assert figures["duplicates"] == 2 * again["duplicates"] + again["observations"]
    assert figures["late"] == again["late"] > 0


def test_time_never_goes_back(folder, judge):
    lines = message_lines()
    swapped = [*lines[:20], lines[40], *lines[20:40], *lines[41:]]
    _, timeline, _ = judge(folder("w", swapped))
    ats = [line["at"] for line in parsed(timeline)]
    assert ats == sorted(ats)


GOOD = '{"received_at": 1790002800000, "topic": "x", "payload": {}}\n'


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", "MESSAGES.jsonl: line 2: no JSON object with a `received_at` in epoch ms"),
        ("[]", "MESSAGES.jsonl: line 2: no JSON object with a `received_at` in epoch ms"),
        ('{"received_at": true}', "line 2: no JSON object with a `received_at`"),
        ('{"received_at": 1}', "line 2: neither a `topic` nor a `fact`"),
        ('{"received_at": 1, "topic": "retour/v1/a/events"}', "a `topic` without a `payload`"),
        (
            '{"received_at": 1, "topic": "retour/v1/a/events", "payload_base64": "%"}',
            "line 2: `payload_base64` is no base64",
        ),
        ('{"received_at": 1, "fact": 3}', "line 2: `fact` is no JSON object"),
    ],
)
def test_a_bad_line_of_messages_is_named(run, folder, text, complaint):
    path = folder("w")
    (path / "MESSAGES.jsonl").write_text(GOOD + text)
    status, shown, complaints = run("evaluate", *words(path))
    assert (status, shown) == (1, "")
    assert complaint in complaints
    assert complaints.count("\n") == 1


@pytest.mark.parametrize(
    "fact",
    [
        {"kind": "sold"},
        {"id": "f", "asset": "B", "kind": "received", "at": START},
        {"id": "f", "asset": "A1", "kind": "received", "at": 1},
        {"id": "f", "asset": "A1", "kind": "inspected", "outcome": "mars", "at": START},
    ],
)
def test_a_fact_that_cannot_be_is_counted_and_the_run_goes_on(run, folder, fact):
    path = folder("w")
    line = json.dumps({"received_at": START, "fact": fact})
    (path / "MESSAGES.jsonl").write_text(GOOD + line)
    status, shown, _ = run("evaluate", *words(path))
    assert (status, json.loads(shown)["refused_facts"]) == (0, 1)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "TRUTH.jsonl: holds no line"),
        ("{", "line 1: no JSON object with `asset`, `stage`, `from` and `to`"),
        (
            '\n{"asset": "A1", "stage": "ready", "from": "now", "to": 3}',
            "line 2: no JSON object with `asset`, `stage`, `from` and `to`",
        ),
        (
            '{"asset": "A1", "stage": "ready", "from": 4, "to": 3}',
            "line 1: `to` lies before `from`",
        ),
        ('{"asset": "B", "stage": "ready", "from": 1, "to": 3}', "there is no asset B in"),
    ],
)
def test_a_bad_line_of_the_truth_is_named(run, folder, text, complaint):
    path = folder("w")
    (path / "TRUTH.jsonl").write_text(text)
    status, shown, complaints = run("evaluate", *words(path))
    assert (status, shown) == (1, "")
    assert complaint in complaints
    assert complaints.count("\n") == 1


def test_worlds_are_pooled(run, folder, judge):
    paths = [folder("v"), folder("w", message_lines(3)[::2])]
    alone = [judge(path)[0] for path in paths]
    status, shown, complaints = run("evaluate", "--pool", paths[0], "--pool", paths[1])
    assert status == 0, complaints
    pooled = json.loads(shown)
    assert pooled["worlds"] == {str(path): one for path, one in zip(paths, alone, strict=True)}
    assert pooled["acc"] == pytest.approx((alone[0]["acc"] + alone[1]["acc"]) / 2)
    assert pooled["observations"] == alone[0]["observations"] + alone[1]["observations"]
    visits = {stage: one["visits"] for stage, one in pooled["per_stage"].items()}
    assert visits == {"ready": 0, "outbound": 6, "in_use": 6}
    assert alone[0]["acc"] != alone[1]["acc"]


def test_worlds_side_by_side_are_judged_the_same(run, folder):
    pools = ["--pool", folder("v"), "--pool", folder("w", message_lines(3)[::2])]
    found = []
    for jobs in (1, 2):
        status, shown, complaints = run("evaluate", *pools, "--jobs", jobs)
        assert status == 0, complaints
        found.append(json.loads(shown))
        del found[-1]["seconds"]
    assert found[0] == found[1]


def test_a_bad_line_of_a_world_beside_others_is_named(run, folder):
    paths = [folder("v"), folder("w", message_lines()[:50])]
    (paths[1] / "MESSAGES.jsonl").write_text(GOOD + "{")
    status, _, complaints = run("evaluate", "--pool", paths[0], "--pool", paths[1], "--jobs", 2)
    assert status == 1
    assert "w/MESSAGES.jsonl: line 2: no JSON object" in complaints
    assert complaints.count("\n") == 1


def test_one_says_which_world_once(run, folder):
    path = folder("w")
    for given in ([], words(path)[:4], [*words(path), "--pool", path]):
        status, _, complaints = run("evaluate", *given)
        assert status == 1
        assert "give --world, --messages and --truth, or folders as --pool" in complaints
    status, _, complaints = run(
        *("evaluate", "--pool", path, "--pool", path, "--timeline", path / "out")
    )
    assert status == 1
    assert "--timeline, --posteriors and --alerts are of one world" in complaints


@pytest.mark.parametrize("method", ["last-zone", "debounced", "rule", "smoother"])
def test_other_methods_are_judged_by_the_same_figures(run, folder, judge, method):
    path = folder("w")
    lines = path / "told.jsonl"
    status, shown, complaints = run(
        "evaluate", *words(path), "--method", method, "--timeline", lines
    )
    assert status == 0, complaints
    figures, told = json.loads(shown), parsed(lines.read_bytes())
    by_filter, *_ = judge(path)
    for key in ("observations", "duplicates", "late", "undecodable"):
        assert figures[key] == by_filter[key]
    assert figures["acc"] > 0.5
    assert figures["ece"] is None
    assert [line["at"] for line in told] == sorted(line["at"] for line in told)
    for n in range(3):
        stages = [line["stage"] for line in told if line["asset"] == f"A{n}"]
        assert stages[0] == "ready"
        assert stages[-1] == "in_use"


def test_only_the_filter_tells_probabilities(run, folder):
    path = folder("w")
    more = ("--method", "rule", "--posteriors", path / "out")
    status, _, complaints = run("evaluate", *words(path), *more)
    assert status == 1
    assert "--posteriors and --alerts are the filter's" in complaints
    assert not (path / "out").exists()


def test_it_is_judged_which_lines_are_foretold_to_be_late(run, tmp_path):
    """Tools that are lent for days: the same figures twice, over all lines and those under way."""
    scenario = tmp_path / "short.yaml"
    scenario.write_text(
        "name: Lent for days\ndays: 14\nassets: {count: 4, class: tool, id: tool}\n"
        "depots: [{id: depot, at: [4.48, 51.92]}]\ncustomers: [{id: cust, at: [4.3, 51.8]}]\n"
        "stages: {ready: {mean_h: 12}, in_use: {mean_h: 30}, return_requested: {mean_h: 6}}\n"
        "leases: {share: 1, slack_days: 1}\n"
    )
    assert run("simulate", scenario, "--out", tmp_path / "world")[0] == 0
    given = ("evaluate", "--forecast", "--pool", tmp_path / "world")
    figures = [json.loads(run(*given)[1]) for _ in range(2)]
    for one in figures:
        del one["seconds"]
    assert figures[0] == figures[1]
    found = figures[0]["2 days before"]
    assert found == figures[0]["worlds"][str(tmp_path / "world")]["2 days before"]
    assert 0 < found["under_way"]["lines"] <= found["lines"]
    assert 0.0 <= found["ece"] <= 1.0
    assert sum(row["lines"] for row in found["bins"]) == found["lines"]
    assert figures[0]["7 days before"]["lines"] == 0  # none lasts so long


def test_forecasts_are_judged_alone(run, folder):
    status, _, complaints = run("evaluate", *words(folder("w")), "--forecast", "--method", "rule")
    assert status == 1
    assert "--forecast goes with --process alone" in complaints
