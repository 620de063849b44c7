"""Calls on their way through a pool of threads and back to the loop that asked. Imports nothing of Hotplane."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from enum import Enum, auto
from inspect import iscoroutine
from threading import Lock

__all__ = ["Job", "JobState", "Outbox", "ThreadExit", "Worker", "discard"]


class ThreadExit(Exception):
    """A function raised what an event loop cannot carry: `SystemExit`, `StopIteration`, `CancelledError` and such.

    Args:
        error: What it raised.
    """

    def __init__(self, error: BaseException) -> None:
        self.error = error
        super().__init__(f"{type(error).__name__} was raised in a thread of the pool")


class JobState(Enum):
    """Where a job is; the pool's mutex guards it."""

    QUEUED = auto()
    RUNNING = auto()
    DONE = auto()
    DROPPED = auto()
    """Nobody waits for it any more: withdrawn from the queue, or abandoned while it runs."""


class Job:
    """One call: what to run, whose answer it is, and how far it has come."""

    __slots__ = ("call", "error", "future", "loop", "outbox", "state", "value")

    def __init__(self, loop: asyncio.AbstractEventLoop, outbox: Outbox, call: Callable[[], object]) -> None:
        self.loop = loop
        self.outbox = outbox
        self.future: asyncio.Future[object] = loop.create_future()
        self.call = call
        self.state = JobState.QUEUED
        self.value: object = None
        self.error: Exception | None = None

    def run(self) -> None:
        """Call the function in this thread; whatever it raises is kept, so that the thread survives."""
        # The caller may remember the job for longer than its arguments should live.
        call, self.call = self.call, _nothing
        try:
            self.value = call()
        except StopIteration as error:
            self.error = ThreadExit(error)
        except Exception as error:
            self.error = error
        except BaseException as error:
            self.error = ThreadExit(error)

    def settle(self) -> None:
        """Give the caller its answer; on the caller's loop."""
        value, self.value = self.value, None
        error, self.error = self.error, None
        if self.future.done():
            discard(value)
        elif error is not None:
            self.future.set_exception(error)
        else:
            self.future.set_result(value)


class Outbox:
    """Finished jobs on their way to one event loop: many answers for one wake-up of the loop."""

    __slots__ = ("__weakref__", "_finished", "_scheduled")

    def __init__(self) -> None:
        self._finished: deque[Job] = deque()
        self._scheduled = False

    def post(self, job: Job) -> None:
        """Hand over a finished job, from any thread."""
        self._finished.append(job)
        if self._scheduled:
            return
        self._scheduled = True
        try:
            job.loop.call_soon_threadsafe(self._deliver)
        except RuntimeError:
            # The loop is closed: nobody waits any more.
            self._finished.clear()

    def _deliver(self) -> None:
        # Lowering the flag before reading means that a job which is appended later schedules a delivery itself.
        self._scheduled = False
        while self._finished:
            self._finished.popleft().settle()


class Worker:
    """One thread's mailbox: the next job, and a lock that is released when it is there."""

    __slots__ = ("job", "wake")

    def __init__(self, job: Job) -> None:
        self.job: Job | None = job
        self.wake = Lock()
        self.wake.acquire()

    def hand(self, job: Job | None) -> None:
        """Wake the thread with a job, or with none to send it home."""
        self.job = job
        self.wake.release()

    def take(self) -> Job | None:
        """Empty the mailbox."""
        job, self.job = self.job, None
        return job


def discard(value: object) -> None:
    """Let go of a result that nobody wants; a coroutine is closed, so that it gives no warning."""
    if iscoroutine(value):
        value.close()


def _nothing() -> None:
    return None
