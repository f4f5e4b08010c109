"""What assets have been through, what they are worth, and what becomes of them."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
ALWAYS = -(2**63)  # what was never counted is counted anew


def upgrade() -> None:
    op.create_table(
        "usages",
        sa.Column("asset", TEXT, primary_key=True),
        sa.Column("total", TEXT, nullable=False),
        sa.Column("tail", TEXT, nullable=False),
        sqlite_with_rowid=False,
    )
    op.add_column("snapshots", sa.Column("used", TEXT, nullable=False, server_default="{}"))
    op.execute(f"UPDATE stale SET at = {ALWAYS}")  # noqa: S608
    op.execute(
        f"INSERT INTO stale (asset, at) SELECT asset, {ALWAYS} FROM beliefs "  # noqa: S608
        "WHERE asset NOT IN (SELECT asset FROM stale)"
    )
    _tables()
    op.create_index("inspections_asset", "inspections", ["asset", "at"])
    op.create_index("decisions_asset", "decisions", ["asset", "number"], unique=True)
    op.create_index("orders_asset", "orders", ["asset", "opened"])
    op.create_index("orders_open", "orders", ["closed", "id"])
    op.create_index("kin_asset", "kin", ["asset"])
    op.create_index("lives_spent", "lives", ["spent", "asset"])
    op.create_index("lives_class", "lives", ["class", "spent", "asset"])


def _tables() -> None:
    op.create_table(
        "classes",
        sa.Column("id", TEXT, primary_key=True),
        sa.Column("body", TEXT, nullable=False),
        sa.Column("version", BIG, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "models",
        sa.Column("class", TEXT, primary_key=True),
        sa.Column("number", BIG, primary_key=True),
        sa.Column("made", BIG, nullable=False),
        sa.Column("body", TEXT, nullable=False),
        sqlite_with_rowid=False,
    )
    for name, more in (
        ("inspections", []),
        ("decisions", [sa.Column("number", BIG, nullable=False)]),
    ):
        op.create_table(
            name,
            sa.Column("id", TEXT, primary_key=True),
            sa.Column("asset", TEXT, nullable=False),
            *more,
            sa.Column("at", BIG, nullable=False),
            sa.Column("recorded", BIG, nullable=False),
            sa.Column("by", TEXT, nullable=False),
            sa.Column("body", TEXT, nullable=False),
            sqlite_with_rowid=False,
        )
    op.create_table(
        "orders",
        sa.Column("id", TEXT, primary_key=True),
        sa.Column("asset", TEXT, nullable=False),
        sa.Column("opened", BIG, nullable=False),
        sa.Column("closed", BIG),
        sa.Column("body", TEXT, nullable=False),
        sa.Column("version", BIG, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "kin",
        sa.Column("part", TEXT, primary_key=True),
        sa.Column("number", BIG, primary_key=True),
        sa.Column("asset", TEXT, nullable=False),
        sa.Column("since", BIG),
        sa.Column("until", BIG),
        sa.Column("order_id", TEXT, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "lives",
        sa.Column("asset", TEXT, primary_key=True),
        sa.Column("class", TEXT, nullable=False),
        sa.Column("spent", sa.Float(), nullable=False),
        sa.Column("because", TEXT, nullable=False),
        sa.Column("trips", sa.Float(), nullable=False),
        sa.Column("p_fail", sa.Float()),
        sa.Column("remaining", sa.Float()),
        sqlite_with_rowid=False,
    )
