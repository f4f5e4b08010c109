"""What a broker says of itself: which of its settings break the promise, and which endanger it.

MQTT 5 has a broker tell its limits when it lets a client in (section 3.2.2.3); where it says
nothing of one, there is none. Mosquitto also counts what it has dropped, under $SYS.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

DROPPED_TOPIC = "$SYS/broker/publish/messages/dropped"
PACKET_BYTES = 256 * 1024 + 1024  # the largest message of the native wire, with its head
WINDOW_AT_LEAST = 200
KEEPALIVE_AT_LEAST_S = 10
DROPPING_FOR_S = 600.0  # how long a drop ails: long enough for somebody to look

Said = Mapping[str, Any]
"""The properties of a CONNACK by their names in the specification, without blanks."""


def refusals(said: Said, group: str) -> list[str]:
    """What makes the broker useless to us, each with what to change there.

    >>> refusals({"SharedSubscriptionAvailable": 0}, "fleet")
    ['it knows no shared subscriptions; allow them there, or leave RETOUR_GATEWAY_GROUP empty']
    >>> refusals({"SharedSubscriptionAvailable": 0}, ""), refusals({}, "fleet")
    ([], [])
    """
    found = []
    if said.get("SessionExpiryInterval") == 0:
        found.append("it keeps no sessions; allow persistent ones there")
    if said.get("MaximumQoS", 2) == 0:
        found.append("it takes messages at QoS 0 only, which it may lose; allow QoS 1 there")
    if said.get("WildcardSubscriptionAvailable", 1) == 0:
        found.append("it knows no subscriptions with + in them; allow wildcards there")
    if group and said.get("SharedSubscriptionAvailable", 1) == 0:
        found.append(
            "it knows no shared subscriptions; allow them there, or leave RETOUR_GATEWAY_GROUP "
            "empty"
        )
    return found


def dangers(said: Said, expiry_s: int) -> list[str]:
    """What may cost messages or speed; `expiry_s` is how long we asked it to keep our session.

    >>> dangers({"MaximumPacketSize": 1000, "ReceiveMaximum": 1000}, 3600)
    ['it takes packets of 1000 bytes at most: larger messages never come; allow 263168']
    """
    found = []
    if (granted := said.get("SessionExpiryInterval", expiry_s)) < expiry_s:
        found.append(
            f"it forgets our queue after {granted} s away; allow session expiry of {expiry_s} s"
        )
    if (window := said.get("ReceiveMaximum", 65_535)) < WINDOW_AT_LEAST:
        found.append(
            f"it takes {window} messages from us at a time; Mosquitto sends us no more either, "
            "which is slow: allow 1000 there (max_inflight_messages)"
        )
    if (size := said.get("MaximumPacketSize", PACKET_BYTES)) < PACKET_BYTES:
        found.append(
            f"it takes packets of {size} bytes at most: larger messages never come; "
            f"allow {PACKET_BYTES}"
        )
    if (keepalive := said.get("ServerKeepAlive", 60)) < KEEPALIVE_AT_LEAST_S:
        found.append(
            f"it ends a connection after {1.5 * keepalive:g} s of silence: a slow commit may take "
            "that long; allow 60 s"
        )
    return found


class Dropped:
    """How many messages the broker has dropped since it started, as it counts them itself.

    >>> dropped = Dropped()
    >>> dropped.tell(b"0", mono=0.0), dropped.tell(b"7", mono=10.0), dropped.tell(b"7", mono=20.0)
    (0, 7, 0)
    >>> dropped.lately(30.0), dropped.lately(900.0), dropped.total
    (True, False, 7)
    """

    def __init__(self) -> None:
        self.total: int | None = None  # None: it does not say
        self._rose_at: float | None = None

    def tell(self, payload: bytes, mono: float) -> int:
        """Take its count in; how many more these are than last time. A smaller count is that of
        a broker that has started again; the first one tells of drops while we were away."""
        try:
            total = int(payload)
        except ValueError:
            return 0
        before = self.total if self.total is not None and self.total <= total else 0
        self.total = total
        if total > before:
            self._rose_at = mono
        return total - before

    def lately(self, mono: float) -> bool:
        """Whether it has dropped messages within the last ten minutes, as far as it said."""
        return self._rose_at is not None and mono - self._rose_at < DROPPING_FOR_S
