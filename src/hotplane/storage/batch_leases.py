"""Leases on batches that have not ended: who runs them, as work inside the writer's transaction.

Imports `readers`, `writer`, `writes`, `tables` and `errors`. All writers of a store wait for each other, so that what a
transaction finds here stays so until it ends: no two hosts can both have taken a batch, or written for it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from msgspec import Struct
from sqlalchemy import Connection, CursorResult, select, update

from hotplane.errors import BatchElsewhere
from hotplane.storage.readers import Readers
from hotplane.storage.tables import batches
from hotplane.storage.writer import Writer
from hotplane.storage.writes import Write

__all__ = ["BatchLease", "BatchLeases", "fence"]

_of = batches.c


class BatchLease(Struct, frozen=True, kw_only=True):
    """Who runs a batch that has not ended; instants are microseconds since 1970."""

    number: int
    id: str
    holder: str | None
    """Null where the one who had it gave it back."""
    lease_until: int | None


class BatchLeases:
    """The leases of a store; writes and reads as `Store` does, with the same errors.

    Args:
        writer: Where to write.
        readers: Where to read.
    """

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers

    async def list(self) -> tuple[BatchLease, ...]:
        """Return those of all batches that have not ended, oldest first."""
        return await self._readers.run(_list)

    async def claim(self, seen: BatchLease, holder: str, lease_until: int) -> bool:
        """Take a batch over, and return whether it was still as it was seen."""
        claim = _Claim(seen, holder, lease_until)
        await self._work(claim)
        return claim.taken

    async def renew(self, holder: str, lease_until: int) -> frozenset[int]:
        """Have all leases of a holder last until an instant, and return the numbers of its batches."""
        renewal = _Renewal(holder, lease_until)
        await self._work(renewal)
        return renewal.numbers

    async def release(self, holder: str) -> None:
        """Give all batches of a holder back."""
        ours = (_of.holder == holder, _of.finished_at.is_(None))
        statement = update(batches).where(*ours).values(holder=None, lease_until=None)
        await self._writer.write(Write(statements=(statement,), patient=True))

    async def _work(self, work: Callable[[Connection], object]) -> None:
        # Patient as everything of batches, so that it is stored in the order in which it was queued.
        await self._writer.write(Write(work=work, patient=True))


@dataclass
class _Claim:
    seen: BatchLease
    holder: str
    lease_until: int
    taken: bool = False

    def __call__(self, connection: Connection) -> None:
        seen = self.seen
        unchanged = (
            _of.number == seen.number,
            _of.finished_at.is_(None),
            _of.holder.is_not_distinct_from(seen.holder),
            _of.lease_until.is_not_distinct_from(seen.lease_until),
        )
        values = {"holder": self.holder, "lease_until": self.lease_until}
        result: CursorResult[object] = connection.execute(update(batches).where(*unchanged).values(values))
        self.taken = result.rowcount == 1


@dataclass
class _Renewal:
    holder: str
    lease_until: int
    numbers: frozenset[int] = field(default=frozenset())

    def __call__(self, connection: Connection) -> None:
        ours = (_of.finished_at.is_(None), _of.holder == self.holder)
        statement = update(batches).where(*ours).values(lease_until=self.lease_until).returning(_of.number)
        self.numbers = frozenset(connection.scalars(statement))


def fence(connection: Connection, number: int, holder: str, placeholder: str) -> None:
    """Make sure that a batch is the holder's: else the transaction must not be committed.

    Raises:
        BatchElsewhere: It is not.
    """
    query = f"SELECT id, holder FROM {batches.name} WHERE number = {placeholder}"  # noqa: S608 - our own names
    row = connection.exec_driver_sql(query, (number,)).first()
    if row is not None and row[1] != holder:
        raise BatchElsewhere(row[0], row[1] or "nobody")


def _list(connection: Connection) -> tuple[BatchLease, ...]:
    query = select(_of.number, _of.id, _of.holder, _of.lease_until).where(_of.finished_at.is_(None))
    rows = connection.execute(query.order_by(_of.number))
    return tuple(BatchLease(**row) for row in rows.mappings())
