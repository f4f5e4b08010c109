"""The ways to recipients: webhooks by their URL, all else by Apprise. MQTT has none of these: what
goes there is left in the outbox, in the transaction that notes it as sent."""

from __future__ import annotations

from gateway.addresses import Guard
from gateway.services import Services
from gateway.webhooks import Webhooks
from tracker.clocks import Clock
from tracker.delivery_ports import ChannelRefused, Outcome
from tracker.notices import Message
from tracker.recipients import TO_MQTT, Recipient, is_webhook


class Ways:
    """`tracker.delivery_ports.Channels`."""

    def __init__(self, guard: Guard, clock: Clock, webhooks: Webhooks | None = None) -> None:
        self._webhooks = webhooks or Webhooks(guard)
        self._services = Services(guard)
        self._clock = clock

    def close(self) -> None:
        """Close the connections that are kept open."""
        self._webhooks.close()

    def check(self, url: str) -> None:
        """Raise ChannelRefused where nothing can or may be sent that way."""
        if is_webhook(url):
            self._webhooks.check(url)
        elif url != TO_MQTT:
            self._services.check(url)

    def send(self, recipient: Recipient, message: Message) -> Outcome:
        """Send a message."""
        try:
            if is_webhook(recipient.url):
                secret = recipient.secret or ""
                return self._webhooks.send(recipient.url, secret, message, self._clock.wall())
            return self._services.send(recipient.url, message)
        except ChannelRefused as error:
            return Outcome(False, str(error))
