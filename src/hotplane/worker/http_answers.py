"""The HTTP door's answers: `docs/reference/http-worker.md` in code. Imports only `valkyrie`."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from hotplane.valkyrie import (
    CallFailed,
    DeadlineExceeded,
    PeerFailed,
    PeerOverloaded,
    PeerShuttingDown,
    ProgramFailed,
    TooLarge,
    UnknownTarget,
)

__all__ = ["JSON_TYPE", "Refusal", "answer_for", "error_body", "success_body"]

JSON_TYPE = "application/json"
_OVERLOADED_SECONDS = "1"
_SHUTTING_DOWN_SECONDS = "5"

_encode = msgspec.json.Encoder().encode


class Refusal(Exception):
    """A request that is not even begun.

    Args:
        status: The HTTP status.
        type: A stable word for programs.
        message: A sentence for a person.
        headers: What the answer says besides.
    """

    def __init__(self, status: int, type: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        self.status = status
        self.type = type
        self.message = message
        self.headers = dict(headers or {})
        super().__init__(message)


def success_body(output: bytes) -> bytes:
    """Return the body for a program's output, which is JSON already."""
    return b'{"output":%b}' % output


def error_body(type: str, message: str, traceback: str | None = None) -> bytes:
    """Return the body for a failure."""
    error = {"type": type, "message": message}
    return _encode({"error": error if traceback is None else {**error, "traceback": traceback}})


def answer_for(failure: CallFailed) -> tuple[int, bytes, dict[str, str]]:
    """Return status, body and headers for a call that failed.

    Only what certainly did not run is answered as such: a call that was interrupted is a failure of the worker.
    """
    message = str(failure)
    match failure:
        case ProgramFailed():
            return 200, error_body(failure.type, failure.message, failure.traceback), {}
        case UnknownTarget():
            return 404, error_body("unknown-program", message), {}
        case PeerOverloaded():
            return 503, error_body("overloaded", message), {"Retry-After": _OVERLOADED_SECONDS}
        case PeerShuttingDown() if failure.executed == "no":
            return 503, error_body("shutting-down", message), {"Retry-After": _SHUTTING_DOWN_SECONDS}
        case DeadlineExceeded():
            return 504, error_body("deadline-exceeded", message), {}
        case PeerFailed() if failure.executed == "no":
            return 400, error_body("malformed-request", message), {}
        case PeerShuttingDown():
            return 500, error_body("interrupted", "the worker shut down while the program ran"), {}
        case TooLarge():
            return 500, error_body("too-large", message), {}
        case _:
            return 500, error_body("worker-failed", message), {}
