"""The deliveries of a store. Imports `claiming`, `delivery_queries`, `pruning`, `readers`, `writer` and `errors`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from functools import partial

from sqlalchemy import Connection, Select, case, delete, insert, select, update

from hotplane.errors import Invalid, InvalidCursor
from hotplane.records import Event
from hotplane.storage import delivery_queries as queries
from hotplane.storage import pruning
from hotplane.storage.claiming import PARKED, Claim, Release, Settlement, wake
from hotplane.storage.delivery import Backlog, Delivery, DeliveryFilter, DeliveryState, EventRange, Outcome, Queue
from hotplane.storage.filters import MAX_PAGE, Page, check_limit, decode_cursor, encode_cursor
from hotplane.storage.readers import Readers
from hotplane.storage.tables import deliveries, events
from hotplane.storage.writer import Writer
from hotplane.storage.writes import Write

__all__ = ["StoredDeliveries"]

_ALL = DeliveryFilter()
_EVERYTHING = EventRange()
_MARK = "~"
"""Stands between the two halves of a cursor; no handler's name has it."""
_of = deliveries.c


class StoredDeliveries:
    """Events on their way to handlers; instants are microseconds since 1970 where they are numbers.

    Methods that write raise what those of `Store` raise.

    Args:
        writer: Through which they are written.
        readers: Through which they are read.
        placeholder: How the driver marks a parameter.
    """

    def __init__(self, writer: Writer, readers: Readers, placeholder: str) -> None:
        self._writer = writer
        self._readers = readers
        self._placeholder = placeholder

    # --- for whoever delivers ----------------------------------------------------------------------------

    async def claim(self, claim: Claim) -> Claim:
        """Take a lease on deliveries that are due, and return the claim with them."""
        await self._work(claim)
        return claim

    async def settle(
        self,
        handler: str,
        holder: str,
        outcomes: Sequence[Outcome],
        *,
        now: int,
        dropped: Sequence[int] = (),
        closed_keys: Collection[str] = (),
        returned: Collection[int] = (),
        parked: Collection[int] = (),
    ) -> None:
        """Write down what became of deliveries that `holder` still holds; those of others stay as they are.

        Args:
            handler: Whose deliveries.
            holder: Who has the leases.
            outcomes: What came of attempts.
            now: The present instant.
            dropped: Deliveries that nobody wants any more.
            closed_keys: The keys of those that are delivered, dead or dropped; what waits behind them may go on.
            returned: Deliveries that were not begun and may be taken again at once.
            parked: Deliveries that were not begun and wait for one of the same key.
        """
        work = Settlement(handler, holder, now, outcomes, dropped, closed_keys, returned, parked, self._placeholder)
        await self._work(work)

    async def reclaim(self, handler: str, holder: str, *, now: int, ended_by: int | None = None) -> None:
        """Take the leases of a dead `holder` away: all, or those that ended by an instant."""
        condition = _of.holder == holder
        await self._work(Release(handler, now, condition if ended_by is None else condition & (_of.due_at <= ended_by)))

    async def leases(self, handler: str) -> dict[str, int]:
        """Return who holds leases of a handler, and when the first of each ends."""
        return await self._readers.run(partial(queries.leases, handler=handler))

    async def rebase(self, handler: str, now: int) -> None:
        """Mend due times written by a clock that was ahead: what was to wait an hour waits an hour from `now`."""
        statement = (
            update(deliveries)
            .where(_of.handler == handler, _of.due_at < PARKED, _of.updated_at > now)
            .values(due_at=case((_of.due_at > 0, _of.due_at - _of.updated_at + now), else_=0), updated_at=now)
        )
        await self._writer.write(Write(statements=(statement,)))

    async def shift(self, handler: str, seconds: float, now: int) -> None:
        """Bring forward what is due later than `now`, since the clock was set back by so many seconds."""
        by = round(seconds * 1e6)
        later = (_of.handler == handler, _of.due_at > now, _of.due_at < PARKED, _of.holder.is_(None))
        values = {"due_at": case((_of.due_at - by > now, _of.due_at - by), else_=now)}
        await self._writer.write(Write(statements=(update(deliveries).where(*later).values(values),)))

    async def unpark(self, handler: str) -> None:
        """Make everything due that waits for its turn; the next claims find out anew what has to wait."""
        conditions = (_of.handler == handler, _of.due_at == PARKED)
        await self._writer.write(Write(statements=(update(deliveries).where(*conditions).values(due_at=0),)))

    async def next_due(self, handler: str) -> int | None:
        """Return when the next delivery of a handler is due; None when none is."""
        return await self._readers.run(partial(queries.next_due, handler=handler))

    async def failing_since(self, handler: str) -> tuple[int, datetime | None]:
        """Return how many deliveries died since the last one was taken, and when the first of them was tried first."""
        return await self._readers.run(partial(queries.failing_since, handler=handler))

    # --- for operators -----------------------------------------------------------------------------------

    async def list(
        self, handler: str, filter: DeliveryFilter = _ALL, *, limit: int = 50, cursor: str | None = None
    ) -> Page[Delivery]:
        """Return a handler's deliveries, those of the newest events first.

        Raises:
            InvalidCursor, Invalid: The cursor is not one of this store's, or the limit is out of its range.
        """
        before = None if cursor is None else decode_cursor(cursor)
        limit = check_limit(limit)
        read = partial(queries.list_deliveries, handler=handler, wanted=filter, limit=limit, before=before)
        return await self._readers.run(read)

    async def list_all(
        self, filter: DeliveryFilter = _ALL, *, limit: int = 50, cursor: str | None = None
    ) -> Page[Delivery]:
        """Return the deliveries to all handlers, also to those that are gone, those of the newest events first.

        Raises:
            InvalidCursor, Invalid: The cursor is not one of this method's, or the limit is out of its range.
        """
        before = None if cursor is None else _place(cursor)
        limit = check_limit(limit)
        # One row more than asked for tells whether there is another page.
        read = partial(queries.list_all_deliveries, wanted=filter, limit=limit + 1, before=before)
        found = await self._readers.run(read)
        items, more = found[:limit], len(found) > limit
        return Page(items, f"{encode_cursor(items[-1].sequence)}{_MARK}{items[-1].handler}" if more else None)

    async def get(self, handler: str, sequence: int) -> tuple[Delivery, Event] | None:
        """Return a delivery with its event; None when there is no such delivery."""
        return await self._readers.run(partial(queries.one_delivery, handler=handler, sequence=sequence))

    async def backlog(self, handler: str) -> Backlog:
        """Return how many deliveries a handler has before it, and how many are dead."""
        return await self._readers.run(partial(queries.backlog, handler=handler))

    async def queues(self, handlers: Sequence[str]) -> dict[str, Queue]:
        """Return how long the queues of handlers are."""
        return await self._readers.run(partial(queries.queues, handlers=handlers))

    async def find_dead(
        self, handler: str, wanted: EventRange = _EVERYTHING, *, after: int = 0, limit: int = MAX_PAGE
    ) -> Sequence[int]:
        """Return the event sequences of dead deliveries, oldest first."""
        limit = check_limit(limit)
        return await self._readers.run(
            partial(queries.dead_in, handler=handler, wanted=wanted, after=after, limit=limit)
        )

    async def find_events(
        self, wanted: EventRange = _EVERYTHING, *, after: int = 0, limit: int = MAX_PAGE
    ) -> Sequence[int]:
        """Return the sequences of events, oldest first."""
        limit = check_limit(limit)
        return await self._readers.run(partial(queries.events_in, wanted=wanted, after=after, limit=limit))

    async def replay(
        self, handler: str, sequences: Sequence[int], *, now: int, states: Collection[DeliveryState], create: bool
    ) -> int:
        """Have events delivered anew, outside their order; those whose delivery is under way stay as they are.

        Args:
            handler: To whom.
            sequences: Which events, 1000 at most.
            now: The present instant.
            states: The states of deliveries that begin anew.
            create: Whether events that have no delivery to this handler get one.

        Returns:
            How many will be delivered.
        """
        if len(sequences) > MAX_PAGE:
            raise Invalid(f"At most {MAX_PAGE} deliveries are replayed at once, not {len(sequences)}.")
        work = _Replay(handler, tuple(sequences), now, tuple(state.value for state in states), create)
        await self._work(work)
        return work.count

    async def amend(self, delivery: Delivery, history: bytes, *, delivered: bool, now: int) -> None:
        """Write down a manual attempt: a success closes the delivery, a failure changes nothing but the history."""
        await self._work(partial(self._amend, delivery, history, delivered, now))

    def _amend(self, delivery: Delivery, history: bytes, delivered: bool, now: int, connection: Connection) -> None:
        values: dict[str, object] = {"body": history, "updated_at": now}
        if delivered:
            values |= {"state": DeliveryState.DELIVERED.value, "due_at": None}
        conditions = (_of.handler == delivery.handler, _of.event == delivery.sequence, _of.holder.is_(None))
        connection.execute(update(deliveries).where(*conditions).values(**values))
        if delivered and delivery.order_key is not None:
            wake(connection, delivery.handler, (delivery.order_key,), now, self._placeholder)

    async def forget(self, handler: str, limit: int = MAX_PAGE) -> None:
        """Delete up to `limit` deliveries of a handler that is gone."""
        some = select(_of.event).where(_of.handler == handler).limit(limit)
        statement = delete(deliveries).where(_of.handler == handler, _of.event.in_(some))
        await self._writer.write(Write(statements=(statement,)))

    # --- retention ---------------------------------------------------------------------------------------

    async def prune(self, *, after: int, delivered_before: int, all_before: int, slice: int = 500) -> int | None:
        """Delete old events and deliveries, of one slice of the log.

        Args:
            after: Where the slice before ended; 0 at first.
            delivered_before: Older events whose deliveries are all delivered go, with them.
            all_before: Older ones go whatever their deliveries are.
            slice: Events that are looked at.

        Returns:
            Where this slice ended; None when everything older was looked at.
        """
        old = partial(pruning.old_events, after=after, before=delivered_before, limit=slice)
        rows = await self._readers.run(old)
        if not rows:
            return None
        names = await self._readers.run(queries.handlers)
        await self._work(pruning.Prune(rows, names, all_before))
        return rows[-1][0] if len(rows) == slice else None

    async def _work(self, work: Callable[[Connection], object]) -> None:
        await self._writer.write(Write(work=work))


