"""Carries an upload of lines into a batch, as it arrives. Imports lower rooms, `bodies`, `items` and `ndjson`.

Each part of the body is stored before the next is read. While the commit is under way the connection takes 64 KiB
more, and then no longer reads: that is the back-pressure, and it is also what makes groups of small parts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain

from hotplane.api.bodies import Receive
from hotplane.api.items import ItemReader
from hotplane.api.ndjson import Line, LineReader
from hotplane.api.refusals import BodyTooLarge
from hotplane.errors import BatchEnded, EmptyBatch, HotplaneError
from hotplane.execution.batch import Batches, BatchStatus, NewItem
from hotplane.values import MAX_DEPTH

__all__ = ["GROUP", "Intake", "give_up"]

GROUP = 256
"""Items that are stored in one go, at most."""
_GROUP_BYTES = 2**20
"""The same, for their size."""
_GIVING_UP_SECONDS = 1.0


class Intake:
    """The upload of one batch.

    Args:
        batches: The host's.
        batch_id: One that receives.
        receive: Gives the parts of the body.
        max_depth: How deep an item may be nested.
    """

    def __init__(self, batches: Batches, batch_id: str, receive: Receive, max_depth: int = MAX_DEPTH) -> None:
        settings = batches.settings
        self._batches = batches
        self._batch_id = batch_id
        self._receive = receive
        self._max_bytes = settings.max_bytes
        self._lines = LineReader(settings.max_item_bytes)
        self._items = ItemReader(settings.max_item_bytes, max_depth)
        self._received = 0
        self._empty = True
        self.gone = False
        """Whether the client left before the body had ended."""
        self.refusal: HotplaneError | None = None
        """Why the batch does not go on; set before anybody can see that it does not."""

    async def run(self) -> BatchStatus:
        """Store everything that comes and seal the batch, also one whose client left; nothing of half a line is kept.

        A batch that was cancelled, or stopped at its first failure, wants no more: the rest is not read. After an error
        the batch does not go on.

        Raises:
            BodyTooLarge, BatchTooLarge: There was more than there may be.
            EmptyBatch: There was no item; the batch is gone.
            ShuttingDown, StorageError, StorageUnavailable: It was not stored.
        """
        try:
            await self._read()
            if self._empty:
                self.refusal = EmptyBatch()
            return await self._batches.seal(self._batch_id, truncated=self.gone)
        except BatchEnded:
            return await self._batches.get(self._batch_id)
        except HotplaneError as error:
            self.refusal = error
            await give_up(self._batches, self._batch_id)
            raise

    async def _read(self) -> None:
        more = True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self.gone = True
                return
            more = message.get("more_body", False)
            lines = self._lines.feed(self._counted(message.get("body", b"")))
            await self._store(lines if more else chain(lines, self._last()))

    def _counted(self, part: bytes) -> bytes:
        self._received += len(part)
        if self._received > self._max_bytes:
            raise BodyTooLarge(self._max_bytes, "batches.max_bytes")
        return part

    def _last(self) -> Iterator[Line]:
        line = self._lines.end()
        if line is not None:
            yield line

    async def _store(self, lines: Iterator[Line]) -> None:
        group: list[NewItem] = []
        size = 0
        for item, length in self._items.read(lines):
            group.append(item)
            size += length
            if len(group) >= GROUP or size >= _GROUP_BYTES:
                await self._add(group)
                group, size = [], 0
        if group:
            await self._add(group)

    async def _add(self, group: list[NewItem]) -> None:
        self._empty = False
        await self._batches.add(self._batch_id, group)


async def give_up(batches: Batches, batch_id: str) -> None:
    """Cancel a batch whose request is refused: who is told so has to be able to send it again."""
    with suppress(
        HotplaneError, TimeoutError
    ):  # it wants to stop from now on; what it says in the store may come later
        async with asyncio.timeout(_GIVING_UP_SECONDS):
            await batches.cancel(batch_id)
