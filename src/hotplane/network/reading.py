"""Reading an answer's body within its limit, packed or not. Imports only this room's failures."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator
from typing import Protocol

from hotplane.network.failures import AnswerLost, AnswerTooLarge

__all__ = ["Arriving", "read_answer", "read_body"]

_GZIP_WINDOW = 31
"""zlib's window bits for a gzip stream."""


class Arriving(Protocol):
    """A body as it comes: the part of aiohttp's `StreamReader` that is used."""

    def is_eof(self) -> bool:
        """Tell whether its end has come."""
        ...

    def read_nowait(self) -> bytes:
        """Return what has come."""
        ...

    def iter_any(self) -> AsyncIterator[bytes]:
        """Yield what comes until its end."""
        ...


async def read_answer(body: Arriving, encoding: str, *, length: int | None, limit: int, origin: str) -> bytes:
    """Read a body to its end, at once where all of it came with the headers; `length` is its Content-Length.

    The rest is as with `read_body`.
    """
    if (length or 0) > limit:
        raise AnswerTooLarge(origin, limit)
    if encoding or not body.is_eof():
        return await read_body(body.iter_any(), encoding, limit=limit, origin=origin)
    read = body.read_nowait()
    if len(read) > limit:
        raise AnswerTooLarge(origin, limit)
    return read


async def read_body(chunks: AsyncIterator[bytes], encoding: str, *, limit: int, origin: str) -> bytes:
    """Read a body to its end, unpacking it as it comes, so that a bomb stops at the limit.

    Args:
        chunks: The body as sent.
        encoding: Its Content-Encoding; empty for none.
        limit: The most bytes that it may have, packed and unpacked.
        origin: Who sent it, for messages.

    Raises:
        AnswerTooLarge: It has more.
        AnswerLost: It is packed in a way that was not asked for, or damaged.
    """
    coding = encoding.strip().lower()
    if coding in {"", "identity"}:
        return await _read_plain(chunks, limit, origin)
    if coding in {"gzip", "x-gzip"}:
        return await _read_gzip(chunks, limit, origin)
    raise AnswerLost(origin, "it is packed in a way that was not asked for")


async def _read_plain(chunks: AsyncIterator[bytes], limit: int, origin: str) -> bytes:
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        if len(body) > limit:
            raise AnswerTooLarge(origin, limit)
    return bytes(body)


async def _read_gzip(chunks: AsyncIterator[bytes], limit: int, origin: str) -> bytes:
    stream = zlib.decompressobj(_GZIP_WINDOW)
    body, received = bytearray(), 0
    async for chunk in chunks:
        received += len(chunk)
        try:
            body += stream.decompress(chunk, limit + 1 - len(body))
        except zlib.error:
            raise AnswerLost(origin, "its gzip stream is damaged") from None
        if len(body) > limit or received > limit:
            raise AnswerTooLarge(origin, limit)
    if not stream.eof or stream.unused_data:
        raise AnswerLost(origin, "its gzip stream is cut off, or something follows it")
    return bytes(body)
