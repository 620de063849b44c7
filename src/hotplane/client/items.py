"""What a program sends: items, and how they become a request's body. Imports only `values` and `failures`.

An upload is encoded item by item while it is sent; the client never holds it whole.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, TypeAlias

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from hotplane.client.failures import ClientError, ConnectionLost
from hotplane.values import Json, checked_copy

__all__ = ["AsyncItems", "Item", "Items", "SyncUpload", "Upload", "encoded"]

_CHUNK = 64 * 1024
_encode = msgspec.json.Encoder().encode


class Item(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One item of a batch or stream, where more is to be said than its input."""

    input: Json
    id: str | None = None
    """Names it in the results, unique within its batch; its 1-based position by default."""
    expected: Json | UnsetType = UNSET
    """What the output should be, where that is known."""
    timeout_ms: int | None = None
    correlation_id: str | None = None
    """Comes back with the result as it is."""
    sample: bool = False
    """Whether it is sampled, and so judged, whatever the samplers say."""


Items: TypeAlias = Iterable[Json | Item | Raw] | Path
"""Inputs, `Item`s, and lines that are encoded already (`msgspec.Raw`); or a file of lines, sent as it is."""
AsyncItems: TypeAlias = Items | AsyncIterable[Json | Item | Raw]


def encoded(item: Json | Item | Raw) -> bytes:
    """Return an item as a line of NDJSON, its end included; what is no `Item`, and not encoded already, is an input.

    Raises:
        NotJson: It holds something that is no JSON value, such as NaN.
    """
    if isinstance(item, Raw):
        return bytes(item).replace(b"\n", b" ") + b"\n"
    if not isinstance(item, Item):
        return b'{"input":%b}\n' % _encode(checked_copy(item))
    checked_copy(item.input)
    if item.expected is not UNSET:
        checked_copy(item.expected)
    return _encode(item) + b"\n"


class Upload:
    """The body of a request with items, and how much of it has been taken.

    Args:
        items: The items.
        chunk: Bytes to gather before they are sent; 1 sends every item when it comes.
    """

    def __init__(self, items: AsyncItems, *, chunk: int = _CHUNK) -> None:
        if isinstance(items, str | bytes):
            raise TypeError("A text is not a collection of items. For a file give a pathlib.Path.")
        self._items = items
        self._chunk = chunk
        self._begun = False

    def repeatable_after(self, error: ClientError) -> bool:
        """Whether it can be sent again from its beginning.

        It cannot when the connection was lost on the way: the server runs what has arrived.
        """
        if not self._begun:
            return True
        return isinstance(self._items, Path | Collection) and not isinstance(error, ConnectionLost)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        self._begun = True
        if isinstance(self._items, AsyncIterable):
            async for item in self._items:
                yield encoded(item)
        elif isinstance(self._items, Path):
            async for part in self._read_off_the_loop(self._items):
                yield part
        else:
            for part in self._gathered(self._items):
                yield part
                await asyncio.sleep(0)  # a transport that is never full must not keep the loop

    def sync(self) -> SyncUpload:
        """Return the same for a client that blocks.

        Raises:
            TypeError: The items come asynchronously.
        """
        if isinstance(self._items, AsyncIterable):
            raise TypeError("Items that come asynchronously need the AsyncClient.")
        return SyncUpload(self._begin)

    def _begin(self) -> Iterator[bytes]:
        self._begun = True
        if isinstance(self._items, Path):
            with self._items.open("rb") as file:
                yield from _parts(file)
        elif not isinstance(self._items, AsyncIterable):
            yield from self._gathered(self._items)

    def _gathered(self, items: Iterable[Json | Item | Raw]) -> Iterator[bytes]:
        waiting: list[bytes] = []
        size = 0
        for item in items:
            line = encoded(item)
            waiting.append(line)
            size += len(line)
            if size >= self._chunk:
                yield b"".join(waiting)
                waiting.clear()
                size = 0
        if waiting:
            yield b"".join(waiting)

    @staticmethod
    async def _read_off_the_loop(path: Path) -> AsyncIterator[bytes]:
        file = await asyncio.to_thread(path.open, "rb")
        try:
            while part := await asyncio.to_thread(file.read, _CHUNK):
                yield part
        finally:
            file.close()


class SyncUpload:
    """An upload as an iterable; httpx2 refuses to send one that is both kinds.

    Args:
        begin: Gives its parts from the beginning.
    """

    def __init__(self, begin: Callable[[], Iterator[bytes]]) -> None:
        self._begin = begin

    def __iter__(self) -> Iterator[bytes]:
        return self._begin()


def _parts(file: BinaryIO) -> Iterator[bytes]:
    while part := file.read(_CHUNK):
        yield part
