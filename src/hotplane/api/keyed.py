"""A request with a key on its way through the application: its body is hashed, its answer kept.

Imports only `bodies` and `refusals`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from hashlib import blake2b
from typing import Any

from msgspec import Struct

from hotplane.api.bodies import ClientGone, Receive
from hotplane.api.refusals import BodyTooLarge

__all__ = ["MAX_KEPT_BYTES", "OUTCOME_ID", "Answer", "HashedBody", "KeptAnswer", "digest", "outcome_id_of"]

Scope = Any
Send = Callable[[Any], Awaitable[None]]

OUTCOME_ID = "hotplane.outcome_id"
"""Where the ASGI scope has the id that what the request makes must get; absent without a key."""
MAX_KEPT_BYTES = 2**20
"""Size of the largest body of an answer that is kept."""

_KEPT_HEADERS = frozenset({b"content-type", b"location", b"preference-applied", b"cache-control"})


def outcome_id_of(scope: Scope) -> str | None:
    """Return the id that a batch must get, because it was promised to an idempotency key; mostly None."""
    return scope.get(OUTCOME_ID)


def digest(parts: Iterable[bytes]) -> Any:
    """Return a BLAKE2b hash that has taken in these parts, so that no two sequences of parts give the same."""
    hashed = blake2b(digest_size=32)
    for part in parts:
        hashed.update(len(part).to_bytes(8))
        hashed.update(part)
    return hashed


class Answer(Struct, frozen=True, kw_only=True):
    """A whole answer, or its beginning."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    """Those that are kept."""
    body: bytes | None
    """None where it is too large, or came in parts."""


class HashedBody:
    """The body of a request, hashed as it is received.

    Args:
        receive: The request.
        parts: What else belongs to the fingerprint.
    """

    def __init__(self, receive: Receive, parts: Iterable[bytes]) -> None:
        self._receive = receive
        self._hash = digest(parts)
        self._ahead: bytes | None = None
        self.whole = False
        """Whether all of it was received."""
        self.gone = False
        """Whether the client left before that."""
        self.on_end: Callable[[], None] | None = None
        """Called when there will be no more of it."""

    @property
    def fingerprint(self) -> str | None:
        """The hash of the request; None as long as it is not whole."""
        return self._hash.hexdigest() if self.whole else None

    @property
    def content(self) -> bytes:
        """What was read ahead."""
        return self._ahead or b""

    async def read_ahead(self, limit: int) -> None:
        """Read until the end, or until there is more than `limit` bytes.

        Raises:
            ClientGone: The connection ended before the body did.
        """
        parts: list[bytes] = []
        size = 0
        while size <= limit and not self.whole:
            message = await self._next()
            if self.gone:
                raise ClientGone
            parts.append(message.get("body", b""))
            size += len(parts[-1])
        self._ahead = b"".join(parts)

    async def drop(self, limit: int, setting: str) -> None:
        """Read and forget the rest; raises ClientGone, and BodyTooLarge above `limit` bytes, which `setting` sets."""
        size = len(self.content)
        while not self.whole:
            size += len((await self._next()).get("body", b""))
            if self.gone:
                raise ClientGone
            if size > limit:
                raise BodyTooLarge(limit, setting)

    async def receive(self) -> Any:
        """Return the next message of the request: first what was read ahead, all of it again."""
        if self._ahead is not None:
            ahead, self._ahead = self._ahead, None
            return {"type": "http.request", "body": ahead, "more_body": not self.whole}
        return await (self._receive() if self.whole or self.gone else self._next())

    async def _next(self) -> Any:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self.gone = True
        else:
            self._hash.update(message.get("body", b""))
            self.whole = not message.get("more_body", False)
        if (self.whole or self.gone) and self.on_end is not None:
            self.on_end()
        return message


class KeptAnswer:
    """Passes an answer on, and shows it to others: its beginning when it comes in parts, and the whole before its end.

    Args:
        send: Where it goes.
        on_begin: Told of an answer in parts when it begins.
        on_whole: Told of the whole answer before its last part is sent.
    """

    def __init__(
        self, send: Send, on_begin: Callable[[Answer], None], on_whole: Callable[[Answer], Awaitable[None]]
    ) -> None:
        self._send = send
        self._on_begin = on_begin
        self._on_whole = on_whole
        self._start: Any = None
        self._begun = False
        self.ended = False
        """Whether all of it was given."""

    async def send(self, message: Any) -> None:
        """Take a message of the answer."""
        if message["type"] == "http.response.start":
            self._start = message
            return
        if message["type"] == "http.response.body":
            await self._body(message)
        await self._send(message)

    async def _body(self, message: Any) -> None:
        more = message.get("more_body", False)
        if not more:
            self.ended = True
            body = None if self._begun else message.get("body", b"")
            await self._on_whole(self._answer(body if body is None or len(body) <= MAX_KEPT_BYTES else None))
        elif not self._begun:
            self._on_begin(self._answer(None))
        if not self._begun:
            self._begun = True
            await self._send(self._start)

    def _answer(self, body: bytes | None) -> Answer:
        headers = tuple((name, value) for name, value in self._start["headers"] if name.lower() in _KEPT_HEADERS)
        return Answer(status=self._start["status"], headers=headers, body=body)
