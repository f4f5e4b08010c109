"""What the delivery of alerts needs of a store: parts of the protocols in `tracker.ports`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

from tracker.notices import Delivery, Message
from tracker.recipients import Recipient


class ChannelRefused(Exception):
    """A channel by which nothing can or may be sent; the text says why, and holds no secret."""


class NoChannels(Exception):
    """This process can send nothing."""

    def __init__(self) -> None:
        super().__init__("this process can send nothing: ask one that `retour` started")


class Outcome(NamedTuple):
    """How sending ended, in words that hold nothing of what the receiver answered."""

    ok: bool
    told: str


class Channels(Protocol):
    """The ways to recipients."""

    def check(self, url: str) -> None:
        """Raise ChannelRefused where nothing can or may be sent that way."""

    def send(self, recipient: Recipient, message: Message) -> Outcome:
        """Send a message; it takes a bounded time. May be called from several threads."""

    def close(self) -> None:
        """Close the connections that are kept open."""


class Backlog(NamedTuple):
    """How many deliveries wait, since when the first is due of those that are (epoch ms), and how
    many are parked."""

    waiting: int
    due_since: int | None
    parked: int


class DeliveryReader(Protocol):
    """What is read of recipients and deliveries."""

    def recipients(self) -> dict[str, Recipient]:
        """Every recipient, by id."""

    def delivery(self, id: str) -> Delivery | None: ...

    def deliveries(
        self,
        before: tuple[int, str] | None,
        limit: int,
        state: str | None = None,
        recipient: str | None = None,
    ) -> list[Delivery]:
        """The newest ones, by when they were queued and id, before a position."""

    def due_recipients(self, now: int) -> list[str]:
        """For whom something is due."""

    def delivery_backlog(self, now: int) -> Backlog:
        """What waits."""


class DeliveryWriter(DeliveryReader, Protocol):
    """What is written of them."""

    def put_recipient(self, recipient: Recipient) -> None:
        """Add or change a recipient."""

    def drop_recipient(self, id: str) -> None:
        """Forget a recipient, and what waits for it; what was sent stays known."""

    def queue_deliveries(self, deliveries: Sequence[Delivery]) -> None:
        """Queue deliveries; those that were queued before stay as they are."""

    def claim_deliveries(self, recipient: str, now: int, until: int, limit: int) -> list[Delivery]:
        """What is due for a recipient and nobody else is at, the longest waiting first. It is not
        due again before `until`."""

    def travelling_with(self, leads: Iterable[str]) -> list[Delivery]:
        """The deliveries that travel in the messages of others, without those."""

    def save_deliveries(self, deliveries: Sequence[Delivery]) -> None:
        """Store how far deliveries are."""

    def forget_deliveries(self, before: int, limit: int) -> int:
        """Forget at most so many of those that were queued before a time and have been sent; how
        many. What waits or is parked stays, and what travels with it."""
