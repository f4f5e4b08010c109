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
    Index("log_key", "key", unique=True),
    Index("log_subject_at", "subject", "at"),
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

beliefs = Table(
    "beliefs",
    metadata,
    Column("asset", Text, primary_key=True),
    Column("body", Text, nullable=False),
    sqlite_with_rowid=False,
)

journal = Table(
    "journal",
    metadata,
    Column("id", BIG, primary_key=True),
    Column("asset", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("at", BIG, nullable=False),
    Column("body", Text, nullable=False),
    Column("supersedes", BIG, ForeignKey("journal.id")),
    Index("journal_asset", "asset", "id"),
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

devices = Table(
    "devices",
    metadata,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("recording", Boolean, nullable=False),
    Column("lat", Float),
    Column("lon", Float),
    Column("acc", Float),
    Column("first_received", BIG),
)

assets = Table(
    "assets",
    metadata,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
)

bindings = Table(
    "bindings",
    metadata,
    Column("id", BIG, primary_key=True),
    Column("asset", Text, ForeignKey("assets.id"), nullable=False),
    Column("subject", Text, nullable=False),
    Column("since", BIG),
    Column("until", BIG),
    Index("bindings_asset", "asset"),
    Index("bindings_subject", "subject"),
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
)
