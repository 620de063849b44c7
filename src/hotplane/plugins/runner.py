"""The kind that does the work, and how it says what went wrong. Imports only `base`, `records` and `values`."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import ClassVar

from hotplane.plugins.base import ConfigT, Plugin
from hotplane.records import ExecutionFailure, Task
from hotplane.values import Json

__all__ = ["NotExecuted", "ProgramFailed", "ProgramOverran", "Runner", "TransportFailed"]


class ProgramFailed(Exception):
    """The program itself failed: a result of the task, never a failure of the runner that ran it.

    Args:
        failure: What to record.
    """

    def __init__(self, failure: ExecutionFailure) -> None:
        self.failure = failure
        super().__init__(failure.message)


class ProgramOverran(TimeoutError):
    """The runner stopped the program at its deadline: the program was slow, the runner works.

    Raise it only where that is known, for example because a worker said so; a runner that waited in vain raises
    a bare `TimeoutError`, which counts against it.
    """


class NotExecuted(Exception):
    """The program was certainly not started, so that another runner may try, whatever the task.

    Args:
        reason: A sentence for a person, without secrets.
        code: A stable word for programs; the outcome of the attempt.
        retry_after: Seconds after which another try makes sense, where the runner knows.
        counts: Whether it speaks against the runner; false where the runner works and only this task is not for it.
    """

    def __init__(
        self, reason: str, *, code: str = "not-executed", retry_after: float | None = None, counts: bool = True
    ) -> None:
        self.reason = reason
        self.code = code
        self.retry_after = retry_after
        self.counts = counts
        super().__init__(reason)


class TransportFailed(Exception):
    """The runner failed and the program may have run, so that only an idempotent task may be tried elsewhere.

    Args:
        reason: A sentence for a person, without secrets.
        code: A stable word for programs; the outcome of the attempt.
    """

    def __init__(self, reason: str, *, code: str = "transport-failed") -> None:
        self.reason = reason
        self.code = code
        super().__init__(reason)


class Runner(Plugin[ConfigT]):
    """Runs a task's program on an input."""

    method = "run"
    outcomes = (ProgramFailed, ProgramOverran)
    vetted: ClassVar[bool] = False
    """Whether it keeps the deadline by itself and returns a fresh, plain JSON value, so that the host need not make
    sure once more; for the runners that ship with Hotplane."""

    def run(self, task: Task, input: Json, deadline: float) -> Awaitable[Json]:
        """Run the program and return its output.

        Whatever else it raises counts as `TransportFailed`: against the runner, and the program may have run. The
        host's `Unavailable` errors, `ProgramNotAllowed` and `ProgramNotImportable` count as `NotExecuted`.

        Args:
            task: What to run.
            input: Its input, already checked; the runner may hand it to the program as it is.
            deadline: Seconds that are left, on the clock of the running loop. Where other runners stand behind
                this one, it is this runner's share of what is left of the task's deadline.

        Raises:
            ProgramFailed: The program raised, or returned something that is not JSON.
            ProgramOverran: The deadline passed, and it is the program that did not end.
            TimeoutError: The deadline passed, and nobody knows why.
            NotExecuted: The program was certainly not started.
            TransportFailed: The runner failed; the program may have run.
        """
        raise NotImplementedError