def _place(cursor: str) -> tuple[int, str]:
    number, mark, handler = cursor.partition(_MARK)
    if not mark or not handler:
        raise InvalidCursor(cursor)
    return decode_cursor(number), handler


class _Replay:
    def __init__(
        self, handler: str, sequences: tuple[int, ...], now: int, states: tuple[str, ...], create: bool
    ) -> None:
        self._handler = handler
        self._sequences = sequences
        self._now = now
        self._states = states
        self._create = create
        self.count = 0

    def __call__(self, connection: Connection) -> None:
        fresh = {"state": "pending", "attempts": 0, "due_at": 0, "order_key": None, "updated_at": self._now}
        again = update(deliveries).where(
            _of.handler == self._handler, _of.event.in_(self._sequences), _of.state.in_(self._states)
        )
        self.count = connection.execute(again.values(**fresh)).rowcount
        if self._create:
            missing = connection.scalars(self._missing()).all()
            rows = [{"handler": self._handler, "event": sequence, **fresh} for sequence in missing]
            if rows:
                connection.execute(insert(deliveries), rows)
            self.count += len(rows)

    def _missing(self) -> Select[tuple[int]]:
        there = select(_of.event).where(_of.handler == self._handler, _of.event == events.c.sequence)
        return select(events.c.sequence).where(events.c.sequence.in_(self._sequences), ~there.exists())
