"""A bounded pool of daemon threads whose callers never wait longer than they said. Imports only `jobs` and `errors`.

The standard executors join their threads when the process ends, so that one stuck call keeps it alive for ever;
they also cannot give up on a running call. Here a call that overruns is abandoned: its caller goes on at once,
its thread counts as stuck until it returns, and another thread takes its place.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from contextvars import copy_context
from functools import partial
from threading import Lock, Thread
from typing import TypeVar, TypeVarTuple, cast
from weakref import WeakKeyDictionary

from hotplane.errors import Overloaded, ShuttingDown, TooManyStuckThreads
from hotplane.programs.jobs import Job, JobState, Outbox, Worker, discard

__all__ = ["DaemonThreads"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


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
        self._queue: OrderedDict[Job, None] = OrderedDict()
        self._idle: list[Worker] = []
        self._outboxes: WeakKeyDictionary[asyncio.AbstractEventLoop, Outbox] = WeakKeyDictionary()
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

    def _submit(self, loop: asyncio.AbstractEventLoop, call: Callable[[], object]) -> Job:
        with self._mutex:
            if self._closed:
                raise ShuttingDown
            if self._stuck >= self.max_stuck:
                raise TooManyStuckThreads(self._stuck, self.max_stuck)
            job = Job(loop, self._outbox(loop), call)
            if not self._idle:
                self._start_or_queue(job)
                return job
            worker = self._idle.pop()
            job.state = JobState.RUNNING
        worker.hand(job)
        return job

    def _start_or_queue(self, job: Job) -> None:
        if self._live < self.max_threads and self._start(job):
            return
        if not self._live:
            raise Overloaded("The number of threads that the system allows", self.threads, "programs.max_threads")
        if len(self._queue) >= self.queue_limit:
            raise Overloaded("The queue for threads", self.queue_limit, "programs.queue_limit")
        self._queue[job] = None

    def _start(self, job: Job) -> bool:
        """Start a thread with its first job; false when the system has no thread left."""
        thread = Thread(target=self._work, args=(Worker(job),), name=f"{self.name}-{self._started + 1}", daemon=True)
        job.state = JobState.RUNNING
        try:
            thread.start()
        except RuntimeError:
            job.state = JobState.QUEUED
            return False
        self._started += 1
        self._live += 1
        return True

    def _outbox(self, loop: asyncio.AbstractEventLoop) -> Outbox:
        outbox = self._outboxes.get(loop)
        if outbox is None:
            # An answer that its loop did not fetch before it was closed would keep the loop alive.
            for closed in [known for known in self._outboxes if known.is_closed()]:
                del self._outboxes[closed]
            outbox = self._outboxes[loop] = Outbox()
        return outbox

    def _expire(self, job: Job) -> None:
        # A job that is done is about to be settled: its result is better than a timeout.
        if self._drop(job) and not job.future.done():
            job.future.set_exception(TimeoutError())

    def _drop(self, job: Job) -> bool:
        """Give up on a job; false when it is done or dropped already."""
        with self._mutex:
            if job.state is JobState.QUEUED:
                self._queue.pop(job, None)
            elif job.state is JobState.RUNNING:
                self._live -= 1
                self._stuck += 1
                self._refill()
            else:
                return False
            job.state = JobState.DROPPED
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
            job.state = JobState.DONE
            job.error = error()
            job.outbox.post(job)

    def _work(self, worker: Worker) -> None:
        while (job := worker.take()) is not None:
            job.run()
            staying = self._finish(job, worker)
            # An idle thread must not keep its last job alive, and with it the result.
            del job
            if not staying:
                return
            worker.wake.acquire()

    def _finish(self, job: Job, worker: Worker) -> bool:
        """Hand over a job's result; false when nobody waited for it, so that this thread has been replaced."""
        with self._mutex:
            late = job.state is JobState.DROPPED
            if late:
                self._stuck -= 1
                self._refill()
            else:
                job.state = JobState.DONE
                self._engage(worker)
        if late:
            discard(job.value)
        else:
            job.outbox.post(job)
        return not late

    def _engage(self, worker: Worker) -> None:
        """Give a free thread the next job, an idle place, or leave to go."""
        if self._queue:
            job, _ = self._queue.popitem(last=False)
            job.state = JobState.RUNNING
            worker.hand(job)
        elif self._closed:
            self._live -= 1
            worker.hand(None)
        else:
            self._idle.append(worker)
