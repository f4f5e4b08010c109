"""The parts of `retour demo`: its worlds fit together, what is new is told, promises are checked.
The whole of it runs in tests/system."""

import pytest
from rich.console import Console

from commands.demo import DEMO_RATE, living, register
from commands.demo_check import check_promise, spans, told_truly
from commands.demo_picture import Row, is_news, line, picture
from commands.demo_watch import Look
from gateway.running import Parts
from tracker.asset_ports import AssetFilter
from tracker.clocks import SystemClock
from tracker.fold import Entry
from tracker.stamps import StampPolicy
from tracker.stores.sqlite import SqliteStore

NOON = 1_767_614_400_000  # 2026-01-05T12:00:00Z
SECONDS = 4


@pytest.fixture(scope="module")
def worlds():
    return living(NOON, SECONDS)


@pytest.fixture
def store(tmp_path):
    store = SqliteStore(tmp_path / "retour.db")
    yield store
    store.close()


def test_the_worlds_last_as_long_as_is_asked_for(worlds):
    lasts = [world.scenario.end_ms - world.scenario.start_ms for world in worlds]
    assert lasts == [SECONDS * 1_000 * DEMO_RATE] * len(worlds)
    assert {world.scenario.start_ms for world in worlds} == {NOON}


def test_the_worlds_have_places_in_common_and_no_device_twice(worlds, store):
    devices = [source.device for world in worlds for source in world.sources()]
    assert len(devices) == len({*devices})
    register(Parts(store, SystemClock(), StampPolicy(), "test"), worlds)
    with store.reading() as reader:
        assert [*reader.layout().sites()] == sorted(worlds[0].places.sites)
        assert {asset.id for asset in reader.assets(AssetFilter(), "", 100)} == {*spans(worlds)}


def row(stage, sentence, changed=0.0):
    told = {"stage": stage, "p": 0.97, "since": "2026-01-05T08:00:00Z", "sentence": sentence}
    return Row(told, "depot", changed)


def said(**more):
    at = {"at": "2026-01-05T08:00:00.000Z", "asset": "A1", "kind": "stage.changed"}
    return at | {"was": "return_transit", "stage": "received", "p": 0.97} | more


WHEN = "2026-01-05 08:00  A1: "
TOLD = {"A1": row("received", "Received since 08:00 UTC: it was received")}


@pytest.mark.parametrize(
    ("news", "rows", "told"),
    [
        (said(), {}, "return transit → received"),
        (said(was=None), {}, "unknown → received"),
        (said(), TOLD, "return transit → received  Received since 08:00 UTC: it was received"),
        (said(stage=None), TOLD, "return transit → unknown"),
        (
            said(kind="stage.corrected"),
            TOLD,
            "corrected: return transit → received is how it was",
        ),
        (
            said(kind="stage.corrected", withdrawn=True),
            TOLD,
            "corrected: return transit → received was not so",
        ),
        (
            said(kind="alert.retracted", rule="late_in_transit", lease="L1", note="was_on_time"),
            {},
            "late in transit (L1) retracted: was_on_time",
        ),
        (said(kind="alert.opened", rule="silence", lease=None, note=None), {}, "silence opened"),
    ],
)
def test_what_is_new_is_told_in_a_line(news, rows, told):
    assert line(news, rows).plain == WHEN + told


def test_what_time_alone_tells_no_more_is_no_news():
    assert is_news("stage by time", withdrawn=False)
    assert is_news("stage 7 6b", withdrawn=True)
    assert not is_news("stage by time", withdrawn=True)


def test_the_picture_fits_the_terminal():
    rows = {f"A{n}": row("ready", "Ready since 08:00 UTC") for n in range(14)}
    news = [said(asset=f"A{n}", stage="ready") for n in range(50)]
    console = Console(width=100, height=24)
    drawn = console.render_lines(picture(rows, news, NOON, console.height), pad=False)
    text = "\n".join("".join(part.text for part in line) for line in drawn)
    assert len(drawn) == console.height - 1
    assert "A0     ready  97%  4 h  depot  Ready since 08:00 UTC" in text
    assert "A49: return transit" in text
    assert "A20: return transit" not in text


@pytest.mark.parametrize(
    ("sentence", "where"), [(None, "nothing is known of it yet"), ("In use", "on the way")]
)
def test_only_what_is_known_of_is_said_to_be_on_the_way(sentence, where):
    console = Console(width=100, height=24)
    rows = {"A1": row("in_use", sentence)._replace(site=None)}
    with console.capture() as drawn:
        console.print(picture(rows, [], NOON, console.height))
    assert where in drawn.get()
    assert ("on the way" in drawn.get()) == (sentence is not None)


def test_a_receipt_for_what_is_not_stored_breaks_the_promise(store, capsys):
    check_promise(store, {("trk-1", "b0"): []})
    with pytest.raises(Exception, match="the promise is broken"):
        check_promise(store, {("trk-1", "b0"): [(0, 2)]})
    assert "receipted but missing              3" in capsys.readouterr().out


def test_where_no_change_is_told_nothing_is_told_truly(worlds, store, capsys):
    asset, so = next(iter(spans(worlds).items()))
    looks = [Look(asset, NOON, so[0].stage), Look(asset, NOON, "lost"), Look(asset, NOON, None)]
    assert not told_truly(store, looks, worlds)
    assert "true stage             33%" in capsys.readouterr().out


def test_what_is_told_and_true_is_told_truly(worlds, store):
    asset, so = next(iter(spans(worlds).items()))
    with store.writing() as tx:
        tx.journal([Entry(asset, "stage.changed", "stage 7 6b", NOON, {"stage": "ready"})], NOON)
    assert told_truly(store, [Look(asset, NOON, so[0].stage)], worlds)
    assert not told_truly(store, [Look(asset, NOON, "lost")], worlds)
