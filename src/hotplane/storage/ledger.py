"""The ledger of batches: items that wait, items that were started, and what came of them.

Imports the other files of this room, `records` and `errors`. It knows rows and their order; what the bodies of
batches, items and results hold is the business of those who write them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial

from msgspec import Struct
from sqlalchemy import Executable, Table, Update, delete, update

from hotplane.errors import BatchElsewhere
from hotplane.records import Event
from hotplane.storage import ledger_queries as queries
from hotplane.storage.batch_leases import BatchLeases, fence
from hotplane.storage.filters import Page, check_limit, decode_cursor
from hotplane.storage.ledger_queries import DELETED, BatchFilter, BatchTotals, StoredBatch, StoredItem, StoredResult
from hotplane.storage.readers import Readers
from hotplane.storage.tables import batch_items, batch_results, batch_starts, batches, microseconds
from hotplane.storage.writer import Writer
from hotplane.storage.writes import Row, Write

__all__ = ["Ledger", "NewResult"]

_EVERYTHING = BatchFilter()
_CHUNK = 2_000
"""Rows that one commit deletes, so that nobody else's commit waits long behind it."""


class NewResult(Struct, frozen=True, kw_only=True):
    """What came of an item that has no record, because nothing ran or nobody knows."""

    position: int
    status: str
    body: bytes


def _ignore(number: int) -> None:
    """Leave it: who writes for nobody loses nothing."""


