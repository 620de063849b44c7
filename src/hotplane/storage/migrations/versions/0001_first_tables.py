"""The first tables. Imports nothing of Hotplane: a revision never changes, the tables do."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_SEQUENCE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the log of executions and events, the counter of its order, and the tables of what the API changed."""
    _create_log()
    _create_counters()
    _create_settings()


def _create_log() -> None:
    op.create_table(
        "hotplane_executions",
        sa.Column("sequence", _SEQUENCE, primary_key=True, autoincrement=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("task_id", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("started_at", sa.BigInteger, nullable=False),
        sa.Column("sampled", sa.Boolean, nullable=False),
        sa.Column("valid", sa.Boolean),
        sa.Column("minted", sa.Boolean, nullable=False),
        sa.Column("latency", sa.BigInteger, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.CheckConstraint("id <> ''", name="hotplane_executions_id_check"),
    )
    op.create_index("hotplane_executions_by_id", "hotplane_executions", ["id", "sequence"])
    op.create_index("hotplane_executions_by_task", "hotplane_executions", ["task_id", "sequence"])
    op.create_table(
        "hotplane_events",
        sa.Column("sequence", _SEQUENCE, primary_key=True, autoincrement=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("severity", sa.Text, nullable=False),
        sa.Column("task_id", sa.Text),
        sa.Column("execution_id", sa.Text),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_index("hotplane_events_by_execution", "hotplane_events", ["execution_id", "sequence"])


def _create_counters() -> None:
    counters = op.create_table(
        "hotplane_counters",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("value", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(counters, [{"name": "sequence", "value": 0}])


def _create_settings() -> None:
    for table, keys in (
        ("hotplane_tasks", ("id",)),
        ("hotplane_overrides", ("plugin_id", "field")),
        ("hotplane_key_values", ("plugin_id", "key")),
    ):
        columns = [sa.Column(key, sa.Text, primary_key=True) for key in keys]
        op.create_table(table, *columns, sa.Column("body", sa.LargeBinary, nullable=False))
