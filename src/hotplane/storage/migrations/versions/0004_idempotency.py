"""Keys that make a repeated request harmless, with who works on them. Imports nothing of Hotplane: it never changes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the table of keys anew: nothing has ever written into the one of revision 0003."""
    op.drop_table("hotplane_idempotency_keys")
    op.create_table(
        "hotplane_idempotency_keys",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("holder", sa.Text),
        sa.Column("lease_until", sa.BigInteger, nullable=False),
        sa.Column("finished_at", sa.BigInteger),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("answer", sa.LargeBinary),
    )
    op.create_index("hotplane_idempotency_keys_by_end", "hotplane_idempotency_keys", ["finished_at", "lease_until"])
