"""How Alembic reaches the journal: on the connection, and inside the transaction, that `upgrade.py` hands over."""

from alembic import context

from rebalancer.journal.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
