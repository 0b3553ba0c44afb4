"""Runs the steps on the connection that the store hands over, in one transaction."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], target_metadata=None, transaction_per_migration=False)
with context.begin_transaction():
    context.run_migrations()
