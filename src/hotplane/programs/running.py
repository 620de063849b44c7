"""Running a program to its end or to its deadline, whichever comes first.

Imports only `cache`, `loading`, `threads`, `settings`, `failures`, `plugins`, `records`, `values` and `errors`.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable
from typing import TypeAlias, cast

from hotplane.errors import NotJson, Overloaded, ProgramNotImportable
from hotplane.plugins import ProgramFailed
from hotplane.programs.cache import ProgramCache
from hotplane.programs.failures import MAX_MESSAGE, failure_of, storable
from hotplane.programs.loading import Program, find_program, split_spec
from hotplane.programs.settings import ProgramSettings
from hotplane.programs.threads import DaemonThreads
from hotplane.records import ExecutionFailure
from hotplane.values import Json, checked_copy

__all__ = ["Programs"]

_Task: TypeAlias = asyncio.Task[Json]


class Programs:
    """Loads and runs programs within the limits of its settings.

    Args:
        settings: The limits, and what may be loaded. `paths` are the builder's to add, with `loading.add_paths`.
        threads: The pool for sync programs and for imports; a new one by default.
    """

    def __init__(self, settings: ProgramSettings | None = None, threads: DaemonThreads | None = None) -> None:
        self.settings = settings or ProgramSettings()
        self.threads = threads or DaemonThreads(
            max_threads=self.settings.max_threads,
            max_stuck=self.settings.max_stuck,
            queue_limit=self.settings.queue_limit,
        )
        self.loaded = ProgramCache(self.load)
        """What has been loaded; ask it, so that each program is imported once."""
        self._stuck: set[_Task] = set()

    @property
    def stuck_threads(self) -> int:
        """Threads that hang in programs nobody waits for."""
        return self.threads.stuck

    @property
    def stuck_tasks(self) -> int:
        """Async programs that were cancelled and have not ended yet."""
        return len(self._stuck)

    async def load(self, spec: str) -> Program:
        """Import a program in a thread, so that a slow import does not block the loop.

        Args:
            spec: ``package.module:function``.

        Raises:
            ProgramNotAllowed: The allow-list does not name its module; nothing was imported.
            ProgramNotImportable: There is no such program, its import failed or took too long, or it cannot be
                called with an input alone.
            TooManyStuckThreads, Overloaded, ShuttingDown: There is no thread for it.
        """
        limit = self.settings.import_timeout_seconds
        try:
            return await self.threads.call(find_program, spec, self.settings, timeout=limit)
        except TimeoutError:
            reason = f"importing {split_spec(spec)[0]!r} takes longer than {limit:g} s"
        raise ProgramNotImportable(spec, reason)

    async def run(self, program: Program, input: Json, deadline: float) -> Json:
        """Run a program on its own copy of the input.

        An async program runs in a task of its own, which is cancelled at the deadline and abandoned when it ignores
        that; it must not block the loop. A sync one runs in a thread, which is abandoned at the deadline. An
        awaitable that a sync program returns is awaited.

        Args:
            program: What to run.
            input: Its input.
            deadline: Seconds that are left.

        Returns:
            The output, a copy in plain JSON types.

        Raises:
            ProgramFailed: It raised, whatever it raised, or returned something that is not JSON.
            TimeoutError: The deadline passed.
            TooManyStuckThreads, Overloaded, ShuttingDown: There is no room for it; it did not run.
        """
        if program.is_async:
            return await self._run_task(_start(program, input), deadline)
        clock = asyncio.get_running_loop().time
        started = clock()
        output = await self.threads.call(_call, program, input, timeout=deadline)
        if isinstance(output, Awaitable):
            return await self._run_task(output, deadline - (clock() - started))
        return output

    def close(self) -> None:
        """Refuse further work; return at once. Neither stuck threads nor stuck tasks keep the process from ending."""
        self.threads.close()
        for task in self._stuck:
            # `asyncio.run` waits for every registered task, and these have shown that they do not end.
            asyncio._unregister_task(task)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]

    async def _run_task(self, awaitable: Awaitable[object], deadline: float) -> Json:
        try:
            self._check_room(deadline)
        except BaseException:
            _forgo(awaitable)
            raise
        loop = asyncio.get_running_loop()
        started = loop.time()
        # `asyncio.wait` for one task with a limit costs three times as much as a future and a timer.
        woken: asyncio.Future[None] = loop.create_future()
        task = loop.create_task(_guard(awaitable, woken))
        timer = loop.call_later(deadline, _wake, woken)
        try:
            await woken
        except BaseException:
            self._abandon(task)
            raise
        finally:
            timer.cancel()
        if not task.done():
            self._abandon(task)
            raise TimeoutError
        return _outcome(task, overran=loop.time() - started > deadline)

    def _check_room(self, deadline: float) -> None:
        if deadline <= 0:
            raise TimeoutError
        limit = self.settings.max_stuck_tasks
        if len(self._stuck) >= limit:
            what = "The set of async programs that ignore their cancellation"
            raise Overloaded(what, limit, "programs.max_stuck_tasks")

    def _abandon(self, task: _Task) -> None:
        self._stuck.add(task)
        task.add_done_callback(self._forget)
        task.cancel()

    def _forget(self, task: _Task) -> None:
        """Let go of an abandoned task that has ended; its late result is dropped."""
        self._stuck.discard(task)
        if not task.cancelled():
            # Asking marks the exception as seen: its caller has had its answer.
            task.exception()


def _call(program: Program, input: Json) -> Json | Awaitable[object]:
    """Run a sync program; in the thread."""
    try:
        returned = program.function(checked_copy(input))
    except BaseException as error:
        failure = failure_of(error, __file__)
    else:
        return returned if inspect.isawaitable(returned) else _output(returned)
    # Raised out here, the failure does not keep the program's frames, and with them its variables, alive.
    raise ProgramFailed(failure)


async def _start(program: Program, input: Json) -> object:
    return await cast("Awaitable[object]", program.function(checked_copy(input)))


async def _guard(awaitable: Awaitable[object], woken: asyncio.Future[None]) -> Json:
    """Await a program, and wake who waits; in its own task, out of which a loop can carry only an `Exception`."""
    try:
        returned = await awaitable
    except GeneratorExit:
        # The coroutine is being closed, which must be let through.
        raise
    except BaseException as error:
        failure = failure_of(error, __file__)
    else:
        return _output(returned)
    finally:
        # The task has ended when its caller has its turn: a callback of the task would take one turn more.
        _wake(woken)
    raise ProgramFailed(failure)


def _output(returned: object) -> Json:
    try:
        return checked_copy(returned)
    except NotJson as error:
        message = f"The output is not a JSON value: {error.reason} (at {error.pointer})."
        failure = ExecutionFailure(type="not-json", message=storable(message, MAX_MESSAGE))
    except BaseException as error:
        # A subclass of dict or list runs the program's code when it is read.
        failure = failure_of(error, __file__)
    raise ProgramFailed(failure)


def _outcome(task: _Task, *, overran: bool) -> Json:
    # A task is cancelled from outside, before its first step, or ended by a GeneratorExit of the program's own.
    error = asyncio.CancelledError() if task.cancelled() else task.exception()
    if isinstance(error, ProgramFailed):
        raise error
    if error is not None:
        raise ProgramFailed(failure_of(error, __file__))
    if overran:
        # It blocked the loop beyond its deadline, so that nothing could stop it.
        raise TimeoutError
    return task.result()


def _wake(woken: asyncio.Future[None]) -> None:
    if not woken.done():
        woken.set_result(None)


def _forgo(awaitable: Awaitable[object]) -> None:
    if inspect.iscoroutine(awaitable):
        awaitable.close()
