"""Events that refer to a record. Imports nothing of Hotplane: a revision never changes, the tables do."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Let an event refer to the record that it is the ending of; such a row needs no entry in the index."""
    op.add_column("hotplane_events", sa.Column("record", sa.BigInteger))
    op.drop_index("hotplane_events_by_execution", "hotplane_events")
    where = sa.text("execution_id IS NOT NULL")
    op.create_index(
        "hotplane_events_by_execution",
        "hotplane_events",
        ["execution_id", "sequence"],
        sqlite_where=where,
        postgresql_where=where,
    )
