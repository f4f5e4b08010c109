"""The commands as a user gives them, each in a process of its own."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request

import pytest

from gateway.mosquitto import free_port
from tests.recordings import recording_in

WITHIN_S = 120
HEADER = (
    "index,SXXJ number,Container,Date,Time_UTC,Latitude,Longitude,Accuracy,Active,Reverse,Sleep,"
    "Door,Mount,Motion,GForce,Tilt,Temperature,Humidity,Light,Origin,Destination\n"
)
UNITS = "#" + "," * 20 + "\n"
ROWS = [
    "0,A,NONE,2016-08-08,14:40:34,25.794100,-80.369301,cellid,0,0,1,1,1,0,NA,NA,NA,NA,NA,,",
    "1,A,NONE,2016-08-08,14:39:36,25.8,-80.4,30,1,0,0,0,0,0,0.0,NA,29.8,75.7,NA,,",
    "2,A,NONE,2016-08-08,14:39:40,NA,NA,NA,NA,NA,NA,NA,NA,NA,NA,NA,NA,NA,NA,,",
    "3,B,NONE,2016-08-08,25:00:00,1.0,2.0,30,1,0,0,0,0,0,0.0,NA,29.8,75.7,NA,,",
]


@pytest.fixture
def settings(tmp_path):
    env = {name: value for name, value in os.environ.items() if not name.startswith("RETOUR_")}
    ports = {"RETOUR_API_PORT": str(free_port()), "RETOUR_MQTT_PORT": str(free_port())}
    return env | ports | {"RETOUR_DATABASE": f"sqlite:///{tmp_path}/retour.db"}


@pytest.fixture
def retour(settings):
    """Run a command to its end: its exit status, what it printed, and its complaints."""

    def run(*words):
        done = subprocess.run(
            [sys.executable, "-m", "retour", *map(str, words)],
            env=settings,
            capture_output=True,
            text=True,
            timeout=WITHIN_S,
        )
        return done.returncode, done.stdout, done.stderr

    return run


@pytest.fixture
def up(settings):
    """`retour up`, ready to be asked."""
    command = [sys.executable, "-m", "retour", "up"]
    process = subprocess.Popen(command, env=settings, stdout=subprocess.PIPE, text=True)
    try:
        assert "questions go to" in process.stdout.readline()
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
    assert process.returncode == 0


def ask(settings, path, key):
    url = f"http://127.0.0.1:{settings['RETOUR_API_PORT']}{path}"
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {key}"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def test_the_demo_shows_its_world_and_keeps_its_promise(retour):
    status, shown, complaints = retour("demo", "--exit", "--seconds", "20")
    assert status == 0, complaints
    assert "Authorization: Bearer rtr_" in shown
    assert "receipted but missing              0" in shown
    for told in (
        r"\n\d{4}-\d\d-\d\d \d\d:\d\d  pallet-\d+: [a-z ]+ → [a-z ]+  ",
        r"\npallet-1 +[a-z ]+ \d+% ",
        r"retour stages\n.*\n (.*\n)* in use +\d+ +\d+ d",
        r"retour stage \w+-\d+\n(.*\n)+ stage +how likely ",
        r"retour timeline \w+-\d+\n(.*\n)+? 20.*Z  stage ",
        r"retour inside depot\n.*\n \w+-\d+ +depot +(seen|entered) ",
        r"retour quarantine\n.*\n trk-99 ",
        r"retour dead-letters\n.*\n 1 .* trk-99 +bad_event +lat is 51905",
        r"and was told its true stage +[1-9]\d*%",
    ):
        assert re.search(told, shown), (told, shown)


def test_a_recording_is_stored_once_and_answered_from(retour, settings, tmp_path, request):
    file = tmp_path / "recording.csv"
    file.write_text(HEADER + UNITS + "\n".join(ROWS) + "\n", encoding="utf-8-sig")
    replay = ("replay", file, "--format", "schenker", "--embedded", "--json")
    for stored in (2, 0):
        status, shown, complaints = retour(*replay)
        assert status == 0, complaints
        summary = json.loads(shown)
        assert summary.pop("seconds") > 0
        assert summary == {
            "rows": 4,
            "published": 2,
            "receipted": 2,
            "stored": stored,
            "skipped": {"empty": 1, "bad_time": 1},
        }
    assert retour("verify", "--json")[0] == 0
    key = json.loads(retour("key", "create", "me", "--json")[1])["key"]
    request.getfixturevalue("up")
    location = ask(settings, "/v1/assets/schenker-A/location", key)
    assert (location["lat"], location["acc"]) == (25.7941, 2000.0)
    assert len(ask(settings, "/v1/assets/schenker-A/track", key)["items"]) == 2


def test_nine_months_of_containers(retour):
    file = recording_in("schenker_containers") / "161209_Schenker_Sensordaten.csv"
    status, shown, complaints = retour(
        "replay", file, "--format", "schenker", "--embedded", "--json"
    )
    assert status == 0, complaints
    summary = json.loads(shown)
    assert summary["rows"] == 27_049
    assert summary["published"] == summary["receipted"] == summary["stored"] == 25_898
    assert summary["skipped"] == {"empty": 1_151}
    assert json.loads(retour("verify", "--json")[1])["sound"]


def test_a_key_is_shown_once_and_ends_when_revoked(retour, settings, up):
    created = json.loads(retour("key", "create", "me", "--json")[1])
    assert ask(settings, "/v1/assets", created["key"])["items"] == []
    assert created["key"] not in retour("key", "list", "--json")[1]
    assert retour("key", "revoke", created["id"])[0] == 0
    with pytest.raises(urllib.error.HTTPError, match="401"):
        ask(settings, "/v1/assets", created["key"])


def test_devices_and_assets_can_be_said_twice_and_not_otherwise(retour):
    device = ("device", "create", "rdr-1", "--kind", "reader", "--place", "51.9,4.4")
    asset = ("asset", "create", "A1", "--tag", "3374257BF40C0E400000162E", "--tracker", "rdr-1")
    for command in (device, asset):
        assert [retour(*command)[0] for _ in range(2)] == [0, 0]
    status, _, complaints = retour("device", "create", "rdr-1", "--kind", "tracker")
    assert status == 1
    assert complaints == "retour: device rdr-1 is registered already, as reader\n"


def watched(port, path):
    """What a gateway alone answers: the status and the text."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_a_gateway_alone_tells_what_it_counts_and_what_ails_it(mosquitto_world):
    world, port = mosquitto_world, free_port()
    world.ready_gateway(metrics_port=port)
    device = world.device()
    device.publish(3)
    device.wait_for_receipts()
    status, counts = watched(port, "/metrics")
    assert status == 200
    assert "\nretour_messages_total 3.0\n" in counts
    assert watched(port, "/health") == (200, '{"ready":true,"problems":[]}')
    assert watched(port, "/v1/assets")[0] == 404
    with socket.socket() as from_elsewhere:
        from_elsewhere.settimeout(2)
        assert from_elsewhere.connect_ex(("127.0.0.2", port)) != 0

    world.broker.stop()
    world.wait_for(lambda: watched(port, "/health")[0] == 503, "the gateway misses its broker")
    problems = ["the gateway is not connected to the broker"]
    assert json.loads(watched(port, "/health")[1]) == {"ready": False, "problems": problems}


