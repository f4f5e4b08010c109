"""Alembic's entry: it runs on the connection that the store hands over."""

from alembic import context

from tracker.stores.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=False,  # the store's own transaction spans the whole upgrade
)
context.run_migrations()
