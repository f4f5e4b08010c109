"""The native wire, `retour/v1/<device>/events` and `.../presence`.

    {"boot": "9f3a01c2", "seq": 1041, "sent": 1790000000123,
     "events": [{"at": 1790000000000, "fix": {"lat": 50.1, "lon": 4.2, "acc": 7.5}}]}

A message whose envelope cannot be read is a dead letter and accounts for no sequence number.
An event that cannot be read is a dead letter of its own, whole: the other events of its
message are stored. Keys that we do not know are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

import orjson

from gateway.decoders.undecodable import Undecodable
from tracker.epc import tag_id
from tracker.facts import BadFact, fact_name, fact_of
from tracker.model import (
    DEVICE_ID_RULE,
    Fact,
    Fix,
    Kind,
    Message,
    Observation,
    Presence,
    Read,
    Reject,
    Values,
    What,
    body_of,
    content_digest,
    event_key,
    fact_subject,
    is_device_id,
)

SIZE_AT_MOST = 256 * 1024
EVENTS_AT_MOST = 5_000
INT_AT_MOST = 2**53 - 1  # what every JSON reader counts exactly; also fits the database


class BadEvent(Exception):
    """An event that cannot be read; the text says why."""


def decode_events(topic: str, payload: bytes, received: int, first_event: int = 0) -> Message:
    """Decode an events message. Raises Undecodable where its envelope cannot be read.

    A dead letter keeps a part of a message: `first_event` is the place in the whole one of the
    first event that is there."""
    device = _device_of(topic)
    envelope = _envelope(payload, device)
    boot, seq = _boot(envelope), _count(envelope, "seq")
    sent = _optional_time(envelope, "sent")
    first = None if envelope.get("first") is None else _count(envelope, "first")
    events = envelope.get("events")
    if not isinstance(events, list):
        raise Undecodable("bad_envelope", "events is no list")
    message = Message(device, boot, seq, first, sent, received, [], [], topic, payload)
    if not events or len(events) > EVENTS_AT_MOST:
        detail = f"{len(events)} events, 1 to {EVENTS_AT_MOST} are taken"
        return message._replace(
            rejects=[Reject(0, "bad_event_count", detail, orjson.dumps(events))]
        )
    unknown = _unknown(envelope)
    for n, event in enumerate(events, first_event):
        try:
            message.observations.extend(_observations(message, n, event, unknown))
        except BadEvent as error:
            message.rejects.append(_reject(message, n, str(error), event))
        except orjson.JSONEncodeError:
            message.rejects.append(_reject(message, n, "it is nested too deep", event))
        else:
            unknown = {}  # what stands beside the events is kept once
    return message


def decode_presence(topic: str, payload: bytes, received: int) -> Message:
    """Decode a presence or a last will. A will carries no time: it happened when it came."""
    device = _device_of(topic)
    envelope = _envelope(payload, device)
    boot, conn = _boot(envelope), _count(envelope, "conn")
    online = envelope.get("online")
    if not isinstance(online, bool):
        raise Undecodable("bad_envelope", "online is neither true nor false")
    stamp = _optional_time(envelope, "at")
    at = received if stamp is None else stamp
    what = Presence(online, conn)
    body = body_of(what)
    key = event_key(f"native\x1fpresence\x1f{device}\x1f{boot}\x1f{conn}\x1f{online}")
    observation = Observation(
        key=key,
        # The identity is the whole content, so that a repeat is a repeat whenever it comes.
        digest=content_digest(0, body),
        kind=Kind.PRESENCE,
        subject=device,
        device=device,
        boot=boot,
        seq=None,
        event=0,
        stamp=at,
        at=at,
        sent=None,
        received=received,
        body=body,
        what=what,
    )
    return Message(device, boot, None, None, None, received, [observation], [], topic, payload)


@lru_cache(maxsize=100_000)
def _device_of(topic: str) -> str:
    device = topic.split("/")[2]
    if not is_device_id(device):
        raise Undecodable("bad_device", f"{_shown(device)} is no device id: {DEVICE_ID_RULE}")
    return device


def _envelope(payload: bytes, device: str) -> dict[str, Any]:
    if len(payload) > SIZE_AT_MOST:
        raise Undecodable("too_large", f"{len(payload)} bytes, at most {SIZE_AT_MOST} are taken")
    if not payload:
        raise Undecodable("empty", "the payload is empty")
    try:
        envelope = orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        raise Undecodable("not_json", str(error)) from None
    if not isinstance(envelope, dict):
        raise Undecodable("bad_envelope", "the message is no JSON object")
    if (named := envelope.get("device", device)) != device:
        raise Undecodable(
            "device_mismatch", f"names device {_shown(named)} under the topic of {device}"
        )
    return envelope


def _unknown(envelope: Mapping[str, Any]) -> dict[str, Any]:
    """What stands beside the events and is not known."""
    unknown = {key: envelope[key] for key in envelope if key not in _ENVELOPE}
    try:
        orjson.dumps(unknown)
    except orjson.JSONEncodeError:
        # orjson reads 1,024 levels, and writes 254
        raise Undecodable("bad_envelope", "it is nested too deep") from None
    return unknown


def _reject(message: Message, number: int, detail: str, event: Any) -> Reject:
    """An event that is no observation, with its JSON. Of events too deep to be written the
    payload is kept instead, once for all of a message."""
    try:
        content = orjson.dumps([event])
    except orjson.JSONEncodeError:
        whole = b"[%b]" % message.payload
        content = b"[]" if any(one.content == whole for one in message.rejects) else whole
    return Reject(number, "bad_event", detail, content)


def _boot(envelope: Mapping[str, Any]) -> str:
    boot = envelope.get("boot")
    if not isinstance(boot, str) or not is_device_id(boot):
        raise Undecodable("bad_envelope", f"boot is {_shown(boot)}, not an id: {DEVICE_ID_RULE}")
    return boot


def _count(envelope: Mapping[str, Any], name: str) -> int:
    value = envelope.get(name)
    if type(value) is not int or not 0 <= value <= INT_AT_MOST:
        raise Undecodable("bad_envelope", f"{name} is {_shown(value)}, not a number counted from 0")
    return value


def _optional_time(envelope: Mapping[str, Any], name: str) -> int | None:
    value = envelope.get(name)
    if value is None:
        return None
    try:
        return _time(value)
    except BadEvent as error:
        raise Undecodable("bad_envelope", f"{name}: {error}") from None


def _time(value: Any) -> int:
    """Epoch milliseconds from such a number, or from ISO 8601 with an offset."""
    if type(value) is int and abs(value) <= INT_AT_MOST:
        return value
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            raise BadEvent(f"{_shown(value)} is no ISO 8601 time") from None
        if moment.tzinfo is None:
            raise BadEvent(f"{_shown(value)} has no offset from UTC")
        return round(moment.timestamp() * 1000)
    raise BadEvent(f"{_shown(value)} is no time in epoch milliseconds")


def _observations(
    message: Message, number: int, event: Any, unknown: dict[str, Any]
) -> list[Observation]:
    if not isinstance(event, dict):
        raise BadEvent("the event is no JSON object")
    if "at" not in event:
        raise BadEvent("at is missing")
    stamp = _time(event["at"])
    found: list[Observation] = []
    others = dict(unknown)
    for name, value in event.items():
        if (known := _KINDS.get(name)) is not None:
            kind, parse = known
            if value is not None:
                found.append(_observation(message, number, kind, stamp, parse(value)))
        elif name != "at":
            others[name] = value
            if name in unknown:
                others[f"envelope.{name}"] = unknown[name]
    if others:
        found.append(_observation(message, number, Kind.OTHER, stamp, Values(others)))
    if not found:
        raise BadEvent("the event carries nothing")
    return found


def _observation(message: Message, number: int, kind: Kind, stamp: int, what: What) -> Observation:
    device, boot, seq = message.device, message.boot, message.seq
    body = body_of(what)
    natural = f"native\x1f{device}\x1f{boot}\x1f{seq}\x1f{number}\x1f{kind.value}"
    subject = device
    if isinstance(what, Read):
        subject = what.tag
    elif isinstance(what, Fact):
        subject = fact_subject(what.asset)
        natural = natural if what.id is None else fact_name(what.id)
    return Observation(
        event_key(natural),
        content_digest(stamp, body),
        kind,
        subject,
        device,
        boot,
        seq,
        number,
        stamp,
        stamp,
        message.sent,
        message.received,
        body,
        what,
    )


def _fix(value: Any) -> Fix:
    fields = _object(value, "fix")
    return Fix(
        _number(fields, "lat", -90, 90),
        _number(fields, "lon", -180, 180),
        _optional(fields, "acc", 0, 1e8),
        _optional(fields, "speed", 0, 1e5),
        _optional(fields, "heading", 0, 360),
        _extra(fields, _FIX),
    )


def _read(value: Any) -> Read:
    fields = _object(value, "read")
    epc = fields.get("epc")
    if not isinstance(epc, str):
        raise BadEvent("read.epc is missing")
    try:
        tag = tag_id(epc)
    except ValueError as error:
        raise BadEvent(f"read.epc: {error}") from None
    return Read(
        tag,
        _optional_int(fields, "antenna"),
        _optional(fields, "rssi", -1e4, 1e4),
        _optional_int(fields, "count"),
        _extra(fields, _READ),
    )


def _sensor(value: Any) -> Values:
    fields = _object(value, "sensor")
    if "battery" in fields:
        _number(fields, "battery", 0, 1)
    for name in ("temperature", "shock"):
        _optional(fields, name, -1e9, 1e9)
    return _values(fields, "sensor")


def _status(value: Any) -> Values:
    fields = _object(value, "status")
    if not isinstance(fields.get("moving", False), bool):
        raise BadEvent("status.moving is neither true nor false")
    return _values(fields, "status")


def _fact(value: Any) -> Fact:
    """A fact from a bench: it happened when the event did, and needs no id of its own."""
    fields = _object(value, "fact")
    if "at" in fields:
        raise BadEvent("fact.at: the event has a time already")
    try:
        fact, _ = fact_of({"id": "-", **fields, "at": 0})
    except BadFact as error:
        raise BadEvent(f"fact.{error.key}: {error}") from None
    return fact._replace(id=fields.get("id"))


def _values(fields: dict[str, Any], name: str) -> Values:
    if not fields:
        raise BadEvent(f"{name} is empty")
    return Values(fields)


def _object(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BadEvent(f"{name} is no JSON object")
    return value


def _number(fields: Mapping[str, Any], name: str, low: float, high: float) -> float:
    value: Any = fields.get(name)
    # bool is an int to Python, but true is no latitude; NaN is in no range
    if type(value) not in (float, int) or not low <= value <= high:
        raise BadEvent(f"{name} is {_shown(value)}, not a number from {low:g} to {high:g}")
    return float(value)


def _optional(fields: Mapping[str, Any], name: str, low: float, high: float) -> float | None:
    return None if fields.get(name) is None else _number(fields, name, low, high)


def _optional_int(fields: Mapping[str, Any], name: str) -> int | None:
    value = fields.get(name)
    if value is None:
        return None
    if type(value) is not int or not 0 <= value <= INT_AT_MOST:
        raise BadEvent(f"{name} is {_shown(value)}, not a whole number from 0")
    return value


def _shown(value: Any) -> str:
    """A value in few words; nested ones may be too deep for Python to print."""
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    return f"{value!r:.40}"


def _extra(fields: Mapping[str, Any], known: frozenset[str]) -> Mapping[str, Any] | None:
    if fields.keys() <= known:
        return None
    return {key: fields[key] for key in fields if key not in known}


_KINDS: Mapping[str, tuple[Kind, Callable[[Any], What]]] = {
    "fix": (Kind.FIX, _fix),
    "read": (Kind.READ, _read),
    "sensor": (Kind.SENSOR, _sensor),
    "status": (Kind.STATUS, _status),
    "fact": (Kind.FACT, _fact),
}
_ENVELOPE = frozenset({"boot", "seq", "sent", "first", "device", "events"})
_FIX = frozenset({"lat", "lon", "acc", "speed", "heading"})
_READ = frozenset({"epc", "antenna", "rssi", "count"})
