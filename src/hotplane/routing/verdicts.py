"""What a failed attempt means: for the execution, for the breaker, and for the next runner.

Imports only `errors`, `plugins` and `records`.
"""

from __future__ import annotations

from enum import Enum

from msgspec import Struct

from hotplane.errors import (
    HotplaneError,
    Overloaded,
    PluginTimeout,
    ProgramNotAllowed,
    ProgramNotImportable,
    Unavailable,
)
from hotplane.plugins import NotExecuted, ProgramFailed, ProgramOverran, TransportFailed
from hotplane.records import ExecutionFailure

__all__ = ["MAX_MESSAGE", "TIMEOUT", "Blame", "Executed", "Verdict", "judge"]

MAX_MESSAGE = 2_000
"""Characters of an error's message that are recorded."""
TIMEOUT = "timeout"
"""The outcome of an attempt that overran its time."""


class Executed(Enum):
    """Whether the program ran."""

    NO = "no"
    MAYBE = "maybe"
    YES = "yes"


class Blame(Enum):
    """What the runner's breaker hears."""

    FAILURE = "failure"
    SUCCESS = "success"
    NOTHING = "nothing"


class Verdict(Struct, frozen=True):
    """One failed attempt, judged."""

    outcome: str
    """The word in the attempt's record."""
    failure: ExecutionFailure
    executed: Executed
    blame: Blame
    retry_after: float | None = None
    """Seconds after which another try makes sense, where the runner said so."""


def judge(error: BaseException) -> Verdict:
    """Say what an exception out of a runner means; see `Runner.run` for the contract."""
    match error:
        case ProgramFailed():
            return Verdict("program-error", error.failure, Executed.YES, Blame.SUCCESS)
        case ProgramOverran():
            return _verdict(error, TIMEOUT, Executed.MAYBE, Blame.SUCCESS)
        case TimeoutError() | PluginTimeout():
            return _verdict(error, TIMEOUT, Executed.MAYBE, Blame.FAILURE)
        case NotExecuted():
            blame = Blame.FAILURE if error.counts else Blame.NOTHING
            return _verdict(error, error.code, Executed.NO, blame, error.retry_after)
        case Overloaded():
            # Shedding load is no outage: a breaker that opened on it would turn a short burst away for seconds.
            return _verdict(error, error.code, Executed.NO, Blame.NOTHING, error.retry_after)
        case Unavailable():
            return _verdict(error, error.code, Executed.NO, Blame.FAILURE, error.retry_after)
        case ProgramNotAllowed() | ProgramNotImportable():
            return _verdict(error, error.code, Executed.NO, Blame.NOTHING)
        case TransportFailed():
            return _verdict(error, error.code, Executed.MAYBE, Blame.FAILURE)
        case HotplaneError():
            return _verdict(error, error.code, Executed.MAYBE, Blame.FAILURE)
        case _:
            kind = type(error).__name__
            failure = ExecutionFailure(type=kind, message=_text(error))
            return Verdict("runner-error", failure, Executed.MAYBE, Blame.FAILURE)


def _verdict(
    error: BaseException, code: str, executed: Executed, blame: Blame, retry_after: float | None = None
) -> Verdict:
    return Verdict(code, ExecutionFailure(type=code, message=_text(error)), executed, blame, retry_after)


def _text(error: BaseException) -> str:
    """Return the message, as UTF-8 can hold it."""
    try:
        text = str(error)
    except Exception as broken:
        # `__str__` is a plugin's code too.
        text = f"(its message cannot be shown: {type(broken).__name__})"
    return text[:MAX_MESSAGE].encode(errors="backslashreplace").decode()[:MAX_MESSAGE]