class Ledger:
    """The batches of a store; writes and reads as `Store` does, with the same errors.

    One that writes for a holder, made by `held_by`, raises `BatchElsewhere` where a batch is not the holder's any more,
    and stores nothing then.

    Args:
        writer: Where to write.
        readers: Where to read.
        write_of: Makes the write of events, with their deliveries.
        placeholder: How the driver marks a parameter.
        holder: For whom it writes; None for anybody.
        lost: Told the number of a batch that turned out not to be the holder's.
    """

    def __init__(
        self,
        writer: Writer,
        readers: Readers,
        write_of: Callable[[Sequence[Event]], Write],
        placeholder: str,
        *,
        holder: str | None = None,
        lost: Callable[[int], None] = _ignore,
    ) -> None:
        self._writer = writer
        self._readers = readers
        self._write_of = write_of
        self._placeholder = placeholder
        self._holder = holder
        self._lost = lost
        self.leases = BatchLeases(writer, readers)
        """Who runs what."""

    def held_by(self, holder: str, lost: Callable[[int], None]) -> Ledger:
        """Return the ledger of a host; see `holder` and `lost` above."""
        return Ledger(self._writer, self._readers, self._write_of, self._placeholder, holder=holder, lost=lost)

    # --- batches -----------------------------------------------------------------------------------------

    async def create(self, id: str, task_id: str, state: str, body: bytes, *, lease_until: int | None = None) -> int:
        """Store a new batch, the holder's, and return its number.

        Args:
            id: Its id.
            task_id: Its task.
            state: Where it is.
            body: What else there is to say.
            lease_until: Until when it is the holder's, in microseconds since 1970.

        Raises:
            StorageError: There is a batch with this id.
        """
        row = (id, task_id, state, None, self._holder, lease_until, body)
        return await self._writer.write(Write(numbered=((batches, row),), patient=True))

    async def put(self, number: int, state: str, body: bytes) -> None:
        """Replace what is stored of a batch; one that has ended stays as it is."""
        change = _change(number, state=state, body=body).where(batches.c.finished_at.is_(None))
        await self._write(number, statements=(change,))

    async def finish(self, number: int, state: str, body: bytes, finished_at: datetime, event: Event) -> None:
        """Store how a batch ended, and its event, in one commit."""
        write = self._write_of((event,))
        write.statements = (_change(number, state=state, body=body, finished_at=microseconds(finished_at)),)
        await self._guard(number, write)

    async def find(self, id: str) -> StoredBatch | None:
        """Return a batch by its id."""
        return await self._readers.run(partial(queries.find, id=id))

    async def list(
        self, filter: BatchFilter = _EVERYTHING, *, limit: int = 50, cursor: str | None = None
    ) -> Page[StoredBatch]:
        """Return batches, newest first; raises InvalidCursor and Invalid."""
        before = None if cursor is None else decode_cursor(cursor)
        return await self._readers.run(
            partial(queries.list_batches, wanted=filter, limit=check_limit(limit), before=before)
        )

    async def expired(self, before: datetime) -> tuple[int, ...]:
        """Return the numbers of some batches that ended before an instant, or whose deletion was cut short."""
        return await self._readers.run(partial(queries.expired, before=microseconds(before)))

    async def spent(self) -> tuple[int, ...]:
        """Return the numbers of some ended batches that still have items."""
        return await self._readers.run(queries.spent)

    async def purge(self, number: int) -> None:
        """Delete the items of an ended batch, and what is known of their start, in several commits."""
        columns = batch_items.c
        while positions := await self._readers.run(partial(queries.oldest_items, number=number, limit=_CHUNK)):
            await self._execute(delete(batch_items).where(columns.batch == number, columns.position <= positions[-1]))
        await self._execute(delete(batch_starts).where(batch_starts.c.batch == number))

    async def delete(self, number: int) -> None:
        """Delete a batch and its results, in several commits; from the first one on it cannot be found any more."""
        await self._execute(_change(number, state=DELETED, finished_at=0))
        await self.purge(number)
        while sequences := await self._readers.run(partial(queries.oldest_results, number=number, limit=_CHUNK)):
            columns = batch_results.c
            await self._execute(delete(batch_results).where(columns.batch == number, columns.sequence <= sequences[-1]))
        await self._execute(delete(batches).where(batches.c.number == number))

    # --- items -------------------------------------------------------------------------------------------

    async def append(self, number: int, items: Sequence[StoredItem], results: Sequence[NewResult] = ()) -> int:
        """Store items, and the results that some of them have already, in one commit; return the newest sequence."""
        rows: list[Row] = [(number, item.position, item.body) for item in items]
        return await self._write(number, rows=((batch_items, rows),), results=_rows(number, results))

    async def items(self, number: int, *, after: int, limit: int, max_bytes: int) -> tuple[StoredItem, ...]:
        """Return items without a result, in order of position, above the position `after`.

        Args:
            number: The batch.
            after: A position.
            limit: How many at most.
            max_bytes: How large their bodies may be together; one that is larger comes alone.
        """
        read = partial(queries.open_items, number=number, after=after, limit=limit, max_bytes=max_bytes)
        return await self._readers.run(read)

    async def started(self, number: int, *, limit: int) -> tuple[StoredItem, ...]:
        """Return items that were started and have no result."""
        return await self._readers.run(partial(queries.started_items, number=number, limit=limit))

    async def start(self, number: int, positions: Sequence[int]) -> None:
        """Store that items are about to run, so that nobody runs them a second time."""
        rows: Sequence[Row] = [(number, position) for position in positions]
        await self._write(number, rows=((batch_starts, rows),))

    async def unstart(self, number: int, positions: Sequence[int]) -> None:
        """Take back `start` for items that did not run after all."""
        columns = batch_starts.c
        ours = (columns.batch == number, columns.position.in_(positions))
        await self._write(number, statements=(delete(batch_starts).where(*ours),))

    # --- results -----------------------------------------------------------------------------------------

    async def add_results(self, number: int, results: Sequence[NewResult]) -> None:
        """Store the results of items that have no record."""
        await self._write(number, results=_rows(number, results))

    async def results(self, number: int, *, after: int, limit: int) -> tuple[StoredResult, ...]:
        """Return results with what their records say, oldest first, above the sequence `after`; raises Invalid."""
        read = partial(queries.results, number=number, after=after, limit=check_limit(limit))
        return await self._readers.run(read)

    async def has_result(self, number: int, sequence: int) -> bool:
        """Return whether a batch has a result with this sequence."""
        return await self._readers.run(partial(queries.has_result, number=number, sequence=sequence))

    async def has_position(self, number: int, position: int) -> bool:
        """Return whether an item has its result."""
        return await self._readers.run(partial(queries.has_position, number=number, position=position))

    async def newest_result(self, number: int) -> int:
        """Return the sequence of a batch's newest result; 0 before the first."""
        return await self._readers.run(partial(queries.newest_result, number=number))

    async def totals(self, number: int, *, sized: bool = True) -> BatchTotals:
        """Count a batch's items and results; `open_bytes`, which takes longest, only where it is `sized`."""
        return await self._readers.run(partial(queries.totals, number=number, sized=sized))

    async def _write(
        self,
        number: int,
        *,
        statements: Sequence[Executable] = (),
        results: Sequence[Row] = (),
        rows: Sequence[tuple[Table, Sequence[Row]]] = (),
    ) -> int:
        return await self._guard(number, Write(statements=statements, results=results, rows=rows))

    async def _guard(self, number: int, write: Write) -> int:
        """Write for the holder: in the same transaction the batch is seen to be its own."""
        write.patient = True
        if self._holder is not None:
            write.work = partial(fence, number=number, holder=self._holder, placeholder=self._placeholder)
        try:
            return await self._writer.write(write)
        except BatchElsewhere:
            self._lost(number)
            raise

    async def _execute(self, *statements: Executable) -> None:
        # Everything of batches is patient, so that it is stored in the order in which it was queued.
        await self._writer.write(Write(statements=statements, patient=True))


def _change(number: int, **values: str | bytes | int) -> Update:
    return update(batches).where(batches.c.number == number).values(**values)


def _rows(number: int, results: Sequence[NewResult]) -> Sequence[Row]:
    return [(number, each.position, each.status, False, None, each.body) for each in results]
