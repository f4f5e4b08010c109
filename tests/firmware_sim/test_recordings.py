"""Rows of recordings as messages: small ones written here, and the whole of the shared data."""

from __future__ import annotations

import gzip
import json
from itertools import groupby

import pytest

from firmware_sim.recordings import read_capmetro, read_schenker
from tests.recordings import recording_in

SCHENKER = """\
index,SXXJ number,Container,Date,Time_UTC,Latitude,Longitude,Accuracy,Active,Reverse,Sleep,Door,\
Mount,Motion,GForce,Tilt,Temperature,Humidity,Light,Origin,Destination
#,[No],[No],[yyyy-MM-dd],[hh:mm:ss],[deg decimal],[deg decimal],[m],[1=yes|0=no],[1=yes|0=no],\
[1=yes|0=no],[1=open|0=closed],[1=not mounted|0=mounted],[1=motion|0=no motion],[g],[deg],\
[Celsius],[%],[Lux],[],[]
"""
CAPMETRO = "vehicle_id,timestamp,speed,route_id,trip_id,latitude,longitude,trip_headsign\n"


@pytest.fixture
def schenker(tmp_path):
    def read(*rows: str):
        path = tmp_path / "schenker.csv"
        path.write_text("\ufeff" + SCHENKER + "".join(f"{row}\n" for row in rows), "utf-8")
        return read_schenker(path)

    return read


@pytest.fixture
def capmetro(tmp_path):
    def read(*files: list[str]):
        paths = [tmp_path / f"{number}.csv.gz" for number in range(len(files))]
        for path, rows in zip(paths, files, strict=True):
            path.write_bytes(gzip.compress((CAPMETRO + "\n".join(rows) + "\n").encode()))
        return read_capmetro(paths)

    return read


def body(message) -> dict:
    return json.loads(message.payload)


def test_a_status_row_with_a_fix(schenker):
    row = "5,A,NONE,2016-08-08,16:00:07,25.806801,-80.367798,30,1,0,0,1,1,0,0.5,NA,29.9,72.8,NA,,"
    [message] = schenker(row)
    assert (message.device, message.seq, message.at_ms) == ("schenker-A", 0, 1470672007000)
    assert body(message) == {
        "boot": message.boot,
        "seq": 0,
        "sent": 1470672007000,
        "events": [
            {
                "at": 1470672007000,
                "fix": {"lat": 25.806801, "lon": -80.367798, "acc": 30.0},
                "sensor": {"shock": 0.5, "temperature": 29.9, "humidity": 72.8},
                "status": {
                    "active": True,
                    "reverse": False,
                    "sleep": False,
                    "door_open": True,
                    "mounted": False,
                    "moving": False,
                },
            }
        ],
    }


def test_a_radio_cell_is_two_kilometres_and_a_sensor_row_has_no_status(schenker):
    cell, sensor = schenker(
        "1,A,NONE,2016-08-08,14:00:00,1,2,cellid-4,NA,NA,NA,NA,NA,NA,NA,NA,NA,NA,NA,,",
        "2,A,NONE,2016-08-08,14:00:01,NA,NA,NA,NA,NA,NA,NA,NA,NA,NA,0.017,NA,NA,0.015,,",
    )
    [event] = body(cell)["events"]
    assert event == {"at": cell.at_ms, "fix": {"lat": 1.0, "lon": 2.0, "acc": 2000.0}}
    [event] = body(sensor)["events"]
    assert event == {"at": sensor.at_ms, "sensor": {"tilt": 0.017, "light": 0.015}}


def test_schenker_rows_go_by_time_then_by_row_and_repeats_are_messages(schenker):
    def row(device: str, time: str, celsius: int) -> str:
        return f"1,{device},NONE,2016-08-08,{time},{'NA,' * 11}{celsius},NA,NA,,"

    recording = schenker(
        row("A", "12:00:02", 1),
        row("A", "12:00:01", 2),
        row("B", "12:00:01", 3),
        row("A", "12:00:01", 4),
        row("A", "12:00:01", 4),
    )
    assert [
        (message.device, message.seq, body(message)["events"][0]["sensor"]["temperature"])
        for message in recording
    ] == [
        ("schenker-A", 0, 2),
        ("schenker-B", 0, 3),
        ("schenker-A", 1, 4),
        ("schenker-A", 2, 4),
        ("schenker-A", 3, 1),
    ]


