"""The questions of a person at a terminal, asked of a small world."""

import csv
import json
from io import StringIO

import pytest

NOON = "2026-01-05T12:00:00.000Z"
WHERE = [
    "asset",
    "lat",
    "lon",
    "acc",
    "at",
    "age_s",
    "site",
    "source",
    "zone",
    "device",
    "confirmed",
]


def test_assets_are_listed_with_where_and_how_long_ago(ask):
    rows = {row["id"]: row for row in ask("assets")}
    assert list(rows) == ["crate-1", "crate-2", "pallet-1", "pallet-2", "pallet-3"]
    assert rows["pallet-1"] == {
        "id": "pallet-1",
        "class": "pallet",
        "name": "Blue 1",
        "site": "depot",
        "at": "2026-01-05T11:00:00.000Z",
        "age_s": 3600.0,
        "confirmed": True,
    }
    assert rows["crate-1"]["site"] == "shed"
    assert [rows["crate-2"][name] for name in ("site", "at", "age_s")] == [None, None, None]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["--search", "blue 2"], ["pallet-2"]),
        (["--search", "pal"], ["pallet-1", "pallet-2", "pallet-3"]),
        (["--class", "crate"], ["crate-1", "crate-2"]),
        (["--site", "shed"], ["crate-1"]),
        (["--search", "pal", "--site", "depot"], ["pallet-1"]),
        (["--search", "none such"], []),
        (["--limit", 2], ["crate-1", "crate-2"]),
    ],
)
def test_assets_are_searched(ask, words, found):
    assert [row["id"] for row in ask("assets", *words)] == found


def test_a_cut_list_says_so(run):
    assert "there are more than 2" in run("assets", "--limit", 2)[2]
    assert run("assets", "--limit", 5)[2] == ""


def test_where_an_asset_is(ask):
    answer = ask("where", "pallet-1")
    assert list(answer) == WHERE
    assert answer == {
        "asset": "pallet-1",
        "lat": 51.92,
        "lon": 4.48,
        "acc": 8.0,
        "at": "2026-01-05T11:00:00.000Z",
        "age_s": 3600.0,
        "site": "depot",
        "source": "fix",
        "zone": None,
        "device": "trk-1",
        "confirmed": True,
    }


def test_where_an_asset_is_that_only_a_reader_without_a_place_saw(ask, run):
    answer = ask("where", "crate-1")
    assert list(answer) == WHERE
    assert (answer["lat"], answer["lon"], answer["site"]) == (None, None, "shed")
    assert (answer["source"], answer["at"]) == ("read", "2026-01-05T11:00:00.000Z")
    assert answer["age_s"] == 3600.0
    assert "position" not in run("where", "crate-1")[1]


def test_where_is_told_to_people(run):
    _, shown, _ = run("where", "pallet-1")
    assert "depot (Depot [R])" in shown
    assert "51.92000, 4.48000 ± 8 m" in shown
    assert "1 hour ago, at 2026-01-05 11:00:00Z" in shown
    assert "fix by trk-1" in shown


def test_what_was_known_before_anything_was_recorded(run):
    status, shown, complaints = run("where", "pallet-1", "--as-of", "2020-01-01T00:00:00Z")
    assert (status, shown) == (1, "")
    assert complaints == "retour: nothing observed of asset pallet-1 says where it was\n"


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["where", "pallet-12"], "no asset pallet-12 is registered; did you mean pallet-"),
        (["where", "palet-1"], "did you mean pallet-1 or "),
        (["where", "zzz"], "no asset zzz is registered"),
        (["where", "/"], "no asset / is registered"),
        (["where", "crate-2"], "nothing observed of asset crate-2 says where it was"),
        (["where", "pallet-1", "--as-of", "noon"], "'noon' is neither ISO 8601"),
        (["where", "pallet-1", "--as-of", "2026-01-05T08:00:00"], "has no offset from UTC"),
        (["assets", "--site", "dpeot"], "there is no site dpeot; did you mean depot?"),
        (["inside", "dpeot"], "there is no site dpeot; did you mean depot?"),
        (["inside", "zzz"], "there is no site zzz\n"),
        (["visits", "--site", "dpeot"], "did you mean depot?"),
        (
            ["asset", "create", "x", "--tracker", "trk1"],
            "no device trk1 is registered; did you mean",
        ),
        (["asset", "create", "x", "--tracker", "zzz"], "run `retour device create zzz`"),
        (["visits"], "say either an asset or a --site"),
        (["visits", "pallet-1", "--site", "depot"], "say either an asset or a --site"),
        (["visits", "pallet-9"], "did you mean pallet-"),
        (["track", "pallet-9"], "did you mean pallet-"),
        (["track", "pallet-1", "--from", "10", "--to", "5"], "--from lies after --to"),
    ],
)
def test_what_cannot_be_answered_is_told_in_one_line(run, words, complaint):
    status, shown, complaints = run(*words)
    assert (status, shown) == (1, "")
    assert complaints.startswith("retour: ")
    assert complaint in complaints
    assert complaints.count("\n") == 1


@pytest.mark.parametrize("words", [["track", "pallet-1", "--format", "kml"], ["where"]])
def test_a_command_given_wrongly_ends_with_2(run, words):
    assert run(*words)[0] == 2


def test_who_is_inside_now_and_was_before(ask, run):
    assert [row["asset"] for row in ask("inside", "depot")] == ["pallet-1"]
    then = ask("inside", "depot", "--at", "2026-01-05T10:40:00Z")
    assert [row["asset"] for row in then] == ["pallet-1", "pallet-2"]
    assert "nothing was at depot then" in run("inside", "depot", "--at", "5")[1]


