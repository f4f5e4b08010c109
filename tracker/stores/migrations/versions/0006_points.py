"""A queue of points for the time-series store, and whether there is one."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "points",
        sa.Column("id", BIG, primary_key=True),
        sa.Column("queued", BIG, nullable=False),
        sa.Column("due", BIG, nullable=False),
        sa.Column("lines", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
    )
    op.create_table(
        "projections",
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("since", BIG, nullable=False),
    )
    op.create_table(
        "coarsenings",
        sa.Column("series", sa.Text(), primary_key=True),
        sa.Column("day", BIG, primary_key=True),
        sa.Column("noted", BIG, nullable=False),
        sqlite_with_rowid=False,
    )
