"""A bounded pool of daemon threads whose callers never wait longer than they said. Imports only `errors`.

The standard executors join their threads when the process ends, so that one stuck call keeps it alive for ever;
they also cannot give up on a running call. Here a call that overruns is abandoned: its caller goes on at once,
its thread counts as stuck until it returns, and another thread takes its place.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable
from contextvars import copy_context
from enum import Enum, auto
from functools import partial
from inspect import iscoroutine
from threading import Lock, Thread
from typing import TypeVar, TypeVarTuple, cast
from weakref import WeakKeyDictionary

from hotplane.errors import Overloaded, ShuttingDown, TooManyStuckThreads

__all__ = ["DaemonThreads", "ThreadExit"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class ThreadExit(Exception):
    """A function raised what an event loop cannot carry: `SystemExit`, `StopIteration`, `CancelledError` and such.

    Args:
        error: What it raised.
    """

    def __init__(self, error: BaseException) -> None:
        self.error = error
        super().__init__(f"{type(error).__name__} was raised in a thread of the pool")


class _State(Enum):
    QUEUED = auto()
    RUNNING = auto()
    DONE = auto()
    DROPPED = auto()
    """Nobody waits for it any more: withdrawn from the queue, or abandoned while it runs."""


class _Job:
    """One call on its way through the pool. The pool's mutex guards `state`."""

    __slots__ = ("call", "error", "future", "loop", "outbox", "state", "value")

    def __init__(self, loop: asyncio.AbstractEventLoop, outbox: _Outbox, call: Callable[[], object]) -> None:
        self.loop = loop
        self.outbox = outbox
        self.future: asyncio.Future[object] = loop.create_future()
        self.call = call
        self.state = _State.QUEUED
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
            _discard(value)
        elif error is not None:
            self.future.set_exception(error)
        else:
            self.future.set_result(value)


class _Outbox:
    """Finished jobs on their way to one event loop: many answers for one wake-up of the loop."""

    __slots__ = ("__weakref__", "_finished", "_scheduled")

    def __init__(self) -> None:
        self._finished: deque[_Job] = deque()
        self._scheduled = False

    def post(self, job: _Job) -> None:
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


class _Worker:
    """One thread's mailbox: the next job, and a lock that is released when it is there."""

    __slots__ = ("job", "wake")

    def __init__(self, job: _Job) -> None:
        self.job: _Job | None = job
        self.wake = Lock()
        self.wake.acquire()

    def hand(self, job: _Job | None) -> None:
        """Wake the thread with a job, or with none to send it home."""
        self.job = job
        self.wake.release()

    def take(self) -> _Job | None:
        """Empty the mailbox."""
        job, self.job = self.job, None
        return job


