"""What `retour replay` registers."""

from dataclasses import replace
from types import MappingProxyType

import pytest

from commands.replay import FORMATS, SKIPPED, register_recording, tell
from firmware_sim.recordings import RecordedMessage, Recording
from gateway.running import Parts
from tracker.clocks import ReplayClock
from tracker.model import Asset, Device
from tracker.registry import register_device
from tracker.stamps import StampPolicy
from tracker.stores.sqlite import SqliteStore


@pytest.fixture
def store(tmp_path):
    store = SqliteStore(tmp_path / "retour.db")
    yield store
    store.close()


def register(store, ids):
    messages = tuple(RecordedMessage(id, "b", 0, 0, b"") for id in ids)
    parts = Parts(store, ReplayClock(0), StampPolicy(), "test")
    recording = Recording("schenker", 2, MappingProxyType({}), messages)
    register_recording(parts, recording, FORMATS["schenker"])


def test_assets_are_of_the_class_that_the_format_knows(store):
    ids = ("schenker-A", "schenker-B")
    with store.writing() as tx:
        tx.put_assets([Asset("schenker-B", "crate")])
    for _ in range(2):
        register(store, ids)
    with store.reading() as reader:
        assert [reader.asset(id).class_ for id in ids] == ["container", "crate"]
        assert all(reader.device(id).device.recording for id in ids)


def test_what_a_world_file_says_of_a_tracker_stays(store):
    known = Device("schenker-A", "tracker", rest_interval_s=3600, moving_interval_s=600)
    with store.writing() as tx:
        register_device(tx, known, StampPolicy())
    register(store, ["schenker-A"])
    with store.reading() as reader:
        device = reader.device("schenker-A").device
    assert device == replace(known, recording=True, version=2)


def test_what_was_skipped_is_told_in_words(capsys):
    skipped = dict.fromkeys(SKIPPED, 1_151)
    figures = dict.fromkeys(("rows", "published", "receipted", "stored", "seconds"), 0)
    tell(figures | {"skipped": skipped}, "schenker")
    shown = capsys.readouterr().out
    assert shown.count("1,151") == len(SKIPPED)
    assert "without a time that can be read" in shown
