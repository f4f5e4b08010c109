"""`retour bench fuzz`: good messages and world files with accidents, and how each of them ends.

Every payload ends in a defined way: as a message, a dead letter with its reason, a world, or a
list of faults. A share of the messages is recorded, and every world that could be read is
imported, in a real database. Payload number N is the same for the same seed.
"""

from __future__ import annotations

import re
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from copy import deepcopy
from os import cpu_count
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import orjson
import yaml

from commands.trial import trial
from gateway.decoders import Undecodable, decoder_of
from tracker.audit import PROGRAM
from tracker.importer import import_world, known_of
from tracker.letters import dead_letter
from tracker.model import DeadLetter, Message
from tracker.record import record
from tracker.refold import refresh_some
from tracker.stamps import StampPolicy
from tracker.stores.sqlite import SqliteStore
from tracker.world import BadWorld, World, read_world, write_world

NOW = 1_790_000_000_000
CHUNK = 25_000  # payloads with one database
WORLD_EVERY = 20  # of the payloads one is a world file
RECORD_EVERY = 5  # of the messages one is recorded
AT_ONCE = 100  # recorded in one transaction
TOLD_AT_MOST = 20  # crashes
POLICY = StampPolicy()

EVENTS: list[dict[str, Any]] = [
    {"fix": {"lat": 51.92, "lon": 4.48, "acc": 8.0, "speed": 3.5, "heading": 90}},
    {"fix": {"lat": -18.0, "lon": 179.9999}, "status": {"moving": True}},
    {"read": {"epc": "3374257BF40C0E400000162E", "antenna": 1, "rssi": -54.5, "count": 3}},
    {"read": {"epc": "urn:epc:id:grai:0614141.12345.5678"}, "note": {"shelf": [1, 2]}},
    {"sensor": {"battery": 0.83, "temperature": 21.5, "shock": 0.1}},
    {"status": {"firmware": "1.4.2", "moving": False}},
]
WORLD = b"""retour: 1
sites:
  - {id: depot, name: Depot Rotterdam, kind: depot, timezone: Europe/Amsterdam,
     geofence: {center: [4.48, 51.92], radius_m: 120}}
  - {id: cust-1, kind: customer, geofence: {polygon: [[4.3, 51.8], [4.31, 51.8], [4.31, 51.81]],
     holes: [[[4.305, 51.801], [4.306, 51.801], [4.306, 51.802]]]}, since: 2026-01-05}
zones:
  - {id: z_inspection, site: depot, stage: inspection, adjacent: [z_outdock]}
  - {id: z_outdock, site: depot, stage: outbound}
readers:
  - {device: reader, zone: z_inspection, cycle_s: 1800, miss: 0.2, stray: 0.1}
  - {device: rdr-2, antennas: {1: z_inspection, 2: z_outdock}, mode: portal,
     place: {lat: 51.92, lon: 4.48, acc: 10}}
trackers:
  - {device: trk-1, rest_interval_s: 21600, moving_interval_s: 3600, power: solar}
assets:
  - id: A1
    class: pallet
    name: Blue 1
    home: depot
    attributes: {color: blue, weight_kg: 25, serial: "0012", wet: true}
    external_ids: {erp: "4711"}
    tags:
      - {epc: 3374257BF40C0E400000162E, since: 2026-01-05T08:00:00+01:00, until: 2027-01-01}
      - {epc: "urn:epc:id:grai:0614141.12345.9"}
    trackers: [{device: trk-1}]
  - {id: A2, class: crate}
partners:
  - {id: acme, name: Acme Foods, kind: customer, sites: [cust-1]}
leases:
  - {id: L1, customer: acme, site: cust-1, lines: [{asset: A1, from: 2026-01-05, due: 2026-02-02}]}
"""
TOPICS = ["retour/v1/trk-1/events", "retour/v1/reader/events", "retour/v1/nobody/events"]
PRESENCE = "retour/v1/trk-1/presence"
KEYS = ["boot", "seq", "first", "device", "events", "at", "fix", "read", "sensor", "status", "lat"]
KEYS += ["epc", "battery", "moving", "x", "", "\0", "ﬀ", "id", "site", "since", "until", "class"]
# JSON that is grafted onto a message; the last ones are too deep, too long or too many
GRAFTS = [b"null", b"true", b"0", b"-1", b"0.5", b"90.0001", b"-180", b"1e308", b"1e999", b"-0.0"]
GRAFTS += [b"9007199254740993", b"-9223372036854775809", b"18446744073709551616", b"9" * 400]
GRAFTS += [b'""', b'"\\u0000"', b'"\\ud800"', b'"E280"', b'"urn:epc:id:grai:0614141.12345.1"']
GRAFTS += [b'"2026-01-01T00:00:00Z"', b'"0001-01-01T00:00:00+14:00"', b'"2026-13-45"', b'"trk-1"']
GRAFTS += [b"1789999999999", b"1577836800000", b"[]", b"{}", b"[[]]", b'{"lat":51.9,"lon":4.4}']
GRAFTS += [b"[" * 200 + b"]" * 200, b'{"a":' * 500 + b"1" + b"}" * 500, b"[" * 2_000 + b"]" * 2_000]
GRAFTS += [b'"%b"' % (b"x" * 300_000), b"[%b{}]" % (b'{"at":1789999999999},' * 5_000)]
# bytes that get into any content
PIECES = [b"null", b"1e999", b"NaN", b'"', b"'", b"[", b"}", b"\\u0000", b"\xff", b"\x00", b"\r\n"]
PIECES += [
    b"9" * 5_000,
    b"[" * 300,
    "🚚\u2028".encode(),
    b"- ",
    b": ",
    b"<<: *a",
    b"&a ",
    b"|",
    b"? ",
]
PIECES += [
    b"!!python/object:os.x ",
    b"2026-13-45",
    b"''",
    b"%YAML 9",
    b"depot",
    b"A1",
    b"no",
    b"-1",
]
WORD = re.compile(rb'"[^"]*"|[^\s,:\[\]{}"]+')


