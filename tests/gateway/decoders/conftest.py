"""Captured messages of every format, with what is expected of their decoders.

Each folder here is a format, each file in it a table of messages as they came, one JSON object
a line: `case`, `topic`, `payload` (an object, or text as it came; `hex` for bytes) and what is
expected: `refused`, the reason why nothing of it can be read; or `message`, its envelope,
`observations`, each with its `kind`, `subject`, `stamp` and `what`, and `rejects`, the reasons
why single events cannot be read. A new format joins by adding a folder.
"""

import json
from pathlib import Path
from typing import NamedTuple

import pytest

from gateway.decoders import decoder_of


class Case(NamedTuple):
    """A captured message and what is expected of it."""

    topic: str
    payload: bytes
    expected: dict

    RECEIVED = 1_790_000_001_000

    def decoded(self, received=RECEIVED):
        return decoder_of(self.topic)(self.topic, self.payload, received)


def _captured():
    for table in sorted(Path(__file__).parent.glob("*/*.jsonl")):
        for line in table.read_text("utf-8").splitlines():
            row = json.loads(line)
            yield f"{table.parent.name}: {row['case']}", Case(row["topic"], _payload(row), row)


def _payload(row):
    if "hex" in row:
        return bytes.fromhex(row["hex"])
    payload = row["payload"]
    return payload.encode() if isinstance(payload, str) else json.dumps(payload).encode()


CASES = dict(_captured())


def pytest_generate_tests(metafunc):
    """Tests of a `refused` or a `readable` message are made for each one captured."""
    for name in ("refused", "readable"):
        if name in metafunc.fixturenames:
            wanted = {
                id: case
                for id, case in CASES.items()
                if ("refused" in case.expected) == (name == "refused")
            }
            metafunc.parametrize(name, wanted.values(), ids=wanted.keys())


@pytest.fixture(scope="session")
def captured():
    """The payload of any captured message, by a number, to be changed."""
    payloads = [case.payload for case in CASES.values()]
    return lambda number: payloads[number % len(payloads)]
