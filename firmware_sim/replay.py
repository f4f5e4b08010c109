"""Publishes a recording as its devices would have, and waits for every receipt."""

from __future__ import annotations

import logging
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import paho.mqtt.client as mqtt

from firmware_sim.broker import Broker
from firmware_sim.receipts import Receipt
from firmware_sim.recordings import RecordedMessage, Recording

WINDOW = 2_000  # messages that may lack a receipt at one time
RESEND_S = 5.0  # without a single new receipt; doubling
GIVE_UP_S = 60.0
RECONNECT_S = 1.0
TURN_S = 0.2
SENDINGS_PER_TURN = 50  # between two looks at what the broker says

log = logging.getLogger("firmware_sim")


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """What a replay did. `rows` and `skipped` are the recording's; `published` messages were
    published at least once, `receipted` of them are covered by receipts; `seconds` of real time."""

    rows: int
    published: int
    receipted: int
    skipped: Mapping[str, int]
    seconds: float
    boots: tuple[str, ...]


class ReplayError(Exception):
    """The broker cannot be used."""


class ReplayStalledError(ReplayError):
    """No receipt came for a long time while `unreceipted` messages waited for theirs."""

    def __init__(self, unreceipted: int, device: str, seconds: float) -> None:
        super().__init__(
            f"no receipt for {seconds:g} s while {unreceipted} messages wait for theirs, some of "
            f"{device}: is a gateway running, and are the devices registered?"
        )
        self.unreceipted = unreceipted
        self.device = device
        self.seconds = seconds


def replay(
    recording: Recording,
    broker: Broker,
    *,
    before_publish: Callable[[int], object] = lambda _at_ms: None,
    progress: Callable[[int, int], object] = lambda _done, _total: None,
    window: int = WINDOW,
    resend_s: float = RESEND_S,
    give_up_s: float = GIVE_UP_S,
) -> ReplayResult:
    """Publishes every message in its order and returns when each has its receipt.

    `before_publish` is called with each row's time (epoch ms) before its message is published
    for the first time, `progress` with the messages that have receipts, and all of them. Not more
    than `window` messages lack a receipt at one time. After `resend_s` seconds without a new
    receipt, doubling, and on a new connection, those are published again. Raises
    ReplayStalledError after `give_up_s` seconds without a new receipt, ReplayError where the broker
    cannot be reached or refuses."""
    started = time.monotonic()
    try:
        line = _Line(broker, window, resend_s, give_up_s)
        line.open()
    except OSError as error:
        raise ReplayError(f"{broker.url}: {error}") from error
    try:
        reported = -1
        for message in recording:
            line.wait_for_receipts(window - 1)
            before_publish(message.at_ms)
            line.publish(message)
            if line.receipted != reported:
                reported = line.receipted
                progress(reported, len(recording))
        line.wait_for_receipts(0)
        progress(line.receipted, len(recording))
    finally:
        line.close()
    return ReplayResult(
        rows=recording.rows,
        published=len(recording),
        receipted=line.receipted,
        skipped=recording.skipped,
        seconds=time.monotonic() - started,
        boots=tuple(dict.fromkeys(message.boot for message in recording)),
    )


class Ledger:
    """Which published messages lack a receipt, and how many have theirs."""

    def __init__(self) -> None:
        self.receipted = 0
        self._waiting: dict[tuple[str, str], OrderedDict[int, RecordedMessage]] = {}
        self._count = 0

    def __len__(self) -> int:
        """How many messages lack a receipt."""
        return self._count

    def published(self, message: RecordedMessage) -> None:
        """Notes the first sending of a message; the numbers of one boot come in rising order."""
        boot = self._waiting.setdefault((message.device, message.boot), OrderedDict())
        boot[message.seq] = message
        self._count += 1

    def receipt(self, device: str, payload: bytes) -> None:
        """Takes off what a receipt for `device` covers."""
        try:
            receipt = Receipt.parse(payload)
        except ValueError:
            return
        waiting = self._waiting.get((device, receipt.boot), OrderedDict())
        reached = takewhile(lambda seq: seq <= receipt.seq, waiting)
        covered = [seq for seq in reached if not receipt.misses(seq)]
        for seq in covered:
            del waiting[seq]
        self._count -= len(covered)
        self.receipted += len(covered)

    def unreceipted(self) -> list[RecordedMessage]:
        """The messages that lack a receipt, in order per device and boot."""
        return [message for waiting in self._waiting.values() for message in waiting.values()]


