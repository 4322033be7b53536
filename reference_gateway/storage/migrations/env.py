"""Alembic's environment: it works on the connection it is handed, in the transaction that is open there."""

from __future__ import annotations

from alembic import context

from reference_gateway.storage.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, transactional_ddl=False)
context.run_migrations()
