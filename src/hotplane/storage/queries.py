"""What is read from a store, as functions of a reading connection.

Imports `endings`, `filters`, `tables`, `records` and `values`.

They run in a reader's thread, decoding included, and are short: each is one statement with a limit.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET
from msgspec.structs import replace
from sqlalchemy import Connection, Select, func, select

from hotplane.records import Event, Execution, Task
from hotplane.storage.endings import EVENT_COLUMNS, StoredEvent, with_record
from hotplane.storage.filters import (
    EventFilter,
    ExecutionFilter,
    Page,
    encode_cursor,
    event_conditions,
    execution_conditions,
)
from hotplane.storage.tables import events, executions, key_values, overrides, tasks, webhooks
from hotplane.values import Json

__all__ = [
    "count_executions",
    "follow_events",
    "has_minted",
    "list_events",
    "list_executions",
    "list_overrides",
    "list_tasks",
    "list_webhooks",
    "newest_events",
    "newest_execution",
    "newest_sequence",
    "value_of_key",
]

_decode_execution = msgspec.json.Decoder(Execution).decode
_decode_task = msgspec.json.Decoder(Task).decode


def list_executions(connection: Connection, wanted: ExecutionFilter, limit: int, before: int | None) -> Page[Execution]:
    """Return the newest executions that `wanted` describes, below the sequence `before`."""
    columns = executions.c
    query = select(columns.sequence, columns.body).where(*execution_conditions(wanted))
    if before is not None:
        query = query.where(columns.sequence < before)
    # One row more than asked for tells whether there is another page.
    rows = connection.execute(query.order_by(columns.sequence.desc()).limit(limit + 1)).all()
    items = tuple(_execution(sequence, body) for sequence, body in rows[:limit])
    return Page(items, encode_cursor(rows[limit - 1].sequence) if len(rows) > limit else None)


def count_executions(connection: Connection, wanted: ExecutionFilter) -> int:
    """Return how many executions `wanted` describes."""
    query = select(func.count()).select_from(executions).where(*execution_conditions(wanted))
    return connection.execute(query).scalar_one()


def newest_execution(connection: Connection, execution_id: str) -> Execution | None:
    """Return the newest run with this id."""
    columns = executions.c
    query = select(columns.sequence, columns.body).where(columns.id == execution_id)
    row = connection.execute(query.order_by(columns.sequence.desc()).limit(1)).first()
    return None if row is None else _execution(row.sequence, row.body)


def has_minted(connection: Connection, execution_id: str) -> bool:
    """Return whether there is an execution with this id that a host minted."""
    columns = executions.c
    query = select(columns.sequence).where(columns.id == execution_id, columns.minted.is_(True)).limit(1)
    return connection.execute(query).first() is not None


def list_events(connection: Connection, wanted: EventFilter, after: int, limit: int) -> tuple[Event, ...]:
    """Return the oldest events that `wanted` describes, above the sequence `after`."""
    columns = events.c
    query = _events(wanted).where(columns.sequence > after)
    rows = connection.execute(query.order_by(columns.sequence).limit(limit))
    return tuple(StoredEvent(*row).read() for row in rows)


def follow_events(connection: Connection, wanted: EventFilter, after: int, limit: int) -> tuple[tuple[Event, ...], int]:
    """Return the next events, and up to which sequence everything was looked at, never beyond the end of the log."""
    # Looked up first: with PostgreSQL a later statement of the same transaction may see more, never less.
    newest = newest_sequence(connection)
    found = list_events(connection, wanted, after, limit)
    last = found[-1].sequence if found else UNSET
    if last is UNSET:
        # Also for a place that the log has not reached: whoever has one of another store would miss all until there.
        return found, newest
    return found, last if len(found) == limit else max(newest, last)


def newest_events(connection: Connection, wanted: EventFilter, before: int | None, limit: int) -> Page[Event]:
    """Return the newest events that `wanted` describes, below the sequence `before`, the newest first."""
    columns = events.c
    query = _events(wanted)
    if before is not None:
        query = query.where(columns.sequence < before)
    rows = connection.execute(query.order_by(columns.sequence.desc()).limit(limit + 1)).all()
    items = tuple(StoredEvent(*row) for row in rows[:limit])
    cursor = encode_cursor(items[-1].sequence) if len(rows) > limit else None
    return Page(tuple(each.read() for each in items), cursor)


def newest_sequence(connection: Connection) -> int:
    """Return the sequence of the newest event, 0 where there is none."""
    return connection.scalar(select(func.max(events.c.sequence))) or 0


def list_webhooks(connection: Connection) -> dict[str, bytes]:
    """Return the handlers that the API made, as they were written, by name."""
    columns = webhooks.c
    rows = connection.execute(select(columns.name, columns.body).order_by(columns.name))
    return {str(name): bytes(body) for name, body in rows}


def list_tasks(connection: Connection) -> tuple[Task, ...]:
    """Return the tasks that the API made or overrode, by id."""
    return tuple(_decode_task(body) for body in connection.scalars(select(tasks.c.body).order_by(tasks.c.id)))


def list_overrides(connection: Connection) -> dict[str, dict[str, Json]]:
    """Return what the API overrode, by plugin and field."""
    columns = overrides.c
    query = select(columns.plugin_id, columns.field, columns.body).order_by(columns.plugin_id, columns.field)
    found: dict[str, dict[str, Json]] = {}
    for plugin_id, field, body in connection.execute(query):
        found.setdefault(plugin_id, {})[field] = msgspec.json.decode(body)
    return found


def value_of_key(connection: Connection, plugin_id: str, key: str) -> Json:
    """Return a plugin's value, or None when there is none."""
    columns = key_values.c
    query = select(columns.body).where(columns.plugin_id == plugin_id, columns.key == key)
    body = connection.scalar(query)
    return None if body is None else msgspec.json.decode(body)


def _events(wanted: EventFilter) -> Select[Any]:
    return select(events.c.sequence, *EVENT_COLUMNS).select_from(with_record(events)).where(*event_conditions(wanted))


def _execution(sequence: int, body: bytes) -> Execution:
    return replace(_decode_execution(body), sequence=sequence)