class _Line:
    """The connection, driven in the caller's thread: half the work of paho's own thread beside
    it, and no locks."""

    def __init__(self, broker: Broker, window: int, resend_s: float, give_up_s: float) -> None:
        self._url = broker.url
        self._resend_s = resend_s
        self._give_up_s = give_up_s
        self._ledger = Ledger()
        self._sendings = 0
        self._ready = False
        self._reconnected = False
        self._refusal: str | None = None
        self._client = self._new_client(broker, window)

    @property
    def receipted(self) -> int:
        return self._ledger.receipted

    def open(self) -> None:
        """Connects and subscribes to the receipts. Raises ReplayError or OSError."""
        self._client.reconnect()
        end = time.monotonic() + self._give_up_s
        while not self._ready and self._refusal is None and time.monotonic() < end:
            if self._client.loop(TURN_S) != mqtt.MQTT_ERR_SUCCESS:
                break
        if not self._ready:
            self.close()
            raise ReplayError(f"{self._url}: {self._refusal or 'no answer'}")

    def close(self) -> None:
        self._client.disconnect()

    def publish(self, message: RecordedMessage) -> None:
        """Publishes a message for the first time."""
        self._ledger.published(message)
        self._send(message)

    def wait_for_receipts(self, at_most: int) -> None:
        """Returns when at most `at_most` messages lack a receipt; publishes those again while
        nothing comes."""
        seen, quiet_since, pause = self.receipted, time.monotonic(), self._resend_s
        while len(self._ledger) > at_most:
            self._turn(TURN_S)
            quiet_s = time.monotonic() - quiet_since
            if self.receipted > seen:
                seen, quiet_since, pause = self.receipted, time.monotonic(), self._resend_s
            elif quiet_s >= self._give_up_s:
                lacking = self._ledger.unreceipted()
                raise ReplayStalledError(len(lacking), lacking[0].device, self._give_up_s)
            elif self._reconnected or quiet_s >= pause:
                self._send_again()
                pause = 2 * pause + self._resend_s  # the intervals double

    def _turn(self, timeout_s: float) -> None:
        """Lets paho read and write; connects again where the connection is gone."""
        if self._client.loop(timeout_s) == mqtt.MQTT_ERR_SUCCESS:
            return
        try:
            self._client.reconnect()
        except OSError:
            time.sleep(RECONNECT_S)

    def _send(self, message: RecordedMessage) -> None:
        self._client.publish(f"retour/v1/{message.device}/events", message.payload, qos=1)
        self._sendings += 1
        if self._sendings % SENDINGS_PER_TURN == 0:
            self._turn(0.0)

    def _send_again(self) -> None:
        if not self._client.is_connected():
            return  # the next connection asks again
        self._reconnected = False
        lacking = self._ledger.unreceipted()
        log.info("%d messages lack a receipt: publishing them again", len(lacking))
        for message in lacking:
            self._send(message)

    def _new_client(self, broker: Broker, window: int) -> mqtt.Client:
        client_id = f"retour-replay-{secrets.token_hex(4)}"
        client = broker.client(client_id, clean_session=True, inflight=window)
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        return client

    def _on_connect(
        self, client: mqtt.Client, _userdata: Any, _flags: Any, reason: Any, _properties: Any
    ) -> None:
        if reason.is_failure:
            self._refusal = str(reason)
        else:
            client.subscribe("retour/v1/+/receipt", qos=1)

    def _on_subscribe(
        self, _client: mqtt.Client, _userdata: Any, _mid: int, reasons: list[Any], _properties: Any
    ) -> None:
        if reasons[0].is_failure:
            self._refusal = "no permission to subscribe to retour/v1/+/receipt"
            return
        self._reconnected = self._ready
        self._ready = True

    def _on_message(self, _client: mqtt.Client, _userdata: Any, message: mqtt.MQTTMessage) -> None:
        self._ledger.receipt(message.topic.split("/")[2], bytes(message.payload))
