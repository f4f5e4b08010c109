"""Recipients: who is told of alerts, of which ones, by which channel and when. Pure.

What is critical is told at once, but for the quiet hours of its rule. All else may wait: for the
end of quiet hours, or for a digest, which tells in one message what has gathered.
"""

from __future__ import annotations

import secrets
from base64 import b64decode, b64encode
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field

from tracker.alerts import Alert
from tracker.leases import HOUR_MS
from tracker.places import Name, Value, storable
from tracker.quiet import Quiet, Zone, local_time, waking
from tracker.wording import Wording

CRITICAL = "critical"
TO_MQTT = "mqtt:"
MASK = "***"
SIGNING = "whsec_"  # how Standard Webhooks begins a key
WEBHOOKS = ("https://", "http://")

RecipientId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$", examples=["ops"])]
Url = Annotated[str, Field(min_length=1, max_length=2_048), AfterValidator(storable)]
Word = Annotated[str, Field(min_length=1, max_length=256), AfterValidator(storable)]
Words = Annotated[tuple[Word, ...], Field(max_length=1_000)]
Event = Literal[
    "opened",
    "reopened",
    "escalated",
    "repeated",
    "woken",
    "resolved",
    "retracted",
    "acknowledged",
    "snoozed",
    "commented",
]


EVENTS: tuple[Event, ...] = (
    "opened",
    "reopened",
    "escalated",
    "repeated",
    "woken",
    "resolved",
    "retracted",
)


def _signing_key(secret: str) -> str:
    try:
        key = b64decode(secret.removeprefix(SIGNING), validate=True)
    except ValueError:
        key = b""
    if not secret.startswith(SIGNING) or not 24 <= len(key) <= 64:
        raise ValueError("a secret is whsec_ and 24 to 64 bytes in base64")
    return secret


Secret = Annotated[str, AfterValidator(_signing_key)]


def new_secret() -> Secret:
    """A new key to sign with."""
    return SIGNING + b64encode(secrets.token_bytes(32)).decode()


class Filters(Value):
    """Which alerts somebody is told of: each filter lets pass what it names, an empty one all."""

    rules: Words = Field(default=(), description="Rules.", examples=[["overdue"]])
    severities: Words = Field(
        default=(), description="Severities.", examples=[["warning", "critical"]]
    )
    sites: Words = Field(default=(), description="Sites where the asset is.", examples=[["cust-1"]])
    classes: Words = Field(default=(), description="Classes of assets.", examples=[["pallet"]])
    partners: Words = Field(default=(), description="Partners who have it.", examples=[["acme"]])
    level: int = Field(
        default=1,
        ge=1,
        le=10,
        description="From which level of an alert on: 2 for whoever is called when nothing "
        "was done.",
        examples=[1],
    )
    events: tuple[Event, ...] = Field(
        default=EVENTS,
        max_length=10,
        description="What happened to the alert; left out: all but what a person does to it.",
        examples=[["opened", "resolved"]],
    )


class Digest(Value):
    """What has gathered is told in one message: every hour, or every day at an hour."""

    every: Literal["hourly", "daily"] = Field(description="How often.", examples=["daily"])
    timezone: Zone = Field(default="UTC", description="The IANA zone of the hour.")
    hour: int = Field(default=8, ge=0, le=23, description="At which hour of the day.", examples=[8])


class Described(Value):
    """What is said of a recipient, but for the channel."""

    name: Name = Field(default="", description="What people call it.", examples=["Night shift"])
    filters: Filters = Field(default=Filters(), description="Which alerts it is told of.")
    digest: Digest | None = Field(
        default=None, description="What has gathered, in one message; null: each by itself."
    )
    quiet: Quiet | None = Field(default=None, description="When it is not to be disturbed.")
    wording: Wording | None = Field(
        default=None, description="How it is told, in its own words; null: in the usual ones."
    )
    enabled: bool = Field(default=True, description="Whether it is told anything.", examples=[True])


