"""Places for calls that block, so that one's time begins when a thread is there for it. Imports only `driving`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from time import perf_counter

from hotplane.registry.driving import within

__all__ = ["Turns"]


class Turns:
    """So many calls at once; the others wait on the loop, first come, first served.

    Were they to wait in the queue of the threads, a call would spend its own time there, one that is quick would count
    as hanging, and hooks and health checks, which use the same threads, would stand behind all of them.

    Args:
        places: How many calls run at once; at most as many as there are threads.
    """

    def __init__(self, places: int) -> None:
        self.places = places
        self._free = asyncio.Semaphore(places)

    @asynccontextmanager
    async def one(self, limit: float | None) -> AsyncGenerator[float | None]:
        """Hold a place, and tell how many of `limit` seconds are left; None for no limit.

        Raises:
            LimitExceededError: No place was free in time.
        """
        started = perf_counter()
        await within(limit, self._free.acquire())
        try:
            yield None if limit is None else max(0.0, limit - (perf_counter() - started))
        finally:
            self._free.release()