def test_unusable_rows_are_counted_with_their_reason(schenker):
    recording = schenker(
        f"1,A,NONE,2016-08-08,12:00:00,{'NA,' * 14},",
        f"2,A,NONE,2016-13-08,12:00:00,{'NA,' * 11}20,NA,NA,,",
        f"3,A,NONE,2016-08-08,12:00:00,{'NA,' * 11}warm,NA,NA,,",
        f"4,A,NONE,2016-08-08,12:00:00,{'NA,' * 11}nan,NA,NA,,",
        "5,A,NONE,2016-08-08",
        f"6,A,NONE,2016-08-08,12:00:00,{'NA,' * 11}20,NA,NA,,",
    )
    assert recording.rows == 6
    assert dict(recording.skipped) == {"empty": 1, "bad_time": 1, "bad_row": 3}
    assert [message.seq for message in recording] == [0]


def test_a_capmetro_row(capmetro):
    row = "2228,2016-11-24T00:00:51-06:00,12.96416,1,1669531,30.20585,-97.774315,1-Metric/South"
    [message] = capmetro([row])
    assert (message.device, message.at_ms) == ("capmetro-2228", 1479967251000)
    assert body(message)["sent"] == 1479967251000
    assert body(message)["events"] == [
        {
            "at": 1479967251000,
            "fix": {"lat": 30.20585, "lon": -97.774315, "speed": 12.96416},
        }
    ]


def test_capmetro_files_follow_one_another_each_a_boot_of_its_own(capmetro):
    late, early = (f"7,2016-11-24T00:0{minute}:00-06:00,,1,1,30,-97," for minute in (5, 1))
    recording = capmetro([late, early], [early])
    assert [message.seq for message in recording] == [0, 1, 0]
    assert [message.at_ms // 60_000 % 10 for message in recording] == [5, 1, 1]
    assert [len(list(group)) for _, group in groupby(recording, lambda m: m.boot)] == [2, 1]
    assert recording.messages == capmetro([late, early], [early]).messages


def test_unusable_capmetro_rows(capmetro):
    recording = capmetro(
        [
            "7,2016-11-24T00:05:00,1,1,1,30,-97,no offset",
            "7,2016-11-24T00:05:00-06:00,1,1,1,,-97,",
            "7,2016-11-24T00:05:00-06:00,1,1,1,30,-97",
            "7,2016-11-24T00:05:00-06:00,fast,1,1,30,-97,",
        ]
    )
    assert (recording.rows, len(recording)) == (4, 0)
    assert dict(recording.skipped) == {"bad_time": 1, "empty": 1, "bad_row": 2}


def test_a_file_twice_or_of_another_kind_is_refused(capmetro, tmp_path):
    with pytest.raises(ValueError, match="the same content"):
        capmetro(["7,2016-11-24T00:05:00-06:00,,1,1,30,-97,"] * 2, ["x"], ["x"])
    with pytest.raises(ValueError, match="no column Accuracy, Active"):
        read_schenker(tmp_path / "0.csv.gz")


def test_the_whole_of_schenker():
    recording = read_schenker(
        recording_in("schenker_containers") / "161209_Schenker_Sensordaten.csv"
    )
    assert recording.rows == 27_049
    assert dict(recording.skipped) == {"empty": 1_151}
    assert len(recording) == 25_898
    assert sum(b'"fix"' in message.payload for message in recording) == 2_159
    assert sum(b'"status"' in message.payload for message in recording) == 3_059
    assert {m.device for m in recording} == {f"schenker-{letter}" for letter in "ABCDEFGHI"}
    times = [message.at_ms for message in recording]
    assert times == sorted(times)


def test_the_whole_of_capmetro():
    recording = read_capmetro(sorted(recording_in("capmetro_fleet").glob("*.csv.gz")))
    assert (recording.rows, len(recording)) == (115_088, 115_088)
    assert not recording.skipped
    assert len({message.device for message in recording}) == 247
    assert len({message.boot for message in recording}) == 4
    assert len({(m.device, m.boot, m.seq) for m in recording}) == 115_088