class Recipient(Described):
    """Somebody, or something, that is told of alerts by the channel `url`. Webhooks are signed
    with the `secret`. `version` counts the changes."""

    id: RecipientId
    url: Url = Field(repr=False)
    secret: Secret | None = Field(default=None, repr=False)
    version: int = 1

    @property
    def gathers(self) -> bool:
        """Whether what waited is told it in one message. MQTT has a topic for each rule."""
        return self.url != TO_MQTT and (self.digest is not None or self.quiet is not None)


class About(Value):
    """What is told of an alert's asset and lease beside the alert. `due` is the end of the day on
    which it must be back (epoch ms), by `timezone`."""

    name: str = ""
    asset_class: str | None = None
    site: str | None = None
    partner: str | None = None
    partner_name: str = ""
    due: int | None = None
    timezone: str = "UTC"


def wants(recipient: Recipient, kind: str, alert: Alert, about: About) -> bool:
    """Whether somebody is told of an event of an alert.

    >>> from tracker.alerts import State
    >>> ops = Recipient(id="ops", url="mqtt:", filters=Filters(sites=["depot"], level=2))
    >>> alert = Alert("A1", "L1", "1", "overdue", 1, State.OPEN, "serious", 2, 0, 0, 0, 0)
    >>> wants(ops, "escalated", alert, About(site="depot"))
    True
    >>> wants(ops, "escalated", alert, About())
    False
    >>> wants(ops, "opened", alert._replace(level=1), About(site="depot"))
    False
    """
    filters = recipient.filters
    asked = (
        (filters.rules, alert.rule),
        (filters.severities, alert.severity),
        (filters.sites, about.site),
        (filters.classes, about.asset_class),
        (filters.partners, about.partner),
    )
    fits = all(not names or value in names for names, value in asked)
    reached = max(alert.level, 1) >= filters.level
    return recipient.enabled and kind in filters.events and fits and reached


def due(recipient: Recipient, severity: str, now: int, of_rule: Quiet | None = None) -> int:
    """When somebody is to be told of what happened at `now` (epoch ms) to an alert of a rule with
    these quiet hours."""
    digest = recipient.digest if severity != CRITICAL else None
    at = now if digest is None else next_digest(digest, now)
    return awake(recipient, severity, at, of_rule)


def awake(recipient: Recipient, severity: str, at: int, of_rule: Quiet | None = None) -> int:
    """The first time from `at` on that is in no quiet hours that concern such an alert."""
    quiet = [of_rule] if severity == CRITICAL else [of_rule, recipient.quiet]
    return _awake([one for one in quiet if one is not None], at)


def _awake(quiet: Sequence[Quiet], at: int) -> int:
    """The first time that is in none of some quiet hours; where they leave none, as the last of
    them end within two days."""
    for _ in range(4):
        for one in quiet:
            at = waking(one, at)
        if not any(at in one for one in quiet):
            break
    return at


def next_digest(digest: Digest, now: int) -> int:
    """When the next digest is told after `now`. An hour that a change of the clocks leaves out
    comes when the clocks have been changed.

    >>> next_digest(Digest(every="hourly"), 3_600_000)
    7200000
    """
    if digest.every == "hourly":
        return (now // HOUR_MS + 1) * HOUR_MS
    today = local_time(now, digest.timezone).date()
    at = _moment(today, digest)
    return at if at > now else _moment(today + timedelta(days=1), digest)


def _moment(day: date, digest: Digest) -> int:
    local = datetime.combine(day, time(digest.hour), ZoneInfo(digest.timezone))
    return int(local.astimezone(UTC).timestamp()) * 1_000


def is_webhook(url: str) -> bool:
    return url.lower().startswith(WEBHOOKS)


def masked(url: str) -> str:
    """A channel without its secrets: any part of it but the host of a webhook may be one.

    >>> masked("https://hooks.example.com/services/T0/s3cret"), masked("mailto://me:pw@x.org")
    ('https://hooks.example.com/***', 'mailto://***')
    """
    scheme, colons, rest = url.partition("://")
    if not colons:
        return url if url == TO_MQTT else MASK
    if not is_webhook(url):
        return f"{scheme}://{MASK}"
    host, _, path = rest.partition("/")
    host = host.partition("?")[0].rpartition("@")[2]
    return f"{scheme}://{host}/{MASK}" if path or "?" in rest else f"{scheme}://{host}"
