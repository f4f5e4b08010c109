"""Snapshots count their observations in a column, where a late one is added to many quickly."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    column = sa.Column("observations", BIG, nullable=False, server_default="0")
    op.add_column("snapshots", column)
    database = op.get_bind()
    if database.dialect.name == "postgresql":
        database.exec_driver_sql(
            "UPDATE snapshots SET observations = (body::jsonb ->> 'observations')::bigint,"
            """ body = regexp_replace(body, '"observations":[0-9]+', '"observations":0')"""
        )
    else:
        database.exec_driver_sql(
            "UPDATE snapshots SET observations = body ->> '$.observations',"
            " body = json_set(body, '$.observations', 0)"
        )