class DaemonThreads:
    """A bounded pool of daemon threads, for callers on any number of event loops.

    Threads start when they are needed, and idle ones are reused, the last one first. There are never more than
    `max_threads` + `max_stuck` of them.

    Args:
        max_threads: Threads at work at once, stuck ones not counted.
        max_stuck: With this many stuck threads every call is refused.
        queue_limit: Calls that may wait for a thread.
        name: What the threads are called, for debuggers.
    """

    def __init__(
        self, *, max_threads: int = 32, max_stuck: int = 16, queue_limit: int = 1000, name: str = "hotplane-program"
    ) -> None:
        self.max_threads = max_threads
        self.max_stuck = max_stuck
        self.queue_limit = queue_limit
        self.name = name
        self._mutex = Lock()
        self._queue: OrderedDict[_Job, None] = OrderedDict()
        self._idle: list[_Worker] = []
        self._outboxes: WeakKeyDictionary[asyncio.AbstractEventLoop, _Outbox] = WeakKeyDictionary()
        self._live = 0
        self._stuck = 0
        self._started = 0
        self._closed = False

    @property
    def threads(self) -> int:
        """Threads that exist now, idle and stuck ones included."""
        return self._live + self._stuck

    @property
    def stuck(self) -> int:
        """Threads that still run a call which nobody waits for."""
        return self._stuck

    @property
    def queued(self) -> int:
        """Calls that wait for a thread."""
        return len(self._queue)

    async def call(self, function: Callable[[*Ts], T], *args: *Ts, timeout: float | None = None) -> T:
        """Run ``function(*args)`` in a thread, in a copy of the caller's context variables.

        When the caller is cancelled or its time is up, a call that still waits is withdrawn and never runs; one that
        runs is abandoned, and what it returns later is dropped.

        Args:
            function: What to call.
            args: Its arguments.
            timeout: Seconds to wait for the result, time in the queue included; none for ever.

        Raises:
            TimeoutError: The time is up.
            TooManyStuckThreads: `max_stuck` threads hang.
            Overloaded: The queue is full.
            ShuttingDown: The pool is closed.
            ThreadExit: The function raised something else than an `Exception`, or `StopIteration`.
        """
        if timeout is not None and timeout <= 0:
            raise TimeoutError
        loop = asyncio.get_running_loop()
        job = self._submit(loop, partial(copy_context().run, function, *args))
        timer = None if timeout is None else loop.call_later(timeout, self._expire, job)
        try:
            return cast("T", await job.future)
        except BaseException:
            self._drop(job)
            raise
        finally:
            if timer is not None:
                timer.cancel()

    def close(self) -> None:
        """Refuse new calls, fail the waiting ones, and let every thread go when its call returns.

        Returns at once, and stuck threads do not keep the process from ending.
        """
        with self._mutex:
            self._closed = True
            idle, self._idle = self._idle, []
            self._live -= len(idle)
            self._fail_queue(ShuttingDown)
        for worker in idle:
            worker.hand(None)

    def _submit(self, loop: asyncio.AbstractEventLoop, call: Callable[[], object]) -> _Job:
        with self._mutex:
            if self._closed:
                raise ShuttingDown
            if self._stuck >= self.max_stuck:
                raise TooManyStuckThreads(self._stuck, self.max_stuck)
            job = _Job(loop, self._outbox(loop), call)
            if not self._idle:
                self._start_or_queue(job)
                return job
            worker = self._idle.pop()
            job.state = _State.RUNNING
        worker.hand(job)
        return job

    def _start_or_queue(self, job: _Job) -> None:
        if self._live < self.max_threads and self._start(job):
            return
        if not self._live:
            raise Overloaded("The number of threads that the system allows", self.threads, "programs.max_threads")
        if len(self._queue) >= self.queue_limit:
            raise Overloaded("The queue for threads", self.queue_limit, "programs.queue_limit")
        self._queue[job] = None

    def _start(self, job: _Job) -> bool:
        """Start a thread with its first job; false when the system has no thread left."""
        thread = Thread(target=self._work, args=(_Worker(job),), name=f"{self.name}-{self._started + 1}", daemon=True)
        job.state = _State.RUNNING
        try:
            thread.start()
        except RuntimeError:
            job.state = _State.QUEUED
            return False
        self._started += 1
        self._live += 1
        return True

    def _outbox(self, loop: asyncio.AbstractEventLoop) -> _Outbox:
        outbox = self._outboxes.get(loop)
        if outbox is None:
            outbox = self._outboxes[loop] = _Outbox()
        return outbox

    def _expire(self, job: _Job) -> None:
        # A job that is done is about to be settled: its result is better than a timeout.
        if self._drop(job) and not job.future.done():
            job.future.set_exception(TimeoutError())

    def _drop(self, job: _Job) -> bool:
        """Give up on a job; false when it is done or dropped already."""
        with self._mutex:
            if job.state is _State.QUEUED:
                self._queue.pop(job, None)
            elif job.state is _State.RUNNING:
                self._live -= 1
                self._stuck += 1
                self._refill()
            else:
                return False
            job.state = _State.DROPPED
            return True

    def _refill(self) -> None:
        """Start threads for the waiting jobs as far as the limits allow."""
        while self._queue and self._live < self.max_threads and self._stuck < self.max_stuck:
            job = next(iter(self._queue))
            if not self._start(job):
                break
            del self._queue[job]
        if not self._live and self._stuck >= self.max_stuck:
            self._fail_queue(partial(TooManyStuckThreads, self._stuck, self.max_stuck))

    def _fail_queue(self, error: Callable[[], Exception]) -> None:
        while self._queue:
            job, _ = self._queue.popitem(last=False)
            job.state = _State.DONE
            job.error = error()
            job.outbox.post(job)

    def _work(self, worker: _Worker) -> None:
        while (job := worker.take()) is not None:
            job.run()
            staying = self._finish(job, worker)
            # An idle thread must not keep its last job alive, and with it the result.
            del job
            if not staying:
                return
            worker.wake.acquire()

    def _finish(self, job: _Job, worker: _Worker) -> bool:
        """Hand over a job's result; false when nobody waited for it, so that this thread has been replaced."""
        with self._mutex:
            late = job.state is _State.DROPPED
            if late:
                self._stuck -= 1
                self._refill()
            else:
                job.state = _State.DONE
                self._engage(worker)
        if late:
            _discard(job.value)
        else:
            job.outbox.post(job)
        return not late

    def _engage(self, worker: _Worker) -> None:
        """Give a free thread the next job, an idle place, or leave to go."""
        if self._queue:
            job, _ = self._queue.popitem(last=False)
            job.state = _State.RUNNING
            worker.hand(job)
        elif self._closed:
            self._live -= 1
            worker.hand(None)
        else:
            self._idle.append(worker)


def _nothing() -> None:
    return None


def _discard(value: object) -> None:
    if iscoroutine(value):
        value.close()
