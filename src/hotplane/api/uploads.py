"""Bodies that may be large or never end: where they are accepted, in which type, and how large they may be.

Imports only `execution`'s settings and `door`'s neighbours; knows nothing of what the bodies hold.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any

from msgspec import Struct

from hotplane.api.exchange import CONNECTION
from hotplane.errors import Overloaded
from hotplane.execution.batch import BatchSettings

__all__ = [
    "EXECUTE_BATCH",
    "EXECUTE_STREAM",
    "JSON",
    "NDJSON",
    "VALIDATE_BATCH",
    "BodyLimit",
    "Documents",
    "Upload",
    "is_ndjson",
    "upload_limits",
]

Scope = Any
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]

JSON = "application/json"
NDJSON = "application/x-ndjson"
NDJSON_TYPES = (NDJSON, "application/ndjson", "application/jsonl")
"""The media types of lines that are accepted: none of them is registered, and tools send each."""

EXECUTE_BATCH = "/api/batch/execute"
VALIDATE_BATCH = "/api/batch/validate"
EXECUTE_STREAM = "/api/stream/execute"

_CLOSE = (b"connection", b"close")


class BodyLimit(Struct, frozen=True):
    """How large a body may be."""

    size: int
    """In bytes."""
    setting: str
    """The name of the setting, for those who need more."""


def upload_limits(settings: BatchSettings) -> Mapping[str, Mapping[str, BodyLimit]]:
    """Return the limits by path and media type; every other path takes JSON up to `server.max_body_bytes`."""
    document = BodyLimit(settings.max_json_bytes, "batches.max_json_bytes")
    lines = BodyLimit(settings.max_bytes, "batches.max_bytes")
    return {
        EXECUTE_BATCH: {JSON: document, **dict.fromkeys(NDJSON_TYPES, lines)},
        VALIDATE_BATCH: {JSON: document},
        EXECUTE_STREAM: dict.fromkeys(NDJSON_TYPES, lines),
    }


def is_ndjson(media_type: str) -> bool:
    """Tell whether the header Content-Type says that a body is lines."""
    return media_type.partition(";")[0].strip().lower() in NDJSON_TYPES


class Documents:
    """The large JSON documents that are held in memory; lines need no such limit, as they are not held.

    Args:
        limit: How many may be held at once.
        small: Size in bytes up to which nobody counts.
    """

    def __init__(self, limit: int, small: int) -> None:
        self._limit = limit
        self._small = small
        self._held = 0

    @contextmanager
    def hold(self, length: str | None) -> Generator[None]:
        """Count a document while a block runs.

        Args:
            length: The header Content-Length; where it is missing, it may be large.

        Raises:
            Overloaded: There are too many.
        """
        counts = length is None or int(length) > self._small
        if counts and self._held >= self._limit:
            raise Overloaded("The memory for JSON documents", self._limit, "batches.max_json_uploads")
        self._held += counts
        try:
            yield
        finally:
            self._held -= counts


class Upload:
    """One request with such a body: the connection waits as long as it keeps coming.

    An answer that begins before the body has ended says that the connection will be closed: what the client still
    sends would else have to be read to its end before the next request.

    Args:
        scope: The request.
        receive: Gives its body.
        send: Takes its answer.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._whole = False
        connection = scope.get("extensions", {}).get(CONNECTION)
        if connection is not None:
            connection.expect_upload(scope)

    async def receive(self) -> Any:
        """Return the next message of the request."""
        message = await self._receive()
        if message["type"] == "http.request" and not message.get("more_body", False):
            self._whole = True
        return message

    async def send(self, message: Any) -> None:
        """Send a message of the answer."""
        if message["type"] == "http.response.start" and not self._whole:
            message = {**message, "headers": [*message.get("headers", ()), _CLOSE]}
        await self._send(message)
