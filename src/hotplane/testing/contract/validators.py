"""What validators promise. Imports `records`, `plugins` and this room."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, cast

import msgspec

from hotplane.plugins import Plugin
from hotplane.records import Execution, ExecutionFailure, ExecutionStatus, ValidationResult
from hotplane.testing.broken import ContractBroken, require
from hotplane.testing.contract.subject import Arguments, Subject
from hotplane.testing.specimens import a_validation_context, an_execution

__all__ = ["VALIDATOR", "executions", "validator_calls"]

_FAILURE = ExecutionFailure(type="ValueError", message="no")
_WHEN = datetime(2026, 1, 1, 12, tzinfo=UTC)


def executions(subject: Subject) -> Sequence[Execution]:
    """Return what a plugin is asked about: the author's executions, then some of every shape."""
    return (
        *subject.executions,
        an_execution(input={"text": "hello"}, output={"text": "HELLO", "score": 0.5}, started_at=_WHEN),
        an_execution(input="hello", output="HELLO", expected="HELLO"),
        an_execution(input="hello", output="hello", expected="HELLO"),
        an_execution(input=[1, 2], output=[1, {"two": None}], latency_ms=250.0),
        an_execution(input=1, output=-1.5),
        an_execution(),
        an_execution(status=ExecutionStatus.ERROR, error=_FAILURE, input={"text": "x"}),
        an_execution(status=ExecutionStatus.TIMEOUT, error=_FAILURE, latency_ms=30_000.0),
    )


def validator_calls(subject: Subject, plugin: Plugin[Any]) -> Sequence[Arguments]:
    """Return what `validate` is called with."""
    return [(each, a_validation_context(plugin, each)) for each in executions(subject)]


async def _verdicts(subject: Subject) -> None:
    """It answers with a verdict; to raise is to say nothing, and to say nothing to everything is of no use."""
    errors: list[str] = []
    async with subject.started() as plugin:
        for execution, context in validator_calls(subject, plugin):
            found = await _asked(subject, plugin, execution, context)
            if isinstance(found, Exception):
                errors.append(f"{type(found).__name__}: {found}")
                continue
            require(isinstance(found, ValidationResult), f"`validate` returns {type(found).__name__}, not a verdict")
            _encodable(found)
    require(
        len(errors) < len(executions(subject)),
        f"it raises on every execution ({'; '.join(errors[:1])}); return `valid=None` where there is nothing to judge,"
        " or give the contract executions that it can judge",
    )


def _encodable(found: object) -> None:
    try:
        msgspec.json.decode(msgspec.json.encode(found), type=ValidationResult)
    except Exception as error:
        raise ContractBroken(f"its verdict cannot be stored: {error}") from error


async def _deterministic(subject: Subject) -> None:
    """Equal executions get equal verdicts, from the same instance and from another one."""
    async with subject.started() as one, subject.started() as other:
        for execution, context in validator_calls(subject, one):
            first = await _asked(subject, one, execution, context)
            for asked in (one, other):
                again = await _asked(subject, asked, execution, a_validation_context(asked, cast("Any", execution)))
                require(
                    _core(first) == _core(again), f"it says {first!r:.200} and then {again!r:.200} of one execution"
                )


async def _keeps_hands_off(subject: Subject) -> None:
    """It does not change what it judges."""
    async with subject.started() as plugin:
        for execution, context in validator_calls(subject, plugin):
            before = msgspec.json.encode(execution)
            await _asked(subject, plugin, execution, context)
            require(msgspec.json.encode(execution) == before, "it changes the execution that it judges")


async def _closed(subject: Subject) -> None:
    """An execution that it could not read is never valid: errors are let through, not taken for consent."""
    async with subject.started() as plugin:
        for execution in executions(subject):
            unreadable = _Unreadable(execution)
            found = await _asked(subject, plugin, unreadable, a_validation_context(plugin, execution))
            valid = isinstance(found, ValidationResult) and found.valid is True
            require(
                not (valid and unreadable.tried),
                "reading the execution failed, and it said `valid=True`; let the exception through",
            )


async def _asked(subject: Subject, plugin: Plugin[Any], execution: object, context: object) -> object:
    try:
        return await subject.call(plugin, execution, context)
    except ContractBroken:
        raise
    except Exception as error:
        return error


def _core(found: object) -> object:
    """Return what of an answer has to be the same every time: not its wording in `metadata`."""
    if isinstance(found, ValidationResult):
        return found.valid, found.applies, found.errors, found.output, found.confidence
    return type(found)


class _Unreadable:
    """Stands for an execution; reading its input or output fails."""

    def __init__(self, execution: Execution) -> None:
        self._execution = execution
        self.tried = False

    def __getattribute__(self, name: str) -> Any:
        if name == "__class__":
            return Execution
        return super().__getattribute__(name)

    def __getattr__(self, name: str) -> Any:
        if name in {"input", "output"}:
            self.tried = True
            raise RuntimeError("the contract lets this fail")
        return getattr(self._execution, name)


VALIDATOR = {
    "answers with verdicts": _verdicts,
    "equal executions get equal verdicts": _deterministic,
    "does not change what it judges": _keeps_hands_off,
    "is never valid by accident": _closed,
}
"""By name."""
