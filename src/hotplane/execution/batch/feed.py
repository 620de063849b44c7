"""Reads a batch's items from the ledger, in pages, ahead of the workers. Imports `stored`, `patience` and `errors`.

Of a batch of 100 000 a few hundred items are in memory. Where few wait, what was stored just now need not be read.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from hotplane.errors import StorageError
from hotplane.execution.batch.patience import insist
from hotplane.execution.batch.stored import Item, decode_item
from hotplane.storage import StoredItem

__all__ = ["Feed", "ItemStore"]

_PAGE = 512
"""Items of one read."""
_PAGE_BYTES = 4 * 2**20
"""Bytes of items of one read, where that is more than one item."""
_LOW = 256
"""Items at hand below which the next page is read."""


class ItemStore(Protocol):
    """What a feed needs of the ledger."""

    async def items(self, number: int, *, after: int, limit: int, max_bytes: int) -> tuple[StoredItem, ...]:
        """Return items without a result above the position `after`, in order."""
        ...

    async def start(self, number: int, positions: Sequence[int]) -> None:
        """Store that items are about to run."""
        ...

    async def unstart(self, number: int, positions: Sequence[int]) -> None:
        """Take that back."""
        ...


class Feed:
    """The source of a lane: the items of one batch.

    Args:
        ledger: Where the items are.
        number: The batch's number.
        guarded: Returns whether the ledger must know of an item before it runs, so that it never runs twice.
        held: Returns whether the batch is surely this host's; while it is not, no item is at hand.
        concurrency: Items that run at once; of guarded ones no more than that are started and have no result.
        tell: Told why nothing can be read or started, and None when that is over.
    """

    def __init__(
        self,
        ledger: ItemStore,
        number: int,
        *,
        guarded: Callable[[], bool],
        held: Callable[[], bool],
        concurrency: int,
        tell: Callable[[str | None], None],
    ) -> None:
        self._ledger = ledger
        self._number = number
        self._guarded = guarded
        self._held = held
        self._concurrency = concurrency
        self._tell = tell
        self._read_to = 0
        self._known_to = 0
        self._sealed = False
        self._closed = False
        self._fetched: deque[Item] = deque()
        self._starting: list[Item] = []
        self._ready: deque[Item] = deque()
        self._started: set[int] = set()
        self._out = 0
        self._tending: asyncio.Task[None] | None = None
        self.wake: Callable[[], None] = _nothing
        """Called when there are more items at hand."""
        self.finished: Callable[[], None] = _nothing
        """Called when every item has its result and no more will come."""

    def __len__(self) -> int:
        """Return how many items may run now."""
        return len(self._ready) if self._ready and self._held() else 0

    def take(self) -> Item | None:
        """Return the next item that may run now; it is out until `settle` or `give_back`."""
        if not self._ready or not self._held():
            return None
        item = self._ready.popleft()
        self._out += 1
        self._tend()
        return item

    def settle(self, item: Item) -> None:
        """Say that an item that was out has its result."""
        self._out -= 1
        self._started.discard(item.position)
        self._tend()
        self._check()

    def give_back(self, item: Item) -> None:
        """Put an item back that could not run now."""
        self._out -= 1
        self._ready.appendleft(item)

    def grow(self, position: int, fresh: Sequence[StoredItem] = ()) -> None:
        """Say that the ledger has items up to a position.

        Args:
            position: The last one's.
            fresh: Those of them that may run, where they were stored just now: nobody has to read them again, unless
                others come before them, or enough are at hand.
        """
        if fresh and self._read_to == self._known_to and self._wants(fresh):
            self._read_to = position
            self._fetched.extend(map(decode_item, fresh))
        self._known_to = position
        self._tend()

    def seal(self) -> None:
        """Say that no more items will come."""
        self._sealed = True
        self._check()

    def abandon(self) -> None:
        """Read no more."""
        self._closed = True
        if self._tending is not None:
            self._tending.cancel()

    async def close(self) -> list[int]:
        """Read no more; return the positions of items that the ledger has as started and that did not run."""
        self.abandon()
        if self._tending is not None:
            await asyncio.wait((self._tending,))
        unused = [item.position for item in self._ready if item.position in self._started]
        return [*unused, *(item.position for item in self._starting)]

    # --- tending -----------------------------------------------------------------------------------------

    def _tend(self) -> None:
        """See to it that items are at hand, unless that is being done."""
        if self._tending is None and not self._closed and (self._must_read() or self._may_release()):
            self._tending = asyncio.create_task(self._fill())
            self._tending.add_done_callback(self._tended)

    def _tended(self, task: asyncio.Task[None]) -> None:
        self._tending = None
        if not task.cancelled() and task.exception() is None:
            self._tend()

    def _must_read(self) -> bool:
        return self._read_to < self._known_to and len(self._fetched) + len(self._ready) < _LOW

    def _may_release(self) -> bool:
        return bool(self._fetched) and self._room() > 0

    def _wants(self, fresh: Sequence[StoredItem]) -> bool:
        few = len(self._fetched) + len(self._ready) < _LOW and len(fresh) <= _PAGE
        return few and sum(len(each.body) for each in fresh) <= _PAGE_BYTES

    def _room(self) -> int:
        """Return how many fetched items may be made ready."""
        if not self._guarded():
            return len(self._fetched)
        return min(len(self._fetched), self._concurrency - self._out - len(self._ready))

    async def _fill(self) -> None:
        while self._must_read() or self._may_release():
            if self._may_release():
                await self._release()
            else:
                await self._read()
        self._check()

    async def _read(self) -> None:
        known, after = self._known_to, self._read_to
        page = await insist(
            lambda: self._ledger.items(self._number, after=after, limit=_PAGE, max_bytes=_PAGE_BYTES), self._tell
        )
        self._read_to = page[-1].position if page else known
        self._fetched.extend(map(decode_item, page))

    async def _release(self) -> None:
        """Make fetched items ready."""
        chosen = [self._fetched.popleft() for _ in range(self._room())]
        if self._guarded():
            await self._start(chosen)
        self._ready.extend(chosen)
        self.wake()

    async def _start(self, items: list[Item]) -> None:
        self._starting = items
        positions = [item.position for item in items]
        try:
            await insist(lambda: self._ledger.start(self._number, positions), self._tell)
        except StorageError:
            # A commit whose answer was lost was stored after all.
            await insist(lambda: self._ledger.unstart(self._number, positions), self._tell)
            await insist(lambda: self._ledger.start(self._number, positions), self._tell)
        self._started.update(positions)
        self._starting = []

    def _check(self) -> None:
        waiting = self._fetched or self._starting or self._ready or self._out
        if self._sealed and not waiting and self._read_to >= self._known_to:
            self.finished()


def _nothing() -> None:
    return
