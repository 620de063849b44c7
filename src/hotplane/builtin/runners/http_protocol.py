"""The HTTP worker's protocol: what is sent, and what an answer means. docs/reference/http-worker.md is its text.

Imports only `network`, `plugins`, `programs`, `records` and `values`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import isfinite

import msgspec
from msgspec import UNSET, Struct, UnsetType

from hotplane.network import Answer
from hotplane.plugins import Call, NotExecuted, ProgramFailed, ProgramOverran, TransportFailed
from hotplane.programs.failures import MAX_MESSAGE, MAX_TRACEBACK, storable
from hotplane.records import ExecutionFailure, Task
from hotplane.values import Json

__all__ = ["MaybeRefused", "encode_request", "read_answer", "takes_gzip"]

_MAX_TYPE = 200
_REFUSALS = frozenset({400, 401, 403, 405, 411, 414, 415, 431})
"""A server that answers one of these has not begun: it does not accept the request as such."""
_REDIRECTS_UNCHANGED = frozenset({307, 308})
"""The request is to be repeated elsewhere (RFC 9110); other redirects may follow upon work that was done."""


class MaybeRefused(TransportFailed):
    """Somebody between, perhaps, refused the request: 503 without the worker's own word that nothing was executed."""

    def __init__(self, reason: str, *, code: str, retry_after: float | None) -> None:
        self.retry_after = retry_after
        super().__init__(reason, code=code)


class _Request(Struct, omit_defaults=True):
    program: str
    input: Json
    deadline_ms: int
    task: str
    execution: str | None = None


class _Error(Struct):
    type: str
    message: str = ""
    traceback: str | None = None


class _Reply(Struct):
    output: Json | UnsetType = UNSET
    error: _Error | UnsetType = UNSET


_encoder = msgspec.json.Encoder()
_replies = msgspec.json.Decoder(_Reply)


def encode_request(task: Task, input: Json, seconds: float, call: Call | None) -> bytes:
    """Return the body of a request.

    Args:
        task: What to run.
        input: Its input.
        seconds: What is left of its deadline.
        call: Which execution it is.
    """
    execution = None if call is None else call.execution_id
    return _encoder.encode(_Request(task.program, input, max(1, int(seconds * 1e3)), task.id, execution))


def takes_gzip(answer: Answer) -> bool:
    """Tell whether the server says that it takes requests packed with gzip (RFC 9110, section 12.5.3)."""
    codings = (part.partition(";")[0].strip().lower() for part in answer.headers.get("accept-encoding", "").split(","))
    return "gzip" in codings


def read_answer(answer: Answer) -> Json:
    """Return the program's output.

    Raises:
        ProgramFailed: The program raised.
        ProgramOverran: The worker stopped it at its deadline.
        NotExecuted: The worker did not start it.
        TransportFailed: It may have run.
    """
    reply = _decode(answer.body)
    if answer.status == 200:
        return _result(reply)
    error = reply.error if reply is not None and reply.error is not UNSET else None
    raise _failure(answer, error)


def _decode(body: bytes) -> _Reply | None:
    try:
        return _replies.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _result(reply: _Reply | None) -> Json:
    output, error = (UNSET, UNSET) if reply is None else (reply.output, reply.error)
    if error is UNSET and output is not UNSET:
        return output
    if error is UNSET or output is not UNSET:
        raise TransportFailed("The worker's answer is not one of the protocol.", code="malformed-answer")
    raise ProgramFailed(
        ExecutionFailure(
            type=storable(error.type, _MAX_TYPE),
            message=storable(error.message, MAX_MESSAGE),
            traceback=None if error.traceback is None else storable(error.traceback, MAX_TRACEBACK),
        )
    )


def _failure(answer: Answer, error: _Error | None) -> Exception:
    """Return what an answer other than 200 means; without the worker's own word, the careful reading."""
    status, word = answer.status, "" if error is None else error.type
    reason = _reason(status, error)
    match status, word:
        case 404, "unknown-program":
            return NotExecuted(reason, code="unknown-program", counts=False)
        case 413, _:
            return NotExecuted(reason, code="http-413", counts=False)
        case (429, _) | (503, "overloaded"):
            # Shedding load is no outage; the same holds for the host's own `Overloaded`.
            return NotExecuted(reason, code="overloaded", retry_after=_retry_after(answer), counts=False)
        case 503, "shutting-down":
            return NotExecuted(reason, code="shutting-down", retry_after=_retry_after(answer))
        case 503, _:
            return MaybeRefused(reason, code="http-503", retry_after=_retry_after(answer))
        case 504, "deadline-exceeded":
            return ProgramOverran(reason)
        case _:
            certain = status == 404 or status in _REFUSALS or status in _REDIRECTS_UNCHANGED
            failure = NotExecuted if certain else TransportFailed
            return failure(reason, code=f"http-{status}")


def _reason(status: int, error: _Error | None) -> str:
    if 300 <= status < 400:
        return f"The worker redirects ({status}), which is not followed."
    if status in {401, 403}:
        return f"The worker refuses the credentials ({status})."
    said = f": {storable(error.message, MAX_MESSAGE)}" if error is not None and error.message else "."
    return f"The worker answered {status}{said}"


def _retry_after(answer: Answer) -> float | None:
    """Return the seconds of a Retry-After header, which holds a number or a date (RFC 9110, section 10.2.3)."""
    text = answer.headers.get("retry-after", "").strip()
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = _seconds_until(text)
    return max(0.0, seconds) if seconds is not None and isfinite(seconds) else None


def _seconds_until(date: str) -> float | None:
    try:
        instant = parsedate_to_datetime(date)
    except ValueError:
        return None
    return (instant.replace(tzinfo=instant.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
