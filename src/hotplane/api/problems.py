"""Problem documents (RFC 9457): what every refusal and failure looks like.

Imports only `errors`, `identity`, `log` and `refusals`.

`type` is the relative reference ``/errors/<code>``, which this server answers with an explanation; it is stable.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from http import HTTPStatus
from math import ceil
from typing import Any

import msgspec
from msgspec import Struct

from hotplane.api.refusals import QueryDoesNotFit, Refused
from hotplane.errors import (
    Conflict,
    HotplaneError,
    Invalid,
    InvalidCursor,
    MissingExtra,
    NotFound,
    PluginError,
    PluginMisconfigured,
    PluginTimeout,
    Problem,
    RetryLater,
    StorageFull,
    Unavailable,
)
from hotplane.identity import new_id
from hotplane.log import get_logger

__all__ = [
    "MEDIA_TYPE",
    "ProblemDetail",
    "ProblemDocument",
    "document_of",
    "headers_of",
    "send_problem",
    "status_of",
    "title_of",
    "unexpected",
]

MEDIA_TYPE = "application/problem+json"

Send = Callable[[Any], Awaitable[None]]

_STATUS: dict[type[HotplaneError], int] = {
    NotFound: 404,
    Conflict: 409,
    Invalid: 422,
    InvalidCursor: 400,
    Unavailable: 503,
    RetryLater: 503,
    StorageFull: 507,
    PluginError: 409,
    PluginTimeout: 504,
    PluginMisconfigured: 422,
    MissingExtra: 501,
    HotplaneError: 500,
}
_RETRY_AFTER_SECONDS = 1.0
"""Advised where an unavailable service does not know better."""
_encode = msgspec.json.Encoder().encode


class ProblemDetail(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that is wrong."""

    detail: str
    pointer: str | None = None
    """JSON Pointer into the request's body, where an output was rejected into the record; empty for the whole of it."""
    parameter: str | None = None
    """The query parameter, where the query is wrong."""
    file: str | None = None
    line: int | None = None


class ProblemDocument(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A problem: what went wrong, where, and how to mend it."""

    type: str
    """Relative reference; stable for one kind of problem."""
    title: str
    status: int
    detail: str
    code: str
    """The last part of `type`, for programs that branch on it."""
    instance: str | None = None
    """The path that was asked for."""
    errors: tuple[ProblemDetail, ...] = ()
    execution_id: str | None = None
    """The execution that this is about, where there is one."""
    error_id: str | None = None
    """Names the entry of the server's log, where it has more to say."""


def status_of(kind: type[HotplaneError]) -> int:
    """Return the HTTP status for a class of errors: that of its nearest ancestor that has one."""
    if issubclass(kind, Refused):
        return kind.status
    return next(_STATUS[base] for base in kind.__mro__ if base in _STATUS)


def title_of(code: str) -> str:
    """Return the title of a kind of problem: its code as words."""
    return code.replace("-", " ").capitalize().replace("json", "JSON")


def document_of(error: HotplaneError, instance: str | None = None, *, below: str = "") -> ProblemDocument:
    """Return the problem document for an error.

    Args:
        error: What was raised.
        instance: The request's path.
        below: JSON Pointer of the part of the body that the error's own pointers begin at.
    """
    return ProblemDocument(
        type=f"/errors/{error.code}",
        title=title_of(error.code),
        status=status_of(type(error)),
        detail=str(error),
        code=error.code,
        instance=instance,
        errors=tuple(_details(error, below)),
        execution_id=getattr(error, "execution_id", None),
    )


def headers_of(error: HotplaneError) -> list[tuple[bytes, bytes]]:
    """Return the headers that the answer to an error has beside its type and length."""
    if isinstance(error, Refused):
        return list(error.headers)
    if status_of(type(error)) == HTTPStatus.SERVICE_UNAVAILABLE:
        seconds = getattr(error, "retry_after", None) or getattr(error, "after", None) or _RETRY_AFTER_SECONDS
        return [(b"retry-after", str(ceil(seconds)).encode())]
    return []


def unexpected(error: BaseException, method: str, instance: str) -> ProblemDocument:
    """Log an error that nobody foresaw, and return a document that tells nothing of it but the log's entry."""
    error_id = new_id()
    get_logger().error("api.unexpected-error", error_id=error_id, method=method, path=instance, exc_info=error)
    return ProblemDocument(
        type="/errors/internal-error",
        title="Internal error",
        status=500,
        detail=f"Something went wrong that should not have. The server's log says more under {error_id}.",
        code="internal-error",
        instance=instance,
        error_id=error_id,
    )


async def send_problem(
    send: Send, problem: ProblemDocument, headers: Sequence[tuple[bytes, bytes]] = (), *, head: bool = False
) -> None:
    """Answer an ASGI request with a problem document; without its body where the request was HEAD."""
    body = _encode(problem)
    fields = [
        (b"content-type", MEDIA_TYPE.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        *headers,
    ]
    await send({"type": "http.response.start", "status": problem.status, "headers": fields})
    await send({"type": "http.response.body", "body": b"" if head else body})


def _details(error: HotplaneError, below: str) -> Iterable[ProblemDetail]:
    if isinstance(error, QueryDoesNotFit):
        for parameter, reason in error.parameters:
            yield ProblemDetail(detail=reason, parameter=parameter)
        return
    problems: Sequence[Problem] = getattr(error, "problems", ())
    for each in problems:
        yield ProblemDetail(detail=each.message, pointer=below + each.pointer, file=each.file, line=each.line)
