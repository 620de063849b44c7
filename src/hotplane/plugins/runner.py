"""The kind that does the work. Imports only `base`, `records` and `values`."""

from __future__ import annotations

from collections.abc import Awaitable

from hotplane.plugins.base import ConfigT, Plugin
from hotplane.records import ExecutionFailure, Task
from hotplane.values import Json

__all__ = ["ProgramFailed", "Runner"]


class ProgramFailed(Exception):
    """The program itself failed: a result of the task, never a failure of the runner that ran it.

    Args:
        failure: What to record.
    """

    def __init__(self, failure: ExecutionFailure) -> None:
        self.failure = failure
        super().__init__(failure.message)


class Runner(Plugin[ConfigT]):
    """Runs a task's program on an input."""

    method = "run"
    outcomes = (ProgramFailed,)

    def run(self, task: Task, input: Json, deadline: float) -> Awaitable[Json]:
        """Run the program and return its output.

        Args:
            task: What to run.
            input: Its input, already checked; the runner may hand it to the program as it is.
            deadline: Seconds that are left, on the clock of the running loop.

        Raises:
            ProgramFailed: The program raised, or returned something that is not JSON.
            TimeoutError: The deadline passed first.
        """
        raise NotImplementedError
