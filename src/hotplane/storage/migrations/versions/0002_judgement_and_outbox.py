"""What estimates read, and the outbox. Imports nothing of Hotplane: a revision never changes, the tables do."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_SEQUENCE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the picks of the designated sampler, deliveries, and the handlers that the API makes."""
    op.add_column("hotplane_executions", sa.Column("picked", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("hotplane_executions", sa.Column("probability", sa.Float))
    op.add_column("hotplane_events", sa.Column("at", sa.BigInteger, nullable=False, server_default=sa.text("0")))
    op.create_table(
        "hotplane_deliveries",
        sa.Column("handler", sa.Text, primary_key=True),
        sa.Column("event", _SEQUENCE, primary_key=True, autoincrement=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("due_at", sa.BigInteger),
        sa.Column("order_key", sa.Text),
        sa.Column("holder", sa.Text),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.Column("body", sa.LargeBinary),
    )
    for name, columns, condition in (
        ("open", ["handler", "due_at", "event"], "due_at IS NOT NULL"),
        ("ordered", ["handler", "order_key", "event"], "due_at IS NOT NULL AND order_key IS NOT NULL"),
        ("dead", ["handler", "event"], "state = 'dead'"),
    ):
        where = sa.text(condition)
        op.create_index(
            f"hotplane_deliveries_{name}", "hotplane_deliveries", columns, sqlite_where=where, postgresql_where=where
        )
    op.create_table(
        "hotplane_webhooks",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
