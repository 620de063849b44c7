"""How much is stored and not done: uploads wait while it is too much. Imports `live` and `errors`."""

from __future__ import annotations

import asyncio

from hotplane.errors import ShuttingDown
from hotplane.execution.batch.live import LiveBatch

__all__ = ["Spool"]


class Spool:
    """Counts the bytes of items without a result, over all batches.

    Args:
        limit: Bytes above which uploads wait.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._bytes = 0
        self._closed = False
        self._relieved: asyncio.Event = asyncio.Event()

    def take(self, live: LiveBatch, size: int) -> None:
        """Count items of a batch that were stored."""
        live.open_bytes += size
        self._bytes += size

    def relieve(self, live: LiveBatch, size: int) -> None:
        """Count items of a batch that have their result."""
        size = min(size, live.open_bytes)  # of a batch that went elsewhere nothing counts any more
        live.open_bytes -= size
        self._bytes -= size
        if self._bytes < self._limit:
            self._relieved.set()

    async def room(self, live: LiveBatch) -> None:
        """Wait until there is room, or the batch wants no more items.

        Raises:
            ShuttingDown: The host stops.
        """
        while self._bytes >= self._limit and not self._closed and not live.stopping:
            self._relieved.clear()
            await self._relieved.wait()
        if self._closed:
            raise ShuttingDown

    def close(self) -> None:
        """Let nobody wait any more."""
        self._closed = True
        self._relieved.set()

    def look(self) -> None:
        """Let those who wait look again: a batch was cancelled."""
        self._relieved.set()
