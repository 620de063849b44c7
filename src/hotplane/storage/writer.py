"""The thread that writes: takes what waits, has it stored in one commit, tells the waiters. Imports `committer`."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from threading import Thread
from typing import cast

from msgspec import Struct

from hotplane.errors import HotplaneError, ShuttingDown, StorageError, StorageSlow
from hotplane.log import get_logger
from hotplane.storage.commits import Commits, Committed
from hotplane.storage.committer import Committer
from hotplane.storage.database import Database
from hotplane.storage.intake import PATIENCE_SECONDS, Intake
from hotplane.storage.revisions import bring_up_to_date
from hotplane.storage.settings import StorageSettings
from hotplane.storage.writes import Waiter, Write

__all__ = ["StorageStats", "Writer"]

_log = get_logger(room="storage")


_IDLE_TURN_SECONDS = 50e-6
"""A turn of the event loop that takes less had nothing to do: a single request takes longer."""
_GATHERED = 128
"""Writes that are enough for a group."""


class StorageStats(Struct, frozen=True, kw_only=True):
    """What the store has done since it was opened."""

    waiting: int
    """Writes that wait for a commit now."""
    writes: int
    """Writes stored."""
    refused: int
    """Writes that could not be stored."""
    commits: int
    largest_group: int
    """The most writes in one group."""
    last_group_ms: float
    """How long the last group took, its commits included."""
    failing: str | None
    """Why the last group was not stored whole; null when it was."""


class Writer:
    """Owns the writing connection, in a daemon thread of its own.

    Args:
        database: Where to write.
        settings: Limits.
    """

    def __init__(self, database: Database, settings: StorageSettings) -> None:
        self._database = database
        self._group_limit = settings.group_limit
        self.intake = Intake(settings.queue_limit, settings.queue_bytes)
        self.commits = Commits()
        self._committer = Committer(database)
        self._thread = Thread(target=self._run, name="hotplane-storage-writer", daemon=True)
        self._gathering: asyncio.AbstractEventLoop | None = None
        """The loop that is about to wake the thread. Loops may take turns here: each wakes it for its own."""
        self._opened = Waiter()
        self._ended = Waiter()
        self._group: Sequence[Write] = ()
        self._writes = self._refused = self._largest = 0
        self._last_seconds = 0.0
        self._failing: str | None = None

    async def open(self) -> None:
        """Start the thread and wait until the tables are up to date.

        Raises:
            StorageUnavailable: The store cannot be reached or written.
            StorageCorrupt: It is damaged.
            StorageTooNew: A newer version wrote it.
        """
        self._thread.start()
        try:
            await self._opened.future
        except BaseException:
            self.intake.close()
            raise

    async def write(self, write: Write, *, limit: float | None = None) -> int:
        """Return the record's sequence after the commit that holds `write`.

        Cancelling changes nothing, and neither does the limit: what is queued will be stored.

        Args:
            write: What to store.
            limit: Seconds to wait for the commit.

        Raises:
            TimeoutError: The limit passed first.
            Overloaded, ShuttingDown: It was not queued.
            StorageFull, StorageUnavailable, StorageCorrupt, StorageError: It was not stored.
        """
        write.waiter = waiter = Waiter()
        self.intake.put(write)
        self._gather(waiter.loop)
        timer = None if limit is None else waiter.loop.call_later(limit, _give_up, waiter.future)
        try:
            return await waiter.future
        finally:
            if timer is not None:
                timer.cancel()
            if self._gathering is None and len(self.intake):
                self._gather(waiter.loop)

    def write_soon(self, write: Write) -> None:
        """Queue `write` for a caller that cannot wait; a failure is logged."""
        try:
            self.intake.put(write)
            self.intake.wake()
        except HotplaneError as error:
            _log.error("a write without a waiter was refused", error=str(error))

    def _gather(self, loop: asyncio.AbstractEventLoop) -> None:
        """Have the thread woken as soon as the loop has nothing else to do.

        The thread and a busy loop get into each other's way: every statement lets go of the interpreter's lock, and
        each side wakes the other for it again and again. One commit beside an idle loop costs half of two beside a
        busy one.
        """
        if self._gathering is not loop:
            self._gathering = loop
            now = time.perf_counter()
            loop.call_soon(self._look, loop, now, now)

    def _look(self, loop: asyncio.AbstractEventLoop, began: float, before: float) -> None:
        """Wake the thread when the loop's last turn was a short one, or the group has waited for long enough."""
        now = time.perf_counter()
        if now - before > _IDLE_TURN_SECONDS and now - began < PATIENCE_SECONDS and len(self.intake) < _GATHERED:
            loop.call_soon(self._look, loop, began, now)
            return
        self._gathering = None
        self.intake.wake()

    async def close(self, grace: float) -> None:
        """Store what waits, for `grace` seconds at most; the rest gets `StorageSlow` (records) or `ShuttingDown`."""
        self.intake.close()
        await asyncio.wait([self._ended.future], timeout=grace)
        if self._ended.future.done():
            return
        abandoned = [*self._group, *self.intake.drop()]
        _log.error("the store did not take everything before it was closed", writes=len(abandoned), grace=grace)
        for write in abandoned:
            if write.waiter is not None:
                _tell(write.waiter, _too_late(write))

    def stats(self) -> StorageStats:
        """Return counters; they may be of slightly different moments."""
        return StorageStats(
            waiting=len(self.intake),
            writes=self._writes,
            refused=self._refused,
            commits=self._committer.commits,
            largest_group=self._largest,
            last_group_ms=self._last_seconds * 1_000,
            failing=self._failing,
        )

    # --- what follows runs in the thread -----------------------------------------------------------------

    def _run(self) -> None:
        if self._open_in_thread():
            while group := self.intake.take(self._group_limit):
                self._group = group
                self._store(group)
                self._group = ()
        self._committer.close()
        _tell(self._ended, None)

    def _open_in_thread(self) -> bool:
        try:
            bring_up_to_date(self._database, self._committer.connect())
        except Exception as error:
            _tell(self._opened, error if isinstance(error, HotplaneError) else self._database.fault(error).error())
            return False
        _tell(self._opened, None)
        return True

    def _store(self, group: Sequence[Write]) -> None:
        started = time.perf_counter()
        try:
            fault = self._committer.store(group)
            self._failing = str(fault.error()) if fault else None
        except Exception:
            # A mistake of this program must not leave the callers waiting for ever.
            _log.exception("storing a group failed in an unforeseen way")
            self.intake.done()
            _fail(group, lambda: StorageError("The store failed in an unforeseen way; the log says more."))
            return
        self._count(group, time.perf_counter() - started)
        committed = _committed(group) if self.commits else None
        self.intake.done()
        _announce(group, None if committed is None else (self.commits.loop, partial(self.commits.tell, committed)))

    def _count(self, group: Sequence[Write], seconds: float) -> None:
        refused = sum(write.error is not None for write in group)
        self._refused += refused
        self._writes += len(group) - refused
        self._largest = max(self._largest, len(group))
        self._last_seconds = seconds


