"""`retour bench deliveries`: webhooks a second, while another receiver is slow.

Beside it *bare*: as many threads send the same bodies with httpcore alone, unsigned and unnoted.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import httpcore
import orjson
from prometheus_client import REGISTRY

from gateway.addresses import Guard, networks
from gateway.channels import Ways
from gateway.delivering import THREADS_EACH, Delivering
from tracker.alerts import Alert, Event, State
from tracker.clocks import SystemClock
from tracker.notices import Message, message, queue
from tracker.ports import Store
from tracker.recipients import Recipient, new_secret

SLOW_S = 5.0
AT_ONCE = 1_000
LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)


def bench_deliveries(
    open_database: Callable[[Path], tuple[Store, str]], deliveries: int
) -> dict[str, Any]:
    """How fast so many events of alerts are told to one receiver, with a slow one beside it."""
    with (
        tempfile.TemporaryDirectory() as folder,
        receiving(0) as quick,
        receiving(SLOW_S) as slow,
    ):
        store, _ = open_database(Path(folder) / "retour.db")
        sample = _fill(store, deliveries, quick, slow)
        took, cpu = _deliver(store, deliveries)
        bare = _bare(quick, sample, deliveries)
        with store.reading() as tx:
            of_slow = tx.deliveries(None, deliveries, "sent", "slow")
    return {
        "deliveries_a_second": round(deliveries / took),
        "cpu_us_each": round(cpu / deliveries * 1e6),
        "bare_a_second": round(deliveries / bare),
        "ratio": round(bare / took, 2),
        "deliveries": deliveries,
        "slow_ones_meanwhile": len(of_slow),
    }


def _fill(store: Store, count: int, quick: str, slow: str) -> Message:
    """Queue so many deliveries for each of two recipients; what one of them says."""
    now = SystemClock().now()
    alert = Alert("A1", "L1", "1", "overdue", 1, State.OPEN, "warning", 1, now, now, now, now)
    for first in range(0, count, AT_ONCE):
        with store.writing() as tx:
            if not first:
                for id, url in (("quick", quick), ("slow", slow)):
                    tx.put_recipient(Recipient(id=id, url=url, secret=new_secret()))
            events = [Event(alert, "opened", now)] * min(AT_ONCE, count - first)
            numbers = tx.add_alert_events(events, now)
            queue(tx, [*zip(numbers, events, strict=True)], {}, now)
    with store.reading() as reader:
        return message(reader.deliveries(None, 1, recipient="quick"))


def _deliver(store: Store, count: int) -> tuple[float, float]:
    """Seconds, also of the processor, until the quick receiver has been told everything."""
    clock = SystemClock()
    job = Delivering(store, Ways(Guard(networks("127.0.0.1")), clock), clock)
    with closing(job):
        before = _sent()
        began, cpu = time.perf_counter(), time.process_time()
        while _sent() - before < count or _waits(store):  # to ask the store costs more than to tell
            time.sleep(min(job.turn(), 0.01))
        return time.perf_counter() - began, time.process_time() - cpu


def _sent() -> float:
    """How many deliveries this process has noted as sent, to anybody."""
    return REGISTRY.get_sample_value("retour_deliveries_total", {"outcome": "sent"}) or 0.0


def _waits(store: Store) -> bool:
    with store.reading() as reader:
        return bool(reader.deliveries(None, 1, "waiting", "quick"))


def _bare(url: str, sent: Message, count: int) -> float:
    body = orjson.dumps(sent.body)
    headers = [("content-type", "application/json")]
    with httpcore.ConnectionPool() as pool, ThreadPoolExecutor(THREADS_EACH) as threads:
        began = time.perf_counter()
        send = partial(pool.request, "POST", url, headers=headers, content=body)
        for done in [threads.submit(send) for _ in range(count)]:
            done.result()
        return time.perf_counter() - began


@contextmanager
def receiving(after_s: float) -> Iterator[str]:
    """A process that answers webhooks after a while; its URL."""
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe()
    process = spawn.Process(target=serve, args=(there, after_s), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{here.recv()}/hook"
    finally:
        process.kill()
        process.join()


def serve(tell: Connection, after_s: float) -> None:
    """Answer for ever, on a free port that is told."""

    async def run() -> None:
        server = await asyncio.get_running_loop().create_server(
            lambda: _Answers(after_s), "127.0.0.1", 0
        )
        tell.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())


class _Answers(asyncio.Protocol):
    """One connection."""

    def __init__(self, after_s: float) -> None:
        self._after_s = after_s
        self._got = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def data_received(self, data: bytes) -> None:
        self._got += data
        head, end, body = self._got.partition(b"\r\n\r\n")
        length = LENGTH.search(head)
        if end and length and len(body) >= int(length[1]):
            self._got = b""
            asyncio.get_running_loop().call_later(self._after_s, self._answer)

    def _answer(self) -> None:
        self._transport.write(b"HTTP/1.1 204 No Content\r\n\r\n")
