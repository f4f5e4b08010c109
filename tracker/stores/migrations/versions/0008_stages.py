"""What is told of the stages of assets, and when readers were down. Beliefs know neither yet: all
are folded anew."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

ALWAYS = -(2**63)
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "standings",
        sa.Column("asset", TEXT, primary_key=True),
        sa.Column("body", TEXT, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "transitions",
        sa.Column("asset", TEXT, primary_key=True),
        sa.Column("at", BIG, primary_key=True),
        sa.Column("key", TEXT, primary_key=True),
        sa.Column("stage", TEXT),
        sa.Column("was", TEXT),
        sa.Column("p", sa.Float(), nullable=False),
        sa.Column("chain", TEXT, nullable=False),
        sa.Column("why", TEXT, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "presents",
        sa.Column("asset", TEXT, primary_key=True),
        sa.Column("class", TEXT, nullable=False),
        sa.Column("site", TEXT),
        sa.Column("stage", TEXT),
        sa.Column("since", BIG, nullable=False),
        sa.Column("p", sa.Float(), nullable=False),
        sa.Column("path_stage", TEXT),
        sa.Column("path_since", BIG, nullable=False),
        sa.Column("path_p", sa.Float(), nullable=False),
        sa.Column("at", BIG, nullable=False),
        sa.Column("behind", BIG, nullable=False),
        sa.Column("tick", BIG, nullable=False),
        sa.Column("profile", BIG, nullable=False),
        sa.Column("posterior", sa.LargeBinary(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "profiles",
        sa.Column("id", BIG, primary_key=True),
        sa.Column("process", TEXT, nullable=False),
        sa.Column("tracked", sa.Boolean(), nullable=False),
        sa.Column("heard", sa.LargeBinary(), nullable=False),
        sa.Column("deaf", sa.LargeBinary(), nullable=False),
    )
    op.create_table(
        "outages",
        sa.Column("revision", BIG, primary_key=True),
        sa.Column("device", TEXT, nullable=False),
        sa.Column("since", BIG),
        sa.Column("until", BIG),
        sa.Column("recorded", BIG, nullable=False),
        sa.Column("deaf", sa.Boolean()),
    )
    op.create_table(
        "suspects",
        sa.Column("device", TEXT, primary_key=True),
        sa.Column("at", BIG, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("outages_device", "outages", ["device"])
    reads = sa.text("kind = 'read'")
    op.create_index(
        "log_reads", "log", ["device", "at"], sqlite_where=reads, postgresql_where=reads
    )
    op.execute(
        "INSERT INTO suspects (device, at) "  # noqa: S608
        f"SELECT DISTINCT id, {ALWAYS} FROM versions WHERE kind = 'reader'"
    )
    funnel = ["stage", "class", "site", "since", "behind"]
    op.create_index("presents_funnel", "presents", funnel)
    op.create_index("presents_stage", "presents", ["stage", "asset", "p"])
    op.execute(f"UPDATE stale SET at = {ALWAYS}")  # noqa: S608
    op.execute(
        f"INSERT INTO stale (asset, at) SELECT asset, {ALWAYS} FROM beliefs "  # noqa: S608
        "WHERE asset NOT IN (SELECT asset FROM stale)"
    )
