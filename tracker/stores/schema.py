"""The tables. The migrations make them; a test holds the two together."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    text,
)

metadata = MetaData()

# SQLite only counts up by itself, and only stores compactly, in a column called INTEGER.
BIG = BigInteger().with_variant(Integer, "sqlite")

log = Table(
    "log",
    metadata,
    # An integer primary key beside a unique index: with the random event key as the primary
    # key every insert would move whole rows, which doubles the cost.
    Column("id", BIG, primary_key=True),
    Column("key", LargeBinary(16), nullable=False),
    Column("digest", LargeBinary(16), nullable=False),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("device", Text, nullable=False),
    Column("boot", Text),
    Column("seq", BIG),
    Column("event", Integer, nullable=False),
    Column("stamp", BIG, nullable=False),
    Column("at", BIG, nullable=False),
    Column("sent", BIG),
    Column("received", BIG, nullable=False),
    Column("body", Text, nullable=False),
    Column("recorded", BIG, nullable=False),  # when it became part of the log
    Index("log_key", "key", unique=True),
    Index("log_subject_at", "subject", "at"),
    # A reader's signs of life: its reads bear the tag's name, not its own.
    Index(
        "log_reads",
        "device",
        "at",
        sqlite_where=text("kind = 'read'"),
        postgresql_where=text("kind = 'read'"),
    ),
)

progress = Table(
    "progress",
    metadata,
    Column("device", Text, primary_key=True),
    Column("boot", Text, primary_key=True),
    Column("top", BIG, nullable=False),
    Column("first", BIG),
    Column("holes", Text, nullable=False),
    Column("lost", Text, nullable=False),
    Column("received", BIG, nullable=False),
    sqlite_with_rowid=False,
)

# Which subjects a device has ever seen, and roughly where fixes of a subject have ever been:
# what a changed reader or fence may touch, without a look at the whole log.
sightings = Table(
    "sightings",
    metadata,
    Column("device", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    sqlite_with_rowid=False,
)

cells = Table(
    "cells",
    metadata,
    Column("level", Integer, primary_key=True),
    Column("row", Integer, primary_key=True),
    Column("col", Integer, primary_key=True),
    Column("subject", Text, primary_key=True),
    sqlite_with_rowid=False,
)

# Where the log begins: what lies before has been given up, and stands in base beliefs.
edges = Table(
    "edges",
    metadata,
    Column("at", BIG, primary_key=True),
    Column("recorded", BIG, nullable=False),
)

# Which messages had something in the log that was given up: they are accounted for.
given_up = Table(
    "given_up",
    metadata,
    Column("device", Text, primary_key=True),
    Column("boot", Text, primary_key=True),
    Column("low", BIG, primary_key=True),
    Column("high", BIG, nullable=False),
    sqlite_with_rowid=False,
)

beliefs = Table(
    "beliefs",
    metadata,
    Column("asset", Text, primary_key=True),
    Column("body", Text, nullable=False),
    Column("revision", BIG, nullable=False),  # of the layout that it was folded with
    # Its last place, its site and its stay there, to be found by. They change seldom, the
    # body always.
    Column("row", Integer),
    Column("col", Integer),
    Column("site", Text),
    Column("since", BIG),  # null of one that only seems to arrive
    Index("beliefs_place", "row", "col", postgresql_include=["asset"]),
    Index("beliefs_site", "site", "asset"),
    Index("beliefs_stay", "site", "since", "asset"),
    sqlite_with_rowid=False,
)

# In which stages assets are, apart from where they are: it is the larger part by far, and lists
# show places.
standings = Table(
    "standings",
    metadata,
    Column("asset", Text, primary_key=True),
    Column("body", Text, nullable=False),
    sqlite_with_rowid=False,
)

# What assets have been through, in all and since their last snapshot.
usages = Table(
    "usages",
    metadata,
    Column("asset", Text, primary_key=True),
    Column("total", Text, nullable=False),
    Column("tail", Text, nullable=False),
    sqlite_with_rowid=False,
)

snapshots = Table(
    "snapshots",
    metadata,
    Column("asset", Text, primary_key=True),
    Column("at", BIG, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("body", Text, nullable=False),
    Column("base", Boolean, nullable=False),  # of what the log no longer holds
    Column("observations", BIG, nullable=False, server_default="0"),  # which the body leaves out
    Column("used", Text, nullable=False, server_default="{}"),  # since the one before
    sqlite_with_rowid=False,
)

stale = Table(
    "stale",
    metadata,
    Column("asset", Text, primary_key=True),
    Column("at", BIG, nullable=False),  # the earliest event time that a change touches
    sqlite_with_rowid=False,
)

visits = Table(
    "visits",
    metadata,
    Column("asset", Text, primary_key=True),
    Column("opened_at", BIG, primary_key=True),
    Column("opened_key", Text, primary_key=True),
    Column("site", Text, nullable=False),
    Column("since", BIG, nullable=False),
    Column("began", Text, nullable=False),
    Column("last", BIG, nullable=False),
    Column("until", BIG, nullable=False),
    Column("ended", Text, nullable=False),
    Column("closed_at", BIG, nullable=False),
    Column("closed_key", Text, nullable=False),
    Index("visits_site", "site", "since", "asset", "until"),
    sqlite_with_rowid=False,
)

transitions = Table(
    "transitions",
    metadata,
    Column("asset", Text, primary_key=True),
    Column("at", BIG, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("stage", Text),  # null: unknown
    Column("was", Text),
    Column("p", Float, nullable=False),
    Column("chain", Text, nullable=False),
    Column("why", Text, nullable=False),
    sqlite_with_rowid=False,
)

# What is told of assets now, and what their observations alone tell (`path`). With what a sweep
# needs to go on from: the probabilities of the states (float32) at a tick, and the profile.
presents = Table(
    "presents",
    metadata,
    Column("asset", Text, primary_key=True),
    Column("class", Text, nullable=False),
    Column("site", Text),
    Column("stage", Text),  # null: unknown
    Column("since", BIG, nullable=False),
    Column("p", Float, nullable=False),
    Column("path_stage", Text),
    Column("path_since", BIG, nullable=False),
    Column("path_p", Float, nullable=False),
    Column("at", BIG, nullable=False),
    Column("behind", BIG, nullable=False),
    Column("tick", BIG, nullable=False),
    Column("profile", BIG, nullable=False),
    Column("posterior", LargeBinary, nullable=False),
    Index("presents_funnel", "stage", "class", "site", "since", "behind"),
    Index("presents_stage", "stage", "asset", "p"),
    sqlite_with_rowid=False,
)

# How assets tell of themselves: what is heard of them per hour (float64, states x states).
profiles = Table(
    "profiles",
    metadata,
    Column("id", BIG, primary_key=True),
    Column("process", Text, nullable=False),
    Column("tracked", Boolean, nullable=False),
    Column("heard", LargeBinary, nullable=False),
    Column("deaf", LargeBinary, nullable=False),
)

journal = Table(
    "journal",
    metadata,
    Column("id", BIG, primary_key=True),
    Column("asset", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("about", Text, nullable=False),
    Column("at", BIG, nullable=False),
    Column("recorded", BIG, nullable=False),
    Column("body", Text, nullable=False),
    Column("supersedes", BIG, ForeignKey("journal.id")),
    Index("journal_about", "asset", "about", "id"),
)

dead_letters = Table(
    "dead_letters",
    metadata,
    Column("id", BIG, primary_key=True),
    Column("key", LargeBinary(16), nullable=False, unique=True),
    Column("received", BIG, nullable=False),
    Column("topic", Text, nullable=False),
    Column("device", Text),
    Column("boot", Text),
    Column("seq", BIG),
    Column("event", Integer),
    Column("reason", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Column("size", Integer, nullable=False),
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("id", BIG, primary_key=True),
    Column("key", LargeBinary(16), nullable=False, unique=True),
    Column("digest", LargeBinary(16), nullable=False),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("device", Text, nullable=False),
    Column("boot", Text),
    Column("seq", BIG),
    Column("event", Integer, nullable=False),
    Column("stamp", BIG, nullable=False),
    Column("at", BIG, nullable=False),
    Column("sent", BIG),
    Column("received", BIG, nullable=False),
    Column("body", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Index("quarantine_device", "device", "reason"),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", BIG, primary_key=True),
    Column("topic", Text, nullable=False),
    Column("payload", LargeBinary, nullable=False),
)

# What the time-series store is still to be told: lines of points, a row for each batch. A worker
# that has taken a row moves `due` on, and others leave it alone until then.
points = Table(
    "points",
    metadata,
    Column("id", BIG, primary_key=True),
    Column("queued", BIG, nullable=False),
    Column("due", BIG, nullable=False),
    Column("lines", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
)

# Since when it is told at all; no row: there is none to tell.
projections = Table(
    "projections",
    metadata,
    Column("name", Text, primary_key=True),
    Column("since", BIG, nullable=False),
)

# Of which series and days it must make its coarser points again, for something came late.
coarsenings = Table(
    "coarsenings",
    metadata,
    Column("series", Text, primary_key=True),
    Column("day", BIG, primary_key=True),
    Column("noted", BIG, nullable=False),
    sqlite_with_rowid=False,
)

devices = Table(
    "devices",
    metadata,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("recording", Boolean, nullable=False),
    Column("first_received", BIG),
    Column("name", Text, nullable=False),
    Column("rest_interval_s", Float),
    Column("moving_interval_s", Float),
    Column("power", Text),
    Column("version", BIG, nullable=False),
)

vitals = Table(
    "vitals",
    metadata,
    Column("device", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
    Column("at", BIG, nullable=False),
    Column("key", LargeBinary(16), nullable=False),
    sqlite_with_rowid=False,
)

assets = Table(
    "assets",
    metadata,
    Column("number", BIG, primary_key=True),  # what the index of words refers to
    Column("id", Text, nullable=False, unique=True),
    Column("class", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("home", Text),
    Column("initial_stage", Text),
    Column("attributes", Text, nullable=False),
    Column("external_ids", Text, nullable=False),
    Column("version", BIG, nullable=False),
    Index("assets_class", "class", "id"),
)

# External ids (`id:SYSTEM`) and attributes (`is:NAME`) of assets, to be found by.
labels = Table(
    "labels",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, primary_key=True),
    Column("asset", Text, primary_key=True),
    sqlite_with_rowid=False,
)

# The history of bindings (of a tag or device to an asset), sites, zones and readers.
versions = Table(
    "versions",
    metadata,
    Column("revision", BIG, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("since", BIG),
    Column("until", BIG),
    Column("recorded", BIG, nullable=False),
    Column("asset", Text, ForeignKey("assets.id")),  # a binding's
    Column("body", Text),  # another one's; both null: there is none
    Index("versions_id", "kind", "id"),
    Index("versions_asset", "asset"),
)

# When readers were away, and whether they were deaf: versions that overlay each other, made
# from the log.
outages = Table(
    "outages",
    metadata,
    Column("revision", BIG, primary_key=True),
    Column("device", Text, nullable=False),
    Column("since", BIG),
    Column("until", BIG),
    Column("recorded", BIG, nullable=False),
    Column("deaf", Boolean),  # null: it was there
    Index("outages_device", "device"),
)

# The readers whose outages are to be looked at again, each from an event time on.
suspects = Table(
    "suspects",
    metadata,
    Column("device", Text, primary_key=True),
    Column("at", BIG, nullable=False),
    sqlite_with_rowid=False,
)

audit = Table(
    "audit",
    metadata,
    Column("id", BIG, primary_key=True),
    Column("at", BIG, nullable=False),
    Column("by", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("before", Text),
    Column("after", Text),
    Index("audit_subject", "kind", "subject", "id"),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("digest", LargeBinary(32), nullable=False, unique=True),
    Column("scopes", Text, nullable=False),
    Column("created", BIG, nullable=False),
    Column("expires", BIG),
    Column("revoked", BIG),
    Column("partner", Text),
)

# Who has assets for a time, or works on them.
partners = Table(
    "partners",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("sites", Text, nullable=False),
    Column("version", BIG, nullable=False),
    sqlite_with_rowid=False,
)

# What partners have on lease: orders, their lines, and all that was ever agreed about them.
leases = Table(
    "leases",
    metadata,
    Column("id", Text, primary_key=True),
    Column("customer", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("version", BIG, nullable=False),
    Index("leases_customer", "customer", "id"),
    sqlite_with_rowid=False,
)

lines = Table(
    "lines",
    metadata,
    Column("lease", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("asset", Text),
    Column("class", Text),
    Column("start", Text, nullable=False),
    Column("due", Text, nullable=False),
    Column("start_at", BIG, nullable=False),
    Column("due_at", BIG, nullable=False),
    Column("ended", Text),
    Column("ended_at", BIG),
    Index("lines_asset", "asset", "start_at"),
    sqlite_with_rowid=False,
)

agreements = Table(
    "agreements",
    metadata,
    Column("id", BIG, primary_key=True),
    Column("lease", Text, nullable=False),
    Column("line", Text),
    Column("kind", Text, nullable=False),
    Column("at", BIG, nullable=False),
    Column("recorded", BIG, nullable=False),
    Column("by", Text, nullable=False),
    Column("body", Text, nullable=False),
    Index("agreements_lease", "lease", "id"),
)

# When to look at an asset next, for time alone may then change what holds of it.
timers = Table(
    "timers",
    metadata,
    Column("asset", Text, primary_key=True),
    Column("at", BIG, nullable=False),
    Index("timers_at", "at", "asset"),
    sqlite_with_rowid=False,
)

# Since when conditions have held of an asset, as far as that is still to become an alert.
held = Table(
    "held",
    metadata,
    Column("asset", Text, primary_key=True),
    Column("body", Text, nullable=False),
    sqlite_with_rowid=False,
)

# The hardest hits that devices have felt since their assets were looked at.
hits = Table(
    "hits",
    metadata,
    Column("asset", Text, primary_key=True),
    Column("device", Text, primary_key=True),
    Column("at", BIG, nullable=False),
    Column("value", Float, nullable=False),
    sqlite_with_rowid=False,
)

# Alerts, and what happened to them, in the order in which it did.
alerts = Table(
    "alerts",
    metadata,
    Column("id", Text, primary_key=True),
    Column("asset", Text, nullable=False),
    Column("lease", Text),
    Column("line", Text),
    Column("rule", Text, nullable=False),
    Column("episode", BIG, nullable=False),
    Column("state", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("level", BIG, nullable=False),
    Column("since", BIG, nullable=False),
    Column("opened", BIG, nullable=False),
    Column("changed", BIG, nullable=False),
    Column("told", BIG, nullable=False),
    Column("gone", BIG),
    Column("by", Text),
    Column("until", BIG),
    Column("resolution", Text),
    Column("why", Text, nullable=False),
    Index("alerts_asset", "asset", "lease", "line", "rule", "episode"),
    Index("alerts_state", "state", "rule", "since"),
    sqlite_with_rowid=False,
)

alert_events = Table(
    "alert_events",
    metadata,
    Column("id", BIG, primary_key=True),
    Column("alert", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("at", BIG, nullable=False),
    Column("recorded", BIG, nullable=False),
    Column("by", Text),
    Column("note", Text),
    Column("body", Text, nullable=False),
    Index("alert_events_alert", "alert", "id"),
)

# What is known of classes of assets, and the models of when they fail.
classes = Table(
    "classes",
    metadata,
    Column("id", Text, primary_key=True),
    Column("body", Text, nullable=False),
    Column("version", BIG, nullable=False),
    sqlite_with_rowid=False,
)

models = Table(
    "models",
    metadata,
    Column("class", Text, primary_key=True),
    Column("number", BIG, primary_key=True),
    Column("made", BIG, nullable=False),
    Column("body", Text, nullable=False),
    sqlite_with_rowid=False,
)

# What was found of returned assets, what was decided, and what was done to them.
inspections = Table(
    "inspections",
    metadata,
    Column("id", Text, primary_key=True),
    Column("asset", Text, nullable=False),
    Column("at", BIG, nullable=False),
    Column("recorded", BIG, nullable=False),
    Column("by", Text, nullable=False),
    Column("body", Text, nullable=False),
    Index("inspections_asset", "asset", "at"),
    sqlite_with_rowid=False,
)

decisions = Table(
    "decisions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("asset", Text, nullable=False),
    Column("number", BIG, nullable=False),
    Column("at", BIG, nullable=False),
    Column("recorded", BIG, nullable=False),
    Column("by", Text, nullable=False),
    Column("body", Text, nullable=False),
    # Whoever decides says which decision was the last one: of two at once one fails.
    Index("decisions_asset", "asset", "number", unique=True),
    sqlite_with_rowid=False,
)

orders = Table(
    "orders",
    metadata,
    Column("id", Text, primary_key=True),
    Column("asset", Text, nullable=False),
    Column("opened", BIG, nullable=False),
    Column("closed", BIG),
    Column("body", Text, nullable=False),
    Column("version", BIG, nullable=False),
    Index("orders_asset", "asset", "opened"),
    Index("orders_open", "closed", "id"),
    sqlite_with_rowid=False,
)

# Parts that are assets of their own, and which asset they were in.
kin = Table(
    "kin",
    metadata,
    Column("part", Text, primary_key=True),
    Column("number", BIG, primary_key=True),
    Column("asset", Text, nullable=False),
    Column("since", BIG),
    Column("until", BIG),
    Column("order_id", Text, nullable=False),
    Index("kin_asset", "asset"),
    sqlite_with_rowid=False,
)

# How much of its life each asset has spent, as a sweep has last found.
lives = Table(
    "lives",
    metadata,
    Column("asset", Text, primary_key=True),
    Column("class", Text, nullable=False),
    Column("spent", Float, nullable=False),
    Column("because", Text, nullable=False),
    Column("trips", Float, nullable=False),
    Column("p_fail", Float),
    Column("remaining", Float),
    Index("lives_spent", "spent", "asset"),
    Index("lives_class", "class", "spent", "asset"),
    sqlite_with_rowid=False,
)

# Who is told of alerts, and how; and what is still to be told, or was.
recipients = Table(
    "recipients",
    metadata,
    Column("id", Text, primary_key=True),
    Column("body", Text, nullable=False),
    Column("version", BIG, nullable=False),
    sqlite_with_rowid=False,
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Text, primary_key=True),
    Column("recipient", Text, nullable=False),
    Column("alert", Text, nullable=False),
    Column("event", BIG, nullable=False),
    Column("state", Text, nullable=False),
    Column("queued", BIG, nullable=False),
    Column("due", BIG, nullable=False),
    Column("notice", Text, nullable=False),
    Column("attempts", Text, nullable=False),
    Column("lead", Text),
    Index("deliveries_due", "state", "recipient", "due"),
    Index("deliveries_queued", "queued", "id"),
    Index("deliveries_state", "state", "queued", "id"),
    Index("deliveries_lead", "lead"),
    sqlite_with_rowid=False,
)
