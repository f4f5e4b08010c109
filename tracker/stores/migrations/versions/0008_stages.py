"""What is told of the stages of assets. Beliefs have none yet: all are folded anew."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

ALWAYS = -(2**63)
BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "transitions",
        sa.Column("asset", sa.Text(), primary_key=True),
        sa.Column("at", BIG, primary_key=True),
        sa.Column("key", sa.Text(), primary_key=True),
        sa.Column("stage", sa.Text()),
        sa.Column("was", sa.Text()),
        sa.Column("p", sa.Float(), nullable=False),
        sa.Column("chain", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "presents",
        sa.Column("asset", sa.Text(), primary_key=True),
        sa.Column("class", sa.Text(), nullable=False),
        sa.Column("site", sa.Text()),
        sa.Column("stage", sa.Text()),
        sa.Column("since", BIG, nullable=False),
        sa.Column("p", sa.Float(), nullable=False),
        sa.Column("path_stage", sa.Text()),
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
        sa.Column("process", sa.Text(), nullable=False),
        sa.Column("tracked", sa.Boolean(), nullable=False),
        sa.Column("heard", sa.LargeBinary(), nullable=False),
        sa.Column("deaf", sa.LargeBinary(), nullable=False),
    )
    funnel = ["stage", "class", "site", "since", "behind"]
    op.create_index("presents_funnel", "presents", funnel)
    op.create_index("presents_stage", "presents", ["stage", "asset", "p"])
    op.execute(f"UPDATE stale SET at = {ALWAYS}")  # noqa: S608
    op.execute(
        f"INSERT INTO stale (asset, at) SELECT asset, {ALWAYS} FROM beliefs "  # noqa: S608
        "WHERE asset NOT IN (SELECT asset FROM stale)"
    )
