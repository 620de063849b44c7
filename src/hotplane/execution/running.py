"""One runner's try at a task, and what came of it. Imports only `plugins`, `registry`, `records` and `errors`."""

from __future__ import annotations

from time import perf_counter
from typing import Any

from msgspec import Struct

from hotplane.errors import HotplaneError, NotJson, PluginTimeout, Unavailable
from hotplane.plugins import ProgramFailed, Runner
from hotplane.records import Attempt, ExecutionFailure, ExecutionStatus, Task
from hotplane.registry import Failure, Link
from hotplane.values import Json, checked_copy

__all__ = ["Outcome", "attempt", "exceeded"]

_PATIENCE_SECONDS = 0.05
"""A runner keeps the deadline itself; this much later it is cut off."""


class Outcome(Struct, frozen=True, kw_only=True):
    """What running a task came to."""

    status: ExecutionStatus
    output: Json = None
    error: ExecutionFailure | None = None
    attempts: tuple[Attempt, ...] = ()


async def attempt(link: Link[Runner[Any]], task: Task, input: Json, deadline: float) -> Outcome:
    """Let one runner run the task.

    Args:
        link: The runner.
        task: What to run.
        input: Its checked input.
        deadline: Seconds that are left.

    Raises:
        Unavailable: The runner did not execute it and says so, for example because its threads are stuck.
    """
    started = perf_counter()
    vetted = link.plugin.vetted
    result = await link.invoke(task, input, deadline, limit=None if vetted else deadline + _PATIENCE_SECONDS)
    latency_ms = (perf_counter() - started) * 1e3
    if isinstance(result, Failure):
        if isinstance(result.error, Unavailable):
            raise result.error
        return _failed(link.plugin_id, result.error, task, latency_ms)
    try:
        output = result if vetted else checked_copy(result)
    except NotJson as error:
        return _failed(link.plugin_id, error, task, latency_ms)
    done = Attempt(runner=link.plugin_id, outcome="success", latency_ms=latency_ms)
    return Outcome(status=ExecutionStatus.SUCCESS, output=output, attempts=(done,))


def exceeded(task: Task) -> ExecutionFailure:
    """Return the failure of an execution whose deadline passed."""
    return ExecutionFailure(type="deadline-exceeded", message=f"The deadline of {task.timeout_ms} ms passed.")


def _failed(runner: str, error: BaseException, task: Task, latency_ms: float) -> Outcome:
    status, outcome, failure = _classify(error, task)
    tried = Attempt(runner=runner, outcome=outcome, latency_ms=latency_ms, message=failure.message)
    return Outcome(status=status, error=failure, attempts=(tried,))


def _classify(error: BaseException, task: Task) -> tuple[ExecutionStatus, str, ExecutionFailure]:
    if isinstance(error, ProgramFailed):
        return ExecutionStatus.ERROR, "program-error", error.failure
    if isinstance(error, TimeoutError | PluginTimeout):
        return ExecutionStatus.TIMEOUT, "timeout", exceeded(task)
    code = error.code if isinstance(error, HotplaneError) else "runner-error"
    kind = code if isinstance(error, HotplaneError) else type(error).__name__
    return ExecutionStatus.ERROR, code, ExecutionFailure(type=kind, message=str(error))