class Ends(NamedTuple):
    """How payloads ended, what became of those recorded and imported, and the crashes."""

    payloads: Counter[str]
    recorded: Counter[str]
    imported: Counter[str]
    crashes: list[str]

    def add(self, more: Ends) -> None:
        for own, others in zip(self[:3], more[:3], strict=True):
            own.update(others)
        self.crashes.extend(more.crashes)


def nothing_yet() -> Ends:
    return Ends(Counter(), Counter(), Counter(), [])


def bench_fuzz(count: int, seed: int, progress: Callable[[int, int], None]) -> dict[str, Any]:
    """How so many payloads end, on as many processes as there are processors."""
    ends, done = nothing_yet(), 0
    with ProcessPoolExecutor(cpu_count()) as pool:
        parts = [range(n, min(n + CHUNK, count)) for n in range(0, count, CHUNK)]
        for part in as_completed([pool.submit(fuzz, seed, part) for part in parts]):
            ends.add(part.result())
            done = ends.payloads.total()
            progress(done, count)
    return {
        "payloads": done,
        "crashed": len(ends.crashes),
        "ends": dict(sorted(ends.payloads.items())),
        "recorded": dict(sorted(ends.recorded.items())),
        "imported": dict(sorted(ends.imported.items())),
        "crashes": sorted(ends.crashes)[:TOLD_AT_MOST],
    }


def fuzz(seed: int, numbers: range) -> Ends:
    """How some payloads end, with a database of their own."""
    with tempfile.TemporaryDirectory() as folder:
        store = SqliteStore(Path(folder) / "fuzz.db")
        with store.writing() as tx:
            import_world(tx, read_world(WORLD), POLICY, PROGRAM)
        run = _Run(store)
        for number in numbers:
            run.take(number, Random(f"{seed}/{number}"))  # noqa: S311
        run.record_waiting()
        store.close()
    return run.ends