def test_visits_of_an_asset(ask):
    assert ask("visits", "pallet-2") == [
        {
            "asset": "pallet-2",
            "site": "depot",
            "since": "2026-01-05T10:30:00.000Z",
            "began": "seen",
            "last": "2026-01-05T10:35:00.000Z",
            "until": "2026-01-05T11:30:00.000Z",
            "ended": "left",
            "dwell_s": 300.0,
            "confirmed": True,
        }
    ]


def test_a_visit_that_lasts_is_told_too(ask, run):
    (visit,) = ask("visits", "pallet-1")
    assert (visit["since"], visit["began"]) == ("2026-01-05T10:00:00.000Z", "entered")
    assert (visit["until"], visit["ended"], visit["dwell_s"]) == (None, None, 3600.0)
    assert "entered 2026-01-05 10:00:00Z" in run("visits", "pallet-1")[1]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ([], ["pallet-1", "pallet-2"]),
        (["--to", "2026-01-05T10:20:00Z"], ["pallet-1"]),
        (["--from", "2026-01-05T11:40:00Z"], ["pallet-1"]),
    ],
)
def test_visits_to_a_site(ask, words, found):
    assert [row["asset"] for row in ask("visits", "--site", "depot", *words)] == found
    of_each = [one for asset in ("pallet-1", "pallet-2") for one in ask("visits", asset, *words)]
    assert [row["asset"] for row in of_each] == found


def test_sites_and_how_many_are_inside(ask, run):
    rows = ask("sites")
    assert [(row["id"], row["fence"], row["inside"]) for row in rows] == [
        ("depot", "circle", 1),
        ("shed", None, 1),
    ]
    assert "Depot [R]" in run("sites")[1]


def test_devices(ask, run):
    rows = {row["id"]: row for row in ask("devices")}
    assert rows["trk-1"] == {
        "id": "trk-1",
        "kind": "tracker",
        "recording": False,
        "last_heard": NOON,
        "age_s": 0.0,
        "silent": False,
        "battery": "0.83",
        "firmware": "1.4.2",
        "boot": "b1",
        "receipted": 3,
        "receipt_missing": [[1, 2]],
        "missing": 2,
        "lost": 0,
    }
    assert (rows["trk-3"]["silent"], rows["rdr-1"]["silent"]) == (True, None)
    assert [row["id"] for row in ask("devices", "--silent")] == ["trk-3"]
    assert ask("device", "list") == list(rows.values())
    assert "4 hours ago" in run("devices", "--silent")[1]


def test_dead_letters(ask, run):
    assert [row["reason"] for row in ask("dead-letters")] == ["unknown_topic", "not_json"]
    (letter,) = ask("dead-letters", "--reason", "not_json")
    assert (letter["device"], letter["topic"]) == ("s", "retour/v1/x/events")
    assert letter["payload"] == "\x1b[2J{"
    assert len(ask("dead-letters", "--limit", 1)) == 1
    assert "no dead letters" in run("dead-letters", "--reason", "none")[1]


def test_what_devices_send_commands_no_terminal(run):
    _, shown, _ = run("dead-letters")
    assert "\x1b" not in shown
    assert "at \ufffd[2J" in shown


def test_quarantine_names_the_devices_that_nobody_registered(ask, run):
    answer = ask("quarantine")
    assert answer["unknown_devices"] == [
        {"device": "who-1", "observations": 2, "first_received": NOON, "last_received": NOON}
    ]
    assert [row["reason"] for row in answer["held"]] == ["unknown_device"] * 2
    assert ask("quarantine", "--reason", "other")["held"] == []
    assert "retour device create ID" in run("quarantine")[1]


def test_a_track_in_every_format(run):
    def track(format):
        status, shown, _ = run("track", "pallet-1", "--format", format)
        assert status == 0
        return shown

    times = ["09:00", "10:00", "10:02", "11:00"]
    written = [f"2026-01-05T{time}:00.000Z" for time in times]
    assert [row["at"] for row in json.loads(track("json"))] == written
    assert [row["at"] for row in csv.DictReader(StringIO(track("csv")))] == written
    line, *points = json.loads(track("geojson"))["features"]
    assert line["geometry"]["type"] == "LineString"
    assert [point["properties"]["at"] for point in points] == written
    header, *lines = track("table").splitlines()
    assert header.split() == ["at", "latitude", "longitude", "±", "m", "source"]
    assert [row[:20] for row in lines] == [f"2026-01-05 {time}:00Z" for time in times]


def test_a_track_across_the_antimeridian_is_cut_there(run):
    _, shown, _ = run("track", "pallet-3", "--format", "geojson")
    assert json.loads(shown)["features"][0]["geometry"] == {
        "type": "MultiLineString",
        "coordinates": [[[179.0, -16.0], [180.0, -17.0]], [[-180.0, -17.0], [-179.0, -18.0]]],
    }


@pytest.mark.parametrize(
    ("words", "count"),
    [
        (["--from", "2026-01-05T10:00:00Z"], 3),
        (["--to", "2026-01-05T10:00:00Z"], 1),
        (["--from", "2026-01-05T10:00:00Z", "--to", "2026-01-05T10:02:00Z"], 1),
        (["--simplify", 100], 2),
        (["--from", "5", "--to", "6"], 0),
    ],
)
def test_a_part_of_a_track(run, words, count):
    assert len(json.loads(run("track", "pallet-1", "--format", "json", *words)[1])) == count


def test_a_track_of_many_pages_is_whole(run, monkeypatch):
    monkeypatch.setattr("commands.track.PAGE", 2)
    assert len(json.loads(run("track", "pallet-1", "--format", "json")[1])) == 4
