"""On PostgreSQL the index by place gives the assets as well, as SQLite's does by itself."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.drop_index("beliefs_place", "beliefs")
        op.create_index("beliefs_place", "beliefs", ["row", "col"], postgresql_include=["asset"])
