"""Error frames from exceptions, and exceptions from error frames. Imports only `messages` and the errors."""

from __future__ import annotations

from hotplane.errors import Overloaded, ShuttingDown, TooManyStuckThreads
from hotplane.valkyrie.failures import (
    CallCancelled,
    CallFailed,
    DeadlineExceeded,
    PeerFailed,
    PeerOverloaded,
    PeerShuttingDown,
    ProgramFailed,
    TooLarge,
    UnknownTarget,
)
from hotplane.valkyrie.messages import MAX_TARGET, Error, encode

__all__ = ["error_body", "failure_of"]

_FAILURES: dict[str, type[CallFailed]] = {
    failure.wire: failure
    for failure in (
        CallCancelled,
        DeadlineExceeded,
        PeerFailed,
        PeerOverloaded,
        PeerShuttingDown,
        TooLarge,
        UnknownTarget,
    )
}
_MAX_MESSAGE = 8_000
_MAX_TRACEBACK = 32_000
_SHORT_MESSAGE = 500


def failure_of(error: Error) -> CallFailed:
    """Make the exception that an error frame stands for; an unknown code is a failure of the peer."""
    if error.code == ProgramFailed.wire:
        return ProgramFailed(error.message, type=error.exception or "Exception", traceback=error.traceback)
    failure = _FAILURES.get(error.code, PeerFailed)
    return failure(error.message, executed="maybe" if error.may_have_run else "no")


def error_body(call_id: int, failure: Exception, max_body: int) -> bytes:
    """Make the error frame's body for an exception, shortened where it would not fit into `max_body` bytes."""
    error = _error(call_id, failure)
    body = encode(error)
    if len(body) <= max_body:
        return body
    return encode(Error(call_id, error.code, error.message[:_SHORT_MESSAGE], error.may_have_run, error.exception))


def _error(call_id: int, failure: Exception) -> Error:
    match failure:
        case ProgramFailed():
            return Error(
                call_id,
                failure.wire,
                _text(failure.message, _MAX_MESSAGE),
                may_have_run=True,
                exception=_text(failure.type, MAX_TARGET),
                traceback=None if failure.traceback is None else _text(failure.traceback, _MAX_TRACEBACK),
            )
        case CallFailed():
            message = _text(str(failure), _MAX_MESSAGE)
            return Error(call_id, failure.wire or PeerFailed.wire, message, failure.executed == "maybe")
        case Overloaded() | TooManyStuckThreads():
            return Error(call_id, PeerOverloaded.wire, str(failure), may_have_run=False)
        case ShuttingDown():
            return Error(call_id, PeerShuttingDown.wire, str(failure), may_have_run=False)
        case _:
            kind = type(failure).__name__
            return Error(
                call_id, PeerFailed.wire, f"the server failed with {kind}; its log says why", may_have_run=True
            )


def _text(text: str, limit: int) -> str:
    """Return `text` as UTF-8 can hold it; the end is kept, which is where a traceback says most."""
    return text[-limit:].encode(errors="replace").decode()