def test_a_metrics_port_that_is_taken_is_told_before_connecting(retour, settings):
    settings["RETOUR_MQTT_URL"] = f"mqtt://127.0.0.1:{free_port()}"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = settings["RETOUR_METRICS_PORT"] = str(taken.getsockname()[1])
        status, _, complaints = retour("gateway")
    assert status == 1
    assert complaints.startswith(f"retour: RETOUR_METRICS_PORT: cannot listen on 127.0.0.1:{port}")
    assert complaints.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["gateway"], "RETOUR_MQTT_URL is not set"),
        (["replay", "none.csv", "--format", "schenker"], "No such file"),
        (["replay", "none.csv", "--format", "other"], "no format 'other'"),
        (["key", "create", "me", "--scope", "all"], "no such scope: all"),
        (["key", "revoke", "none"], "there is no key none in force"),
        (["device", "create", "r", "--place", "north"], "write it as LAT,LON"),
        (["device", "create", "a/b"], "is no device id"),
        (["asset", "create", "A1", "--tag", "blue"], "no hexadecimal tag number"),
    ],
)
def test_what_the_user_can_put_right_is_told_in_one_line(retour, words, complaint):
    status, _, complaints = retour(*words)
    assert status == 1
    assert complaints.startswith("retour: ")
    assert complaint in complaints
    assert complaints.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("API_PORT", "many"),
        ("METRICS_PORT", "70000"),
        ("DATABASE", "mysql://x"),
        ("CLOCK", "fast"),
        ("LOG_LEVEL", "loud"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused_by_name(retour, settings, name, value):
    settings[f"RETOUR_{name}"] = value
    status, _, complaints = retour("up")
    assert status == 1
    assert f"RETOUR_{name}" in complaints
    assert complaints.count("\n") == 1
