"""The demo's world file speaks of the same things as its simulated world, which knows no file."""

from importlib.resources import files

from firmware_sim.broker import Broker
from firmware_sim.clock import Clock
from firmware_sim.scene import BREAKS, PLACES, STRANGER, Broken, make_scene
from tracker.layout import Layout, Standpoint
from tracker.versions import Version
from tracker.world import read_world

WORLD = read_world((files("commands") / "demo_world.yaml").read_bytes())
SCENE = make_scene(Broker.parse("mqtt://127.0.0.1:1"), Clock(0, 60))


def test_all_devices_but_the_stranger_are_registered():
    registered = [reader.value.device for reader in WORLD.readers]
    registered += [tracker.device for tracker in WORLD.trackers]
    assert {device.device_id for device in SCENE.devices} == {*registered, STRANGER}


def test_every_asset_carries_what_the_file_says():
    carried = SCENE.trackers | SCENE.tags
    assert {
        asset.id: [*(tag.epc for tag in asset.tags), *(t.device for t in asset.trackers)]
        for asset in WORLD.assets
    } == {asset: [subject] for asset, subject in carried.items()}


def test_where_things_stop_is_inside_the_sites_of_the_same_name():
    sites = [
        Version(n, "site", s.value.id, None, None, 0, s.value) for n, s in enumerate(WORLD.sites)
    ]
    layout = Layout(sites)
    for name, place in PLACES.items():
        assert layout.site_around(Standpoint(place.lat, place.lon, 15), 0) == name


def test_a_tracker_breaks_and_senses_nothing_any_more():
    class Sensing:
        next_due_ms = 0

        def step(self, now_ms):
            self.next_due_ms = now_ms + 10
            return [{"at": now_ms}]

    world, seen = Broken(Sensing(), 25), []
    while world.next_due_ms < 1_000:
        seen += world.step(world.next_due_ms)
    assert [event["at"] for event in seen] == [0, 10, 20, 30]
    assert BREAKS in SCENE.trackers.values()
