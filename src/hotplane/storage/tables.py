"""The tables of a store, as of the newest revision. Imports nothing of Hotplane.

A record is one JSON document in `body`; beside it stand only the columns that filters need. Instants are
microseconds since 1970 in UTC. `sequence` is one order over executions and events alike: it is given inside the
writing transaction, under the lock of all writers, so that its order is the order of commits.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    text,
)

__all__ = [
    "REVISION_TABLE",
    "batch_items",
    "batch_results",
    "batch_starts",
    "batches",
    "counters",
    "deliveries",
    "events",
    "executions",
    "idempotency_keys",
    "key_values",
    "metadata",
    "microseconds",
    "overrides",
    "tasks",
    "webhooks",
]

REVISION_TABLE = "hotplane_revision"
"""Where Alembic keeps the revision; its own name, because another application may share the database."""

metadata = MetaData()

# SQLite makes a table's row id, its cheapest key, only of a column whose type is spelt INTEGER.
_Sequence = BigInteger().with_variant(Integer(), "sqlite")


def _partial_index(name: str, condition: str, *columns: str) -> Index:
    where = text(condition)
    return Index(f"hotplane_{name}", *columns, sqlite_where=where, postgresql_where=where)


executions = Table(
    "hotplane_executions",
    metadata,
    Column("sequence", _Sequence, primary_key=True, autoincrement=False),
    Column("id", Text, CheckConstraint("id <> ''", name="hotplane_executions_id_check"), nullable=False),
    Column("task_id", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("sampled", Boolean, nullable=False),
    Column("valid", Boolean),
    Column("minted", Boolean, nullable=False),
    Column("latency", BigInteger, nullable=False),
    Column("picked", Boolean, nullable=False, server_default=text("false")),
    Column("probability", Float),
    Column("body", LargeBinary, nullable=False),
    Index("hotplane_executions_by_id", "id", "sequence"),
    Index("hotplane_executions_by_task", "task_id", "sequence"),
)

events = Table(
    "hotplane_events",
    metadata,
    Column("sequence", _Sequence, primary_key=True, autoincrement=False),
    Column("type", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("task_id", Text),
    Column("execution_id", Text),
    Column("at", BigInteger, nullable=False, server_default=text("0")),
    Column("body", LargeBinary, nullable=False),
    Column("record", BigInteger),
    _partial_index("events_by_execution", "execution_id IS NOT NULL", "execution_id", "sequence"),
)
"""An event whose `record` is not null tells how that execution, whose sequence it is, ended. It is made of the record
when it is read, and must not outlive it: `execution_id` is null, and `body` is only what the record's columns do not
say."""

deliveries = Table(
    "hotplane_deliveries",
    metadata,
    Column("handler", Text, primary_key=True),
    Column("event", _Sequence, primary_key=True, autoincrement=False),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due_at", BigInteger),
    Column("order_key", Text),
    Column("holder", Text),
    Column("updated_at", BigInteger, nullable=False),
    Column("body", LargeBinary),
    # A condition on `due_at` alone, because SQLite uses a partial index only where a query's own words imply it.
    _partial_index("deliveries_open", "due_at IS NOT NULL", "handler", "due_at", "event"),
    _partial_index(
        "deliveries_ordered", "due_at IS NOT NULL AND order_key IS NOT NULL", "handler", "order_key", "event"
    ),
    _partial_index("deliveries_dead", "state = 'dead'", "handler", "event"),
)
"""An event on its way to one handler; `event` is the event's sequence, `body` the history of attempts.

`due_at` is null once it is delivered or dead. While it is being delivered, it is the end of the lease of `holder`."""

webhooks = Table(
    "hotplane_webhooks",
    metadata,
    Column("name", Text, primary_key=True),
    Column("body", LargeBinary, nullable=False),
)
"""Handlers that the API made."""

batches = Table(
    "hotplane_batches",
    metadata,
    Column("number", _Sequence, primary_key=True, autoincrement=False),
    Column("id", Text, nullable=False, unique=True),
    Column("task_id", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("finished_at", BigInteger),
    Column("holder", Text),
    Column("lease_until", BigInteger),
    Column("body", LargeBinary, nullable=False),
    Index(
        "hotplane_batches_open",
        "number",
        sqlite_where=text("finished_at IS NULL"),
        postgresql_where=text("finished_at IS NULL"),
    ),
)
"""`number` is a sequence of the log; rows of items, starts and results refer to it.

A batch that has `finished_at` never changes. Until then `holder` runs it, whose lease ends at `lease_until`; where it
is null, the last one gave it back."""

batch_items = Table(
    "hotplane_batch_items",
    metadata,
    Column("batch", _Sequence, primary_key=True, autoincrement=False),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("body", LargeBinary, nullable=False),
)

batch_starts = Table(
    "hotplane_batch_starts",
    metadata,
    Column("batch", _Sequence, primary_key=True, autoincrement=False),
    Column("position", Integer, primary_key=True, autoincrement=False),
)
"""Items of tasks that must not run twice, committed before they run."""

batch_results = Table(
    "hotplane_batch_results",
    metadata,
    Column("sequence", _Sequence, primary_key=True, autoincrement=False),
    Column("batch", _Sequence, nullable=False),
    Column("position", Integer, nullable=False),
    Column("status", Text, nullable=False),
    Column("sampled", Boolean, nullable=False),
    Column("valid", Boolean),
    Column("body", LargeBinary, nullable=False),
    Index("hotplane_batch_results_by_position", "batch", "position", unique=True),
    Index("hotplane_batch_results_by_batch", "batch", "sequence"),
)
"""A result has the sequence of its execution's record, where there is one; `body` is what the record does not say."""

idempotency_keys = Table(
    "hotplane_idempotency_keys",
    metadata,
    Column("key", Text, primary_key=True),
    Column("holder", Text),
    Column("lease_until", BigInteger, nullable=False),
    Column("finished_at", BigInteger),
    Column("body", LargeBinary, nullable=False),
    Column("answer", LargeBinary),
    Index("hotplane_idempotency_keys_by_end", "finished_at", "lease_until"),
)
"""A request that may be repeated. `finished_at` is null while it is worked on, by `holder`; a null holder left it."""

counters = Table(
    "hotplane_counters",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", BigInteger, nullable=False),
)

tasks = Table(
    "hotplane_tasks",
    metadata,
    Column("id", Text, primary_key=True),
    Column("body", LargeBinary, nullable=False),
)

overrides = Table(
    "hotplane_overrides",
    metadata,
    Column("plugin_id", Text, primary_key=True),
    Column("field", Text, primary_key=True),
    Column("body", LargeBinary, nullable=False),
)

key_values = Table(
    "hotplane_key_values",
    metadata,
    Column("plugin_id", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("body", LargeBinary, nullable=False),
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def microseconds(instant: datetime) -> int:
    """Return an aware instant as exact microseconds since 1970 in UTC."""
    return (instant - _EPOCH) // _MICROSECOND
