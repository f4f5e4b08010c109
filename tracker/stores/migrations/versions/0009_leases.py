"""Leases, when to look at what, alerts, who is told of them, and keys of partners."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "partners",
        sa.Column("id", TEXT, primary_key=True),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("sites", TEXT, nullable=False),
        sa.Column("version", BIG, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "leases",
        sa.Column("id", TEXT, primary_key=True),
        sa.Column("customer", TEXT, nullable=False),
        sa.Column("body", TEXT, nullable=False),
        sa.Column("version", BIG, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("leases_customer", "leases", ["customer", "id"])
    op.create_table(
        "lines",
        sa.Column("lease", TEXT, primary_key=True),
        sa.Column("id", TEXT, primary_key=True),
        sa.Column("asset", TEXT),
        sa.Column("class", TEXT),
        sa.Column("start", TEXT, nullable=False),
        sa.Column("due", TEXT, nullable=False),
        sa.Column("start_at", BIG, nullable=False),
        sa.Column("due_at", BIG, nullable=False),
        sa.Column("ended", TEXT),
        sa.Column("ended_at", BIG),
        sqlite_with_rowid=False,
    )
    op.create_index("lines_asset", "lines", ["asset", "start_at"])
    op.create_table(
        "agreements",
        sa.Column("id", BIG, primary_key=True),
        sa.Column("lease", TEXT, nullable=False),
        sa.Column("line", TEXT),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("at", BIG, nullable=False),
        sa.Column("recorded", BIG, nullable=False),
        sa.Column("by", TEXT, nullable=False),
        sa.Column("body", TEXT, nullable=False),
    )
    op.create_index("agreements_lease", "agreements", ["lease", "id"])
    op.create_table(
        "timers",
        sa.Column("asset", TEXT, primary_key=True),
        sa.Column("at", BIG, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("timers_at", "timers", ["at", "asset"])
    op.create_table(
        "held",
        sa.Column("asset", TEXT, primary_key=True),
        sa.Column("body", TEXT, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "hits",
        sa.Column("asset", TEXT, primary_key=True),
        sa.Column("device", TEXT, primary_key=True),
        sa.Column("at", BIG, nullable=False),
        sa.Column("value", sa.Float, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "alerts",
        sa.Column("id", TEXT, primary_key=True),
        sa.Column("asset", TEXT, nullable=False),
        sa.Column("lease", TEXT),
        sa.Column("line", TEXT),
        sa.Column("rule", TEXT, nullable=False),
        sa.Column("episode", BIG, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("severity", TEXT, nullable=False),
        sa.Column("level", BIG, nullable=False),
        sa.Column("since", BIG, nullable=False),
        sa.Column("opened", BIG, nullable=False),
        sa.Column("changed", BIG, nullable=False),
        sa.Column("told", BIG, nullable=False),
        sa.Column("gone", BIG),
        sa.Column("by", TEXT),
        sa.Column("until", BIG),
        sa.Column("resolution", TEXT),
        sa.Column("why", TEXT, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("alerts_asset", "alerts", ["asset", "lease", "line", "rule", "episode"])
    op.create_index("alerts_state", "alerts", ["state", "rule", "since"])
    op.create_table(
        "alert_events",
        sa.Column("id", BIG, primary_key=True),
        sa.Column("alert", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("at", BIG, nullable=False),
        sa.Column("recorded", BIG, nullable=False),
        sa.Column("by", TEXT),
        sa.Column("note", TEXT),
        sa.Column("body", TEXT, nullable=False),
    )
    op.create_index("alert_events_alert", "alert_events", ["alert", "id"])
    op.create_table(
        "recipients",
        sa.Column("id", TEXT, primary_key=True),
        sa.Column("body", TEXT, nullable=False),
        sa.Column("version", BIG, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "deliveries",
        sa.Column("id", TEXT, primary_key=True),
        sa.Column("recipient", TEXT, nullable=False),
        sa.Column("alert", TEXT, nullable=False),
        sa.Column("event", BIG, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("queued", BIG, nullable=False),
        sa.Column("due", BIG, nullable=False),
        sa.Column("notice", TEXT, nullable=False),
        sa.Column("attempts", TEXT, nullable=False),
        sa.Column("lead", TEXT),
        sqlite_with_rowid=False,
    )
    op.create_index("deliveries_due", "deliveries", ["state", "recipient", "due"])
    op.create_index("deliveries_queued", "deliveries", ["queued", "id"])
    op.create_index("deliveries_state", "deliveries", ["state", "queued", "id"])
    op.create_index("deliveries_lead", "deliveries", ["lead"])
    op.add_column("api_keys", sa.Column("partner", TEXT))
