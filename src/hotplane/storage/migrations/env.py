"""Runs revisions on the connection that `hotplane.storage.revisions` hands over, inside its transaction."""

from __future__ import annotations

from alembic import context

from hotplane.storage.tables import REVISION_TABLE, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=REVISION_TABLE,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