def _tell(waiter: Waiter, error: HotplaneError | None) -> None:
    # The loop may be closed when the store was not; then nobody waits.
    with contextlib.suppress(RuntimeError):
        waiter.loop.call_soon_threadsafe(waiter.settle, 0, error)


def _give_up(future: asyncio.Future[int]) -> None:
    if not future.done():
        future.set_exception(TimeoutError())


def _too_late(write: Write) -> HotplaneError:
    # The thread may be in the middle of it, so that it may still be stored.
    return ShuttingDown() if write.execution is None else StorageSlow(str(write.execution[0]))


def _fail(writes: Sequence[Write], error: Callable[[], HotplaneError]) -> None:
    for write in writes:
        write.error = error()
    _announce(writes)


def _committed(group: Sequence[Write]) -> Committed:
    stored = [write for write in group if write.error is None]
    # Nearly all of them go to the very same addressees.
    recipients = {id(some): some for write in stored for some in (write.ending_to, *write.addressees)}
    return Committed(
        events=any(write.ending or write.events for write in stored),
        handlers=frozenset(each.handler for some in recipients.values() for each in some),
        # Sequences grow along the group, so that the last write of a batch has its newest result.
        batches={cast("int", write.results[-1][0]): write.newest_result for write in stored if write.results},
    )


def _announce(
    writes: Sequence[Write], news: tuple[asyncio.AbstractEventLoop, Callable[[], None]] | None = None
) -> None:
    """Wake every loop once, whatever the number of its waiters; one of them has something else to call after that."""
    by_loop: defaultdict[asyncio.AbstractEventLoop, list[tuple[Waiter, int, HotplaneError | None]]] = defaultdict(list)
    for write in writes:
        if write.waiter is not None:
            by_loop[write.waiter.loop].append((write.waiter, write.sequence, write.error))
        elif write.error is not None:
            _log.error("a write without a waiter was not stored", error=str(write.error))
    place, tell = news or (None, _nothing)
    if place is not None and place not in by_loop:
        by_loop[place] = []
    for loop, settled in by_loop.items():
        # The loop may be closed when the store was not; then nobody waits.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(_settle, settled, tell if loop is place else _nothing)


def _settle(settled: Sequence[tuple[Waiter, int, HotplaneError | None]], tell: Callable[[], None]) -> None:
    for waiter, sequence, error in settled:
        waiter.settle(sequence, error)
    tell()


def _nothing() -> None:
    return
