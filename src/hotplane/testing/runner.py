"""A runner that does what a test says, and otherwise runs the program. Imports `plugins`, `records` and `values`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib import import_module
from typing import cast

from hotplane.errors import NotJson
from hotplane.plugins import Config, NotExecuted, ProgramFailed, ProgramOverran, Runner
from hotplane.records import ExecutionFailure, PluginMetadata, Task
from hotplane.values import Json, checked_copy

__all__ = ["FakeRunner", "Ran"]

_Program = Callable[[Json], Json | Awaitable[Json]]


@dataclass(frozen=True, slots=True)
class Ran:
    """One call of the runner."""

    task_id: str
    input: Json
    deadline: float
    """Seconds that were left."""


class FakeRunner(Runner):
    """Answers, fails and delays as it is told, task by task; where it is told nothing it runs the program.

    Programs run on the event loop, sync ones too. It keeps the contract of runners, whatever it is told.
    """

    metadata = PluginMetadata(name="fake-runner", version="1.0.0", description="Does what a test says.")

    def __init__(self, config: Config | None = None) -> None:
        super().__init__(config)
        self.calls: list[Ran] = []
        self._outcomes: dict[str | None, Json | BaseException] = {}
        self._delays: dict[str | None, float] = {}

    def answers(self, output: Json, *, task: str | None = None) -> None:
        """Answer with `output` from now on, for one task or for all that nothing else was said of."""
        self._outcomes[task] = checked_copy(output)

    def fails(self, error: BaseException, *, task: str | None = None) -> None:
        """Raise `error` from now on; `NotExecuted`, `TransportFailed` and `ProgramFailed` mean what they say."""
        self._outcomes[task] = error

    def delays(self, seconds: float, *, task: str | None = None) -> None:
        """Wait that long before every answer from now on; a call ends at its deadline all the same."""
        self._delays[task] = seconds

    def forget(self) -> None:
        """Be told nothing, and remember no calls."""
        self.calls.clear()
        self._outcomes.clear()
        self._delays.clear()

    async def run(self, task: Task, input: Json, deadline: float) -> Json:
        """Do what was said of the task, or run its program.

        Raises:
            ProgramOverran: The deadline passed.
            BaseException: What `fails` was given, or what the program's failure is.
        """
        self.calls.append(Ran(task.id, checked_copy(input), deadline))
        try:
            async with asyncio.timeout(deadline):
                await asyncio.sleep(self._delays.get(task.id, self._delays.get(None, 0.0)))
                return await self._outcome(task, input)
        except TimeoutError:
            raise ProgramOverran(task.program) from None

    async def _outcome(self, task: Task, input: Json) -> Json:
        for told in (task.id, None):
            if told in self._outcomes:
                outcome = self._outcomes[told]
                if isinstance(outcome, BaseException):
                    raise outcome
                return checked_copy(outcome)
        return await _executed(_found(task.program), input)


def _found(program: str) -> _Program:
    module, _, name = program.partition(":")
    try:
        found: object = getattr(import_module(module), name, None)
    except ImportError as error:
        raise NotExecuted(f"{program} cannot be imported: {error}", code="unknown-program", counts=False) from error
    if not callable(found):
        raise NotExecuted(f"There is no {program}.", code="unknown-program", counts=False)
    return cast("_Program", found)


async def _executed(program: _Program, input: Json) -> Json:
    try:
        output = program(checked_copy(input))
        return checked_copy(await output if asyncio.iscoroutine(output) else output)
    except NotJson as error:
        raise ProgramFailed(ExecutionFailure(type="not-json", message=str(error))) from None
    except Exception as error:
        raise ProgramFailed(ExecutionFailure(type=type(error).__name__, message=str(error))) from error
