"""What runners promise, and kinds of the author's own. Imports `plugins`, `routing` and this room."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, cast

from hotplane.plugins import Plugin, ProgramFailed, Runner, kind_of
from hotplane.routing.verdicts import judge
from hotplane.testing.broken import require
from hotplane.testing.contract.checks import NotChecked
from hotplane.testing.contract.subject import Arguments, Subject
from hotplane.testing.runner_contract import RUNNER_CONTRACT, RunnerPromise, contract_task

__all__ = ["CUSTOM", "RUNNER", "custom_calls", "runner_calls"]

_SECONDS = 2.0


def runner_calls(subject: Subject, plugin: Plugin[Any]) -> Sequence[Arguments]:
    """Return what `run` is called with."""
    del subject, plugin
    return [(contract_task("echo"), value, _SECONDS) for value in (None, {"text": "hello"})]


def custom_calls(subject: Subject, plugin: Plugin[Any]) -> Sequence[Arguments]:
    """Return what the author gave."""
    del plugin
    return subject.calls


async def _typed(subject: Subject) -> None:
    """It runs a program, or says by the type of an exception why not."""
    async with subject.started() as plugin:
        outcome, _ = await _tried(subject, plugin)
    require(
        outcome != "runner-error", "where it cannot run a program it raises neither NotExecuted nor TransportFailed"
    )


async def _tried(subject: Subject, plugin: Plugin[Any]) -> tuple[str, str]:
    try:
        await subject.call(plugin, *runner_calls(subject, plugin)[0])
    except ProgramFailed as error:
        return "program-error", error.failure.message
    except Exception as error:
        return judge(error).outcome, str(error)
    return "", ""


async def _promise(subject: Subject, *, promise: RunnerPromise) -> None:
    async with subject.started() as plugin:
        outcome, reason = await _tried(subject, plugin)
        if outcome:
            raise NotChecked(f"it has nothing to run programs on ({outcome}: {reason})")
        await promise(cast("Runner[Any]", plugin))


async def _called(subject: Subject) -> None:
    """Its method can be called as a host calls it."""
    if not subject.calls:
        raise NotChecked(f"give the arguments of `{kind_of(subject.cls).method}` as `calls`")
    async with subject.started() as plugin:
        for arguments in subject.calls:
            await subject.call(plugin, *arguments)


_FIRST: dict[str, Callable[[Subject], Awaitable[None]]] = {"failures have a type": _typed}
RUNNER = _FIRST | {name: partial(_promise, promise=promise) for name, promise in RUNNER_CONTRACT.items()}
"""By name."""
CUSTOM = {"its method can be called": _called}
"""By name."""
