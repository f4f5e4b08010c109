"""What assets have been through."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
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