class _Run:
    """Takes payload after payload."""

    def __init__(self, store: SqliteStore) -> None:
        self.ends = nothing_yet()
        self._store = store
        with store.reading() as reader:
            self._known = known_of(reader)
        self._messages: list[Message] = []
        self._letters: list[DeadLetter] = []

    def take(self, number: int, chance: Random) -> None:
        with self._crash_of(f"payload {number}"):
            is_world = number % WORLD_EVERY == 0
            end = self._world(chance) if is_world else self._message(chance, number)
            self.ends.payloads[end] += 1
            return
        self.ends.payloads["crashed"] += 1

    def record_waiting(self) -> None:
        """Record what has been put aside for it."""
        with self._crash_of("a batch"), self._store.writing() as tx:
            recorded = record(tx, self._messages, self._letters, POLICY)
            self.ends.recorded.update(
                stored=recorded.stored,
                duplicates=recorded.duplicates,
                quarantined=recorded.quarantined,
                dead_lettered=recorded.dead_lettered,
            )
        self._messages, self._letters = [], []

    def _message(self, chance: Random, number: int) -> str:
        topic, payload = message(chance, number)
        recorded = number % RECORD_EVERY == 1
        try:
            decoded = decoder_of(topic)(topic, payload, NOW)
        except Undecodable as error:
            if recorded:
                letter = dead_letter(topic, payload, NOW, error.reason, error.detail)
                self._letters.append(letter)
            end = f"dead letter: {error.reason}"
        else:
            if recorded:
                self._messages.append(decoded)
            end = "message, some events dead letters" if decoded.rejects else "message"
        if len(self._messages) + len(self._letters) >= AT_ONCE:
            self.record_waiting()
        return end

    def _world(self, chance: Random) -> str:
        try:
            read = read_world(world(chance), self._known)
        except BadWorld:
            return "bad world"
        write_world(read)
        self._import(read)
        return "world"

    def _import(self, world: World) -> None:
        try:
            with trial(self._store, dry_run=True) as tx:
                differences = import_world(tx, world, POLICY, PROGRAM)
                refresh_some(tx, NOW, limit=10)
        except BadWorld:
            self.ends.imported["refused"] += 1
        else:
            self.ends.imported["imported"] += 1
            self.ends.imported.update(one.action for one in differences)

    @contextmanager
    def _crash_of(self, what: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            frame = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{Path(frame.filename).name}:{frame.lineno}"
            self.ends.crashes.append(f"{what}: {type(error).__name__} at {where}: {error!s:.200}")


def message(chance: Random, number: int) -> tuple[str, bytes]:
    """A topic and a payload, which some accident may have happened to."""
    at = NOW - chance.randrange(100_000_000)
    if chance.random() < 0.1:
        good = {"boot": "b1", "conn": number, "online": chance.random() < 0.5, "at": at}
        topic = PRESENCE
    else:
        events = [{"at": at, **event} for event in chance.choices(EVENTS, k=chance.randint(1, 3))]
        good = {"boot": "b1", "seq": number, "sent": NOW, "events": deepcopy(events)}
        topic = chance.choice(TOPICS)
    for _ in range(chance.choice([0, 0, 1, 1, 2, 5])):
        graft(chance, good)
    payload = grafted(good)
    if chance.random() < 0.4:
        payload = accident(chance, payload)
    if chance.random() < 0.05:
        topic = accident(chance, topic.encode()).decode(errors="replace")
    return topic, payload


def world(chance: Random) -> bytes:
    """A world file after accidents: of its values, written as JSON, or of its text."""
    if chance.random() < 0.4:
        return accident(chance, WORLD)
    tree = yaml.safe_load(WORLD)
    for _ in range(chance.choice([0, 1, 1, 2, 3])):
        graft(chance, tree)
    return grafted(tree)


def graft(chance: Random, tree: Any) -> None:
    """Change, add or take away something somewhere in a tree of JSON: a text `graft N` stands
    for one of GRAFTS."""
    keys = [*tree] if isinstance(tree, dict) else [*range(len(tree))]
    if not keys:
        return
    key = chance.choice(keys)
    if isinstance(tree[key], dict | list) and chance.random() < 0.9:
        graft(chance, tree[key])
    elif chance.random() < 0.1:
        del tree[key]
    elif isinstance(tree, dict) and chance.random() < 0.3:
        tree[chance.choice(KEYS)] = tree.pop(key)
    else:
        last = len(GRAFTS) if chance.random() < 0.02 else len(GRAFTS) - 5
        tree[key] = f"graft {chance.randrange(last)}"


def grafted(tree: Any) -> bytes:
    """The JSON of a tree with what was grafted onto it."""
    body = orjson.dumps(tree, option=orjson.OPT_NON_STR_KEYS)
    return re.sub(rb'"graft (\d+)"', lambda found: GRAFTS[int(found[1])], body)


def accident(chance: Random, content: bytes) -> bytes:
    """A content after one accident, or several."""
    data = bytearray(content)
    for _ in range(chance.choice([1, 1, 1, 2, 4])):
        chance.choice(ACCIDENTS)(chance, data)
    return bytes(data)


def _flip(chance: Random, data: bytearray) -> None:
    if data:
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def _cut(chance: Random, data: bytearray) -> None:
    at = chance.randrange(len(data) + 1)
    del data[at : at + chance.choice([1, 1, 2, 8, 50, 10_000])]


def _insert(chance: Random, data: bytearray) -> None:
    at = chance.randrange(len(data) + 1)
    data[at:at] = chance.choice([*PIECES, chance.randbytes(3)])


def _double(chance: Random, data: bytearray) -> None:
    first, last = sorted(chance.randrange(len(data) + 1) for _ in range(2))
    at = chance.randrange(len(data) + 1)
    data[at:at] = data[first:last]


def _swap(chance: Random, data: bytearray) -> None:
    """Put a word from elsewhere in the place of a word."""
    if words := [*WORD.finditer(data)]:
        word, other = chance.choice(words), chance.choice(words)
        data[word.start() : word.end()] = other[0]


def _replace(chance: Random, data: bytearray) -> None:
    if words := [*WORD.finditer(data)]:
        word = chance.choice(words)
        data[word.start() : word.end()] = chance.choice(PIECES)


def _line(chance: Random, data: bytearray) -> None:
    """Lose a line, or have it twice."""
    if lines := data.splitlines(keepends=True):
        at = chance.randrange(len(lines))
        lines[at : at + 1] = [lines[at]] * chance.choice([0, 2])
        data[:] = b"".join(lines)


ACCIDENTS = (_flip, _cut, _insert, _double, _replace, _swap, _swap, _line, _line)
