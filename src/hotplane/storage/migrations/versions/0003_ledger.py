"""The ledger of batches. Imports nothing of Hotplane: a revision never changes, the tables do."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_SEQUENCE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables of batches and of the keys that make a repeated request harmless."""
    _create_batches()
    _create_results()
    op.create_table(
        "hotplane_idempotency_keys",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_index("hotplane_idempotency_keys_by_age", "hotplane_idempotency_keys", ["created_at"])


def _create_batches() -> None:
    op.create_table(
        "hotplane_batches",
        sa.Column("number", _SEQUENCE, primary_key=True, autoincrement=False),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("task_id", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("finished_at", sa.BigInteger),
        sa.Column("holder", sa.Text),
        sa.Column("lease_until", sa.BigInteger),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    unended = sa.text("finished_at IS NULL")
    op.create_index(
        "hotplane_batches_open", "hotplane_batches", ["number"], sqlite_where=unended, postgresql_where=unended
    )
    for table, body in (("hotplane_batch_items", True), ("hotplane_batch_starts", False)):
        columns: list[sa.Column[Any]] = [
            sa.Column("batch", _SEQUENCE, primary_key=True, autoincrement=False),
            sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
        ]
        if body:
            columns.append(sa.Column("body", sa.LargeBinary, nullable=False))
        op.create_table(table, *columns)


def _create_results() -> None:
    op.create_table(
        "hotplane_batch_results",
        sa.Column("sequence", _SEQUENCE, primary_key=True, autoincrement=False),
        sa.Column("batch", _SEQUENCE, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("sampled", sa.Boolean, nullable=False),
        sa.Column("valid", sa.Boolean),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    for name, second, unique in (
        ("hotplane_batch_results_by_position", "position", True),
        ("hotplane_batch_results_by_batch", "sequence", False),
    ):
        op.create_index(name, "hotplane_batch_results", ["batch", second], unique=unique)
