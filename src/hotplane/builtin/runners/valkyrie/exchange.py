"""A task's input as a call's payload, a result's payload as an output, and what a failed call means to the host.

Imports only `errors`, `plugins`, `programs`, `records`, `valkyrie` and `values`.
"""

from __future__ import annotations

import msgspec

from hotplane.errors import NotJson
from hotplane.plugins import NotExecuted, ProgramFailed, TransportFailed
from hotplane.programs.failures import MAX_MESSAGE, MAX_TRACEBACK, storable
from hotplane.records import ExecutionFailure
from hotplane.valkyrie import (
    CallFailed,
    ConnectionLost,
    PeerOverloaded,
    PeerShuttingDown,
    TooLarge,
    UnknownTarget,
    ValkyrieError,
)
from hotplane.valkyrie import DeadlineExceeded as CallOverran
from hotplane.valkyrie import ProgramFailed as RemoteProgramFailed
from hotplane.values import Json, checked_copy

__all__ = ["METHOD", "decode_output", "encode_input", "translate", "worth_another_try"]

METHOD = "run"
"""What workers do with a program; the call's target is the program's name."""

_MAX_TYPE = 200
_WORDS: dict[type[ValkyrieError], str] = {
    UnknownTarget: "unknown-program",
    PeerOverloaded: "overloaded",
    PeerShuttingDown: "shutting-down",
    ConnectionLost: "connection-lost",
    TooLarge: "too-large",
}
_NO_FAULT = (UnknownTarget, PeerOverloaded, TooLarge, CallOverran)
"""Not executed, but the worker works: shedding load is no outage, and the others are this call's matter alone."""
_OVERLOAD_RETRY_SECONDS = 1.0
"""As with the host's own `Overloaded`."""


def encode_input(input: Json) -> bytes:
    """Return an input, checked before, as JSON."""
    return msgspec.json.encode(input)


def decode_output(payload: bytes) -> Json:
    """Return a result's output in plain JSON types.

    Raises:
        TransportFailed: It is not JSON at all: the worker is broken.
        ProgramFailed: It is JSON that the data model refuses, such as an integer of 70 bits.
    """
    try:
        value = msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise TransportFailed("The worker's answer is not JSON.", code="malformed-answer") from None
    try:
        return checked_copy(value)
    except NotJson as error:
        message = f"The output is not a JSON value: {error.reason} (at {error.pointer})."
    raise ProgramFailed(ExecutionFailure(type="not-json", message=storable(message, MAX_MESSAGE)))


def worth_another_try(error: ValkyrieError) -> bool:
    """Tell whether another worker may take the call: it certainly did not run, and it is not to blame itself."""
    return error.executed == "no" and not isinstance(error, TooLarge | CallOverran)


def translate(error: ValkyrieError) -> Exception:
    """Return what the runner raises for a failed call; overrun ones are the runner's own matter.

    A result that does not fit into a frame is the program's failure: it says nothing of the worker, and a breaker
    must not open for all tasks because the outputs of one are too large.
    """
    if isinstance(error, RemoteProgramFailed):
        return ProgramFailed(_program_failure(error))
    code, reason = _WORDS.get(type(error), error.code), storable(str(error), MAX_MESSAGE)
    if error.executed == "no":
        counts = not isinstance(error, _NO_FAULT)
        retry_after = _OVERLOAD_RETRY_SECONDS if isinstance(error, PeerOverloaded) else None
        return NotExecuted(reason, code=code, retry_after=retry_after, counts=counts)
    if isinstance(error, TooLarge):
        return ProgramFailed(ExecutionFailure(type=code, message=reason))
    reason = f"The worker failed: {reason}" if isinstance(error, CallFailed) else reason
    return TransportFailed(reason, code=code)


def _program_failure(error: RemoteProgramFailed) -> ExecutionFailure:
    traceback = None if error.traceback is None else storable(error.traceback, MAX_TRACEBACK)
    return ExecutionFailure(
        type=storable(error.type, _MAX_TYPE), message=storable(error.message, MAX_MESSAGE), traceback=traceback
    )
