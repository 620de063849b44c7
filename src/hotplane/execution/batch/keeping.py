"""Deletes what is outdated: items of ended batches, ended batches after some days. Imports `storage`, `errors`."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from hotplane.errors import HotplaneError
from hotplane.log import get_logger
from hotplane.records import now
from hotplane.storage import Ledger

__all__ = ["Keeping"]

_log = get_logger(room="batches")

_INTERVAL = 3_600.0


class Keeping:
    """Looks for outdated batches when the host starts, and once an hour.

    Args:
        ledger: Where they are.
        days: How long an ended batch is kept.
    """

    def __init__(self, ledger: Ledger, days: float) -> None:
        self._ledger = ledger
        self._days = timedelta(days=days)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._work())

    async def close(self) -> None:
        """End; what is half deleted is found again at the next start."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))

    async def tidy(self) -> None:
        """Delete what is outdated now."""
        while numbers := await self._ledger.spent():
            for number in numbers:
                await self._ledger.purge(number)
        while numbers := await self._ledger.expired(now() - self._days):
            for number in numbers:
                await self._ledger.delete(number)

    async def _work(self) -> None:
        while True:
            try:
                await self.tidy()
            except HotplaneError as error:
                _log.warning("outdated batches could not be deleted", error=str(error))
            await asyncio.sleep(_INTERVAL)
