"""The threads that read, each with its own connection. Imports `database` and `errors`."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import TypeVar

import msgspec
from sqlalchemy import Connection

from hotplane.errors import HotplaneError, Overloaded, ShuttingDown, StorageCorrupt
from hotplane.storage.database import Database, Fault, Scope

__all__ = ["Readers"]

T = TypeVar("T")


class Readers:
    """A pool of daemon threads.

    Args:
        database: Where to read.
        count: How many threads and connections.
        limit: Reads that may wait.
    """

    def __init__(self, database: Database, count: int, limit: int) -> None:
        self._limit = limit
        self._closed = False
        self._reads: SimpleQueue[_Read | None] = SimpleQueue()
        self._threads = [_Reader(database, self._reads, number) for number in range(count)]

    def start(self) -> None:
        """Start the threads; each connects at its first read."""
        for thread in self._threads:
            thread.start()

    async def run(self, read: Callable[[Connection], T]) -> T:
        """Return what `read` returns; it runs in a reader's thread, in one short transaction.

        Raises:
            Overloaded: Too many reads wait.
            ShuttingDown: The pool is closed.
            StorageUnavailable: The store cannot be read, or the read took too long.
            StorageCorrupt: The store is damaged.
        """
        if self._closed:
            raise ShuttingDown
        if self._reads.qsize() >= self._limit:
            raise Overloaded("The queue of reads", self._limit, "storage.read_queue_limit")
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()

        def work(connection: Connection) -> Callable[[], None]:
            result = read(connection)
            return lambda: future.set_result(result)

        self._reads.put(_Read(work, future.set_exception, future.done))
        return await future

    async def close(self, grace: float) -> None:
        """Let the reads that wait finish, for `grace` seconds at most, and end the threads."""
        if self._closed:
            return
        self._closed = True
        for _ in self._threads:
            self._reads.put(None)
        await asyncio.wait([thread.ended for thread in self._threads], timeout=grace)


class _Read:
    """One read, and how the one who waits for it gets to know."""

    def __init__(
        self,
        work: Callable[[Connection], Callable[[], None]],
        reject: Callable[[HotplaneError], None],
        done: Callable[[], bool],
    ) -> None:
        self.work = work
        self.reject = reject
        self.done = done
        self.loop = asyncio.get_running_loop()

    def fail(self, error: HotplaneError) -> None:
        self.settle(lambda: self.reject(error))

    def settle(self, settle: Callable[[], None]) -> None:
        # The loop may be closed when the store was not; then nobody waits.
        with contextlib.suppress(RuntimeError):
            self.loop.call_soon_threadsafe(self._settle_on_loop, settle)

    def _settle_on_loop(self, settle: Callable[[], None]) -> None:
        if not self.done():
            settle()


class _Reader(Thread):
    def __init__(self, database: Database, reads: SimpleQueue[_Read | None], number: int) -> None:
        super().__init__(name=f"hotplane-storage-reader-{number}", daemon=True)
        self._database = database
        self._reads = reads
        self._connection: Connection | None = None
        self._loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[None] = self._loop.create_future()

    def run(self) -> None:
        while (job := self._reads.get()) is not None:
            if not job.done():
                self._serve(job)
        self._disconnect()
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._end)

    def _end(self) -> None:
        if not self.ended.done():
            self.ended.set_result(None)

    def _serve(self, job: _Read) -> None:
        reused = self._connection is not None
        fault = self._try(job)
        # An idle connection may have been cut long ago; reading twice does no harm.
        if fault is not None and fault.scope is Scope.CONNECTION and reused:
            fault = self._try(job)
        if fault is not None:
            job.fail((fault.of_read or fault.error)())

    def _try(self, job: _Read) -> Fault | None:
        try:
            connection = self._connect()
            with connection.begin():
                self._database.begin_read(connection)
                settle = job.work(connection)
        except msgspec.MsgspecError as error:
            # The driver read a row well, and what stands in it is not what was once written.
            job.fail(StorageCorrupt(self._database.name, str(error)))
        except Exception as error:
            fault = self._database.fault(error)
            if fault.scope is not Scope.WRITE:
                self._disconnect()
            return fault
        else:
            job.settle(settle)
        return None

    def _connect(self) -> Connection:
        if self._connection is None:
            self._connection = self._database.open_reader()
        return self._connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            # A broken connection may fail to close; there is nothing to save on it.
            with contextlib.suppress(Exception):
                connection.close()
