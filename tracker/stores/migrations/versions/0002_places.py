"""Configuration with versions, visits, snapshots, and more to say of devices and assets.

Beliefs stay until they are folded anew, for which every bound asset is marked stale: so the
journal is told what differs, not everything again.
"""

import json

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
ALWAYS = -(2**63)


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        return  # which begins at 0004
    for table in ("devices", "assets", "bindings", "beliefs"):
        op.rename_table(table, f"old_{table}")
    for index in ("bindings_asset", "bindings_subject"):
        op.drop_index(index, "old_bindings")
    _create()
    _widen()
    _carry_over()
    for table in ("old_beliefs", "old_bindings", "old_devices", "old_assets"):
        op.drop_table(table)


def _widen() -> None:
    op.add_column("log", sa.Column("recorded", BIG, nullable=False, server_default="0"))
    op.execute("UPDATE log SET recorded = received")
    op.add_column(
        "journal", sa.Column("about", sa.Text(), nullable=False, server_default="first place")
    )
    op.add_column("journal", sa.Column("recorded", BIG, nullable=False, server_default="0"))
    op.execute("UPDATE journal SET recorded = at")
    op.drop_index("journal_asset", "journal")
    op.create_index("journal_about", "journal", ["asset", "about", "id"])
    # All that begins with a word which is longer than these is gathered before the first is
    # given: slow where it is much. More lengths cost little.
    lengths = " ".join(map(str, range(1, 17)))
    op.execute(f"CREATE VIRTUAL TABLE words USING fts5(text, detail='none', prefix='{lengths}')")


def _carry_over() -> None:
    op.execute(
        "INSERT INTO assets (id, class, name, attributes, external_ids, version) "
        "SELECT id, kind, '', '{}', '{}', 1 FROM old_assets ORDER BY id"
    )
    op.execute("INSERT INTO words (rowid, text) SELECT number, id || ' ' || class FROM assets")
    op.execute(
        "INSERT INTO devices (id, kind, recording, first_received, name, version) "
        "SELECT id, kind, recording, first_received, '', 1 FROM old_devices"
    )
    db = op.get_bind()
    db.execute(
        sa.text(
            "INSERT INTO versions (kind, id, since, until, recorded, asset) "
            "SELECT 'binding', subject, since, until, 0, asset FROM old_bindings ORDER BY id"
        )
    )
    placed = db.execute(sa.text("SELECT id, lat, lon, acc FROM old_devices WHERE lat IS NOT NULL"))
    for id, lat, lon, acc in placed.fetchall():
        body = json.dumps({"device": id, "place": {"lat": lat, "lon": lon, "acc": acc}})
        db.execute(
            sa.text(
                "INSERT INTO versions (kind, id, recorded, body) VALUES ('reader', :id, 0, :body)"
            ),
            {"id": id, "body": body},
        )
    op.execute(
        "INSERT INTO beliefs (asset, body, revision) "
        "SELECT asset, json_set(body, '$.whereabouts', json('null')), 0 FROM old_beliefs"
    )
    op.execute(
        "INSERT INTO sightings (device, subject) "
        "SELECT DISTINCT device, subject FROM log WHERE kind = 'read'"
    )
    # Where they are is not looked at: the whole world's cell is touched by every fence.
    op.execute(
        "INSERT INTO cells (level, row, col, subject) "
        "SELECT DISTINCT 11, 0, 0, subject FROM log WHERE kind = 'fix'"
    )
    op.execute(
        f"INSERT INTO stale (asset, at) SELECT DISTINCT asset, {ALWAYS} FROM old_bindings"  # noqa: S608
    )


def _create() -> None:
    op.create_table(
        "assets",
        sa.Column("number", BIG, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("class", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("home", sa.Text(), nullable=True),
        sa.Column("initial_stage", sa.Text(), nullable=True),
        sa.Column("attributes", sa.Text(), nullable=False),
        sa.Column("external_ids", sa.Text(), nullable=False),
        sa.Column("version", BIG, nullable=False),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("id"),
    )
    op.create_index("assets_class", "assets", ["class", "id"], unique=False)
    op.create_table(
        "audit",
        sa.Column("id", BIG, nullable=False),
        sa.Column("at", BIG, nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("before", sa.Text(), nullable=True),
        sa.Column("after", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("audit_subject", "audit", ["kind", "subject", "id"], unique=False)
    op.create_table(
        "beliefs",
        sa.Column("asset", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("revision", BIG, nullable=False),
        sa.Column("row", sa.Integer(), nullable=True),
        sa.Column("col", sa.Integer(), nullable=True),
        sa.Column("site", sa.Text(), nullable=True),
        sa.Column("since", BIG, nullable=True),
        sa.PrimaryKeyConstraint("asset"),
        sqlite_with_rowid=False,
    )
    op.create_index("beliefs_place", "beliefs", ["row", "col"], unique=False)
    op.create_index("beliefs_site", "beliefs", ["site", "asset"], unique=False)
    op.create_index("beliefs_stay", "beliefs", ["site", "since", "asset"], unique=False)
    op.create_table(
        "cells",
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("row", sa.Integer(), nullable=False),
        sa.Column("col", sa.Integer(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("level", "row", "col", "subject"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "devices",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("recording", sa.Boolean(), nullable=False),
        sa.Column("first_received", BIG, nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("rest_interval_s", sa.Float(), nullable=True),
        sa.Column("moving_interval_s", sa.Float(), nullable=True),
        sa.Column("power", sa.Text(), nullable=True),
        sa.Column("version", BIG, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "edges",
        sa.Column("at", BIG, nullable=False),
        sa.Column("recorded", BIG, nullable=False),
        sa.PrimaryKeyConstraint("at"),
    )
    op.create_table(
        "labels",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("asset", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", "value", "asset"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "sightings",
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("device", "subject"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "snapshots",
        sa.Column("asset", sa.Text(), nullable=False),
        sa.Column("at", BIG, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("base", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("asset", "at", "key"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "stale",
        sa.Column("asset", sa.Text(), nullable=False),
        sa.Column("at", BIG, nullable=False),
        sa.PrimaryKeyConstraint("asset"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "visits",
        sa.Column("asset", sa.Text(), nullable=False),
        sa.Column("opened_at", BIG, nullable=False),
        sa.Column("opened_key", sa.Text(), nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("since", BIG, nullable=False),
        sa.Column("began", sa.Text(), nullable=False),
        sa.Column("last", BIG, nullable=False),
        sa.Column("until", BIG, nullable=False),
        sa.Column("ended", sa.Text(), nullable=False),
        sa.Column("closed_at", BIG, nullable=False),
        sa.Column("closed_key", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("asset", "opened_at", "opened_key"),
        sqlite_with_rowid=False,
    )
    op.create_index("visits_site", "visits", ["site", "since", "asset", "until"], unique=False)
    op.create_table(
        "vitals",
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("at", BIG, nullable=False),
        sa.Column("key", sa.LargeBinary(length=16), nullable=False),
        sa.PrimaryKeyConstraint("device", "name"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "versions",
        sa.Column("revision", BIG, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("since", BIG, nullable=True),
        sa.Column("until", BIG, nullable=True),
        sa.Column("recorded", BIG, nullable=False),
        sa.Column("asset", sa.Text(), nullable=True),
        sa.Column("body", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["asset"],
            ["assets.id"],
        ),
        sa.PrimaryKeyConstraint("revision"),
    )
    op.create_index("versions_asset", "versions", ["asset"], unique=False)
    op.create_index("versions_id", "versions", ["kind", "id"], unique=False)
