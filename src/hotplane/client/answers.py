"""How answers are read: values, or the error that a problem document tells of. Imports only `errors` and `values`."""

from __future__ import annotations

import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar, cast

import msgspec

from hotplane.client.failures import ApiError, NotHotplane, api_error_class
from hotplane.client.results import Batch
from hotplane.errors import Problem
from hotplane.values import Json, pointer

__all__ = ["converted", "decoded", "ended_operation", "error_of", "problem_of", "read", "submitted"]

T = TypeVar("T")

_PROBLEM = "application/problem+json"


def read(address: str, status: int, headers: Mapping[str, str], body: bytes, shape: type[T]) -> T:
    """Return what an answer holds.

    Args:
        address: The server's, for errors.
        status: The HTTP status.
        headers: By lower-case name.
        body: All of it.
        shape: What a successful answer holds; ``None`` for nothing.

    Raises:
        ApiError: The server says that it did not do it.
        NotHotplane: The answer is none of ours.
    """
    if not 200 <= status < 300:
        raise error_of(address, status, headers, body)
    if shape is type(None):
        return cast("T", None)
    return decoded(address, body, shape)


def decoded(address: str, data: bytes | str, shape: type[T]) -> T:
    """Return a JSON value of the server.

    Raises:
        NotHotplane: It is not JSON, or has another shape.
    """
    try:
        return msgspec.json.decode(data, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise NotHotplane(address, f"an answer cannot be read ({error})") from None


def converted(address: str, found: Json, shape: type[T]) -> T:
    """Return a decoded JSON value as what it is.

    Raises:
        NotHotplane: It has another shape.
    """
    try:
        return msgspec.convert(found, type=shape)
    except msgspec.ValidationError as error:
        raise NotHotplane(address, f"an answer cannot be read ({error})") from None


def submitted(address: str, found: Mapping[str, Json]) -> Batch:
    """Return the batch that an upload has made: the answer itself, or beside the results in it."""
    return converted(address, found.get("batch", found), Batch)


def ended_operation(address: str, operation: Mapping[str, Json], shape: type[T]) -> T:
    """Return the result of an operation that has ended.

    Raises:
        ApiError: It failed.
    """
    problem = operation.get("problem")
    if isinstance(problem, Mapping):
        raise problem_of(address, msgspec.json.encode(problem))
    return converted(address, operation.get("result"), shape)


def problem_of(address: str, document: bytes | str) -> ApiError | NotHotplane:
    """Return the error of a problem document that came within a successful answer."""
    data = document.encode() if isinstance(document, str) else document
    status = _problem_document({"content-type": _PROBLEM}, data) or {}
    return error_of(address, int(status.get("status", 500)), {"content-type": _PROBLEM}, data)


def error_of(address: str, status: int, headers: Mapping[str, str], body: bytes) -> ApiError | NotHotplane:
    """Return the error that an unsuccessful answer means."""
    found = _problem_document(headers, body)
    kind = api_error_class(status)
    retry_after = _seconds(headers.get("retry-after"))
    if found is not None:
        return kind(
            str(found.get("title", "The server refused")),
            str(found.get("detail", "")),
            status=status,
            code=str(found.get("code", "")),
            problems=_problems(found.get("errors")),
            execution_id=_text(found.get("execution_id")),
            error_id=_text(found.get("error_id")),
            retry_after=retry_after,
        )
    if status in {429, 502, 503, 504}:  # a proxy in front of the server has no problem documents
        return kind(
            "The server is not available", f"{address} answered {status}.", status=status, retry_after=retry_after
        )
    return NotHotplane(address, f"it answered with status {status} and {headers.get('content-type', 'no type')}")


def _problem_document(headers: Mapping[str, str], body: bytes) -> Mapping[str, Any] | None:
    if not headers.get("content-type", "").startswith(_PROBLEM):
        return None
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _problems(found: object) -> tuple[Problem, ...]:
    each = cast("list[object]", found) if isinstance(found, list) else []
    return tuple(_problem(cast("Mapping[str, object]", one)) for one in each if isinstance(one, Mapping))


def _problem(detail: Mapping[str, object]) -> Problem:
    line = detail.get("line")
    parameter = pointer(str(detail["parameter"])) if "parameter" in detail else ""
    return Problem(
        message=str(detail.get("detail", "")),
        pointer=str(detail.get("pointer") or parameter),
        file=_text(detail.get("file")),
        line=line if isinstance(line, int) else None,
    )


def _text(value: object) -> str | None:
    return str(value) if value else None


def _seconds(value: str | None) -> float | None:
    """Return what Retry-After says (RFC 9110, 10.2.3: seconds or a date); null where it says nothing usable."""
    if value is None:
        return None
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None
