"""The store as the rest of the host sees it. Imports the other files of this room, `records`, `values` and `errors`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial

import msgspec
from msgspec.structs import replace
from sqlalchemy import Executable, delete

from hotplane.errors import UnknownExecution
from hotplane.records import Event, Execution, Task
from hotplane.storage import queries
from hotplane.storage.commits import Commits
from hotplane.storage.database import Database
from hotplane.storage.deliveries import StoredDeliveries
from hotplane.storage.endings import Told
from hotplane.storage.event_log import EventLog
from hotplane.storage.filters import EventFilter, ExecutionFilter, Page, check_limit, decode_cursor
from hotplane.storage.idempotency import StoredKeys
from hotplane.storage.key_value import StoredKeyValue
from hotplane.storage.ledger import Ledger
from hotplane.storage.postgres import PostgreSQL
from hotplane.storage.quality import QualityCounts, count_quality
from hotplane.storage.readers import Readers
from hotplane.storage.settings import StorageSettings
from hotplane.storage.sqlite import SQLite
from hotplane.storage.statements import matching, replace_row
from hotplane.storage.tables import overrides, tasks
from hotplane.storage.webhooks import StoredWebhooks
from hotplane.storage.writer import StorageStats, Writer
from hotplane.storage.writes import Addressee, Place, Write, result_row, write_of
from hotplane.values import Json, checked_copy

__all__ = ["Store"]

_ALL_EXECUTIONS = ExecutionFilter()
_ALL_EVENTS = EventFilter()


class Store:
    """One durable log of executions and events, and what the API changed; made by `Store.open`.

    Every method that writes returns after the commit that holds what it wrote, and raises `StorageFull`,
    `StorageUnavailable`, `StorageCorrupt` or `StorageError` when that was not stored, `Overloaded` or `ShuttingDown`
    when it was not even queued. When the connection to a server breaks during a commit nobody can know: then it is
    `StorageUnavailable`, and the write may be stored. Cancelling a caller changes nothing: what is queued is stored.

    Methods that read raise `StorageUnavailable`, `StorageCorrupt`, `Overloaded` and `ShuttingDown`.
    """

    def __init__(self, database: Database, writer: Writer, readers: Readers) -> None:
        self._database = database
        self._writer = writer
        self._readers = readers
        self.deliveries = StoredDeliveries(writer, readers, database.placeholder)
        """Events on their way to handlers."""
        self.idempotency = StoredKeys(writer, readers, database.placeholder)
        """The keys that make repeated requests harmless."""
        self.event_log = EventLog(readers)
        """The events, as readers follow them."""
        self.webhooks = StoredWebhooks(writer, readers)
        """The handlers that the API made."""
        self.addressees: Callable[[Told], Sequence[Addressee]] | None = None
        """Tells whom an event has to be delivered to; asked for every event that is stored, on the loop."""

    @classmethod
    async def open(cls, settings: StorageSettings | None = None) -> Store:
        """Open a store, make or upgrade its tables, and start its threads.

        Raises:
            StorageUnavailable: Its directory, file or server cannot be used; the message says which and what to do.
            StorageCorrupt: It is damaged, or no database.
            StorageTooNew: A newer version of Hotplane wrote it.
            MissingExtra: It is on PostgreSQL, and psycopg is not installed.
        """
        settings = settings or StorageSettings()
        path = settings.sqlite_path
        database = PostgreSQL(settings) if path is None else SQLite(path, settings)
        writer = Writer(database, settings)
        await writer.open()
        readers = Readers(database, settings.readers, settings.read_queue_limit)
        readers.start()
        return cls(database, writer, readers)

    async def close(self, grace: float = 5.0) -> None:
        """Store what is queued and close every connection, within `grace` seconds each for writing and reading.

        Records that could not be stored in that time fail with `StorageSlow`, other writes with `ShuttingDown`.
        Closing twice does nothing.
        """
        await self._writer.close(grace)
        await self._readers.close(grace)

    @property
    def url(self) -> str:
        """The store's address, safe to show: it has no password."""
        return self._database.name

    @property
    def depth(self) -> int:
        """How many writes wait for a commit."""
        return len(self._writer.intake)

    def stats(self) -> StorageStats:
        """Return what the store has done since it was opened."""
        return self._writer.stats()

    # --- executions and events ---------------------------------------------------------------------------

    @property
    def commits(self) -> Commits:
        """Tells listeners after each commit."""
        return self._writer.commits

    async def record(
        self,
        execution: Execution,
        events: Sequence[Told] = (),
        *,
        limit: float | None = None,
        place: Place | None = None,
    ) -> Execution:
        """Store a record, its events and their deliveries in one commit, and return it with its `sequence`.

        Args:
            execution: The record.
            events: What happened; an `Ending`, if any, is that of the record and comes first.
            limit: Seconds to wait for the commit.
            place: The item of a batch that it is of; the item's result is in the same commit.

        Raises:
            TimeoutError: The limit passed first; what is queued will still be stored.
        """
        sequence = await self._writer.write(self._write(execution, events, place), limit=limit)
        return replace(execution, sequence=sequence)

    def record_soon(self, execution: Execution, events: Sequence[Told] = (), *, place: Place | None = None) -> None:
        """Queue a record for a caller that was cancelled and cannot wait; a failure is logged."""
        self._writer.write_soon(self._write(execution, events, place))

    async def publish_events(self, events: Sequence[Event]) -> tuple[Event, ...]:
        """Store events from outside, and their deliveries, in one commit; return them with their sequences."""
        last = await self._writer.write(self._write(None, events, None))
        first = last - len(events) + 1
        return tuple(replace(event, sequence=first + index) for index, event in enumerate(events))

    async def append_events(self, events: Sequence[Event]) -> None:
        """Store events that belong to no record, and their deliveries, in one commit."""
        await self._writer.write(self._write(None, events, None))

    def append_events_soon(self, events: Sequence[Event]) -> None:
        """Queue events for a caller that cannot wait; a failure is logged."""
        self._writer.write_soon(self._write(None, events, None))

    async def list_executions(
        self, filter: ExecutionFilter = _ALL_EXECUTIONS, *, limit: int = 50, cursor: str | None = None
    ) -> Page[Execution]:
        """Return executions, newest first.

        Args:
            filter: Which.
            limit: How many at most, 1 to 1000.
            cursor: The `next_cursor` of the page before; None begins at the newest.

        Raises:
            InvalidCursor: The cursor is not one of this store's.
            Invalid: The limit is out of its range.
        """
        before = None if cursor is None else decode_cursor(cursor)
        read = partial(queries.list_executions, wanted=filter, limit=check_limit(limit), before=before)
        return await self._readers.run(read)

    async def count_executions(self, filter: ExecutionFilter = _ALL_EXECUTIONS) -> int:
        """Return how many executions there are."""
        return await self._readers.run(partial(queries.count_executions, wanted=filter))

    async def get_execution(self, execution_id: str) -> Execution:
        """Return the newest run with an id: a rerun keeps its id.

        Raises:
            UnknownExecution: There is none.
        """
        found = await self._readers.run(partial(queries.newest_execution, execution_id=execution_id))
        if found is None:
            raise UnknownExecution(execution_id)
        return found

    async def is_minted(self, execution_id: str) -> bool:
        """Return whether a stored execution has this id and a host minted it."""
        return await self._readers.run(partial(queries.has_minted, execution_id=execution_id))

    async def count_quality(
        self,
        task_id: str,
        since: datetime | None = None,
        until: datetime | None = None,
        *,
        bucket: timedelta | None = None,
    ) -> QualityCounts:
        """Count a task's executions in groups, as estimates need them.

        Args:
            task_id: The task; one that is not known has no executions.
            since: Aware; those that started at or after this instant; None for all.
            until: Aware; those that started before this instant; None for all.
            bucket: Count by stretches of this length, too; they begin at multiples of it since 1970 in UTC.

        Raises:
            Invalid: The range ends before it begins, or has more than 500 buckets.
        """
        return await count_quality(self._readers, task_id, since, until, bucket)

    async def list_events(
        self, filter: EventFilter = _ALL_EVENTS, *, after: int = 0, limit: int = 100
    ) -> tuple[Event, ...]:
        """Return events, oldest first.

        A reader that goes on after the last sequence it got misses none: sequences become visible in order.

        Args:
            filter: Which.
            after: Only events with a greater sequence.
            limit: How many at most, 1 to 1000.

        Raises:
            Invalid: The limit is out of its range.
        """
        read = partial(queries.list_events, wanted=filter, after=after, limit=check_limit(limit))
        return await self._readers.run(read)

    # --- what the API changed ----------------------------------------------------------------------------

    async def put_task(self, task: Task, event: Event | None = None) -> None:
        """Store a task that the API made, changed or overrode, together with its event."""
        await self._change(replace_row(tasks, {"id": task.id}, msgspec.json.encode(task)), event)

    async def delete_task(self, task_id: str, event: Event | None = None) -> None:
        """Forget a task, if it is stored, and store the event."""
        await self._change((delete(tasks).where(tasks.c.id == task_id),), event)

    async def list_tasks(self) -> tuple[Task, ...]:
        """Return the tasks that the API made or overrode, by id."""
        return await self._readers.run(queries.list_tasks)

    async def set_override(self, plugin_id: str, field: str, value: Json) -> None:
        """Override one field of a plugin's settings.

        Raises:
            NotJson: `value` is not a JSON value.
        """
        body = msgspec.json.encode(checked_copy(value))
        await self._change(replace_row(overrides, {"plugin_id": plugin_id, "field": field}, body), None)

    async def reset_override(self, plugin_id: str, field: str | None = None) -> None:
        """Forget a plugin's override of `field`, or all its overrides."""
        keys = {"plugin_id": plugin_id} if field is None else {"plugin_id": plugin_id, "field": field}
        await self._change((delete(overrides).where(matching(overrides, keys)),), None)

    async def overrides(self) -> dict[str, dict[str, Json]]:
        """Return what is overridden, by plugin id and field."""
        return await self._readers.run(queries.list_overrides)

    @property
    def ledger(self) -> Ledger:
        """The batches and streams."""
        write_of = partial(self._write, None, place=None)
        return Ledger(self._writer, self._readers, write_of, self._database.placeholder)

    def key_value(self, plugin_id: str) -> StoredKeyValue:
        """Return a plugin's own storage."""
        return StoredKeyValue(plugin_id, self._writer, self._readers)

    async def _change(self, statements: Sequence[Executable], event: Event | None) -> None:
        await self._writer.write(self._write(None, () if event is None else (event,), None, statements))

    def _write(
        self,
        execution: Execution | None,
        events: Sequence[Told],
        place: Place | None,
        statements: Sequence[Executable] = (),
    ) -> Write:
        write = write_of(execution, events, self.addressees)
        write.statements = statements
        if place is not None and execution is not None and not place.tenure.over:
            write.results, write.patient = (result_row(place, execution),), True
        return write
