"""Alembic's environment: migrations run on the connection, and in the transaction, that `upgrade.py` provides."""

from alembic import context

from rebalancer.journal.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
