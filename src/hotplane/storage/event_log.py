"""The events of a store, as readers page through them and follow them. Imports `queries`, `filters` and `readers`."""

from __future__ import annotations

from functools import partial

from hotplane.records import Event
from hotplane.storage import queries
from hotplane.storage.filters import EventFilter, Page, check_limit, decode_cursor
from hotplane.storage.readers import Readers

__all__ = ["EventLog"]

_ALL = EventFilter()


class EventLog:
    """Reads events; raises what reading from a `Store` raises.

    Args:
        readers: Through which they are read.
    """

    def __init__(self, readers: Readers) -> None:
        self._readers = readers

    async def newest(self, filter: EventFilter = _ALL, *, limit: int = 50, cursor: str | None = None) -> Page[Event]:
        """Return events, newest first.

        Raises:
            InvalidCursor, Invalid: The cursor is not one of this store's, or the limit is not 1 to 1000.
        """
        before = None if cursor is None else decode_cursor(cursor)
        read = partial(queries.newest_events, wanted=filter, before=before, limit=check_limit(limit))
        return await self._readers.run(read)

    async def follow(
        self, filter: EventFilter = _ALL, *, after: int = 0, limit: int = 100
    ) -> tuple[tuple[Event, ...], int]:
        """Return the next events, oldest first, and where to go on.

        A reader that goes on there misses none, since sequences become visible in their order, and never looks again
        at what does not fit its filter. A place that the log has not reached, such as one of a store that was lost, is
        answered with the end of the log.

        Args:
            filter: Which.
            after: Only events with a greater sequence.
            limit: How many at most, 1 to 1000.

        Raises:
            Invalid: The limit is out of its range.
        """
        read = partial(queries.follow_events, wanted=filter, after=after, limit=check_limit(limit))
        return await self._readers.run(read)

    async def newest_sequence(self) -> int:
        """Return the sequence of the newest event, 0 where there is none."""
        return await self._readers.run(queries.newest_sequence)
