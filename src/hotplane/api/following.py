"""The results of a batch, followed from a cursor on, as bytes for those who read them. Imports lower rooms, `streams`.

Everybody reads from the ledger at their own pace: there is no queue, and a slow reader holds up nobody.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from time import monotonic

import msgspec

from hotplane.api.streams import frame
from hotplane.errors import InvalidCursor, UnknownBatch
from hotplane.execution.batch import Batches, BatchStatus, ItemResult

__all__ = ["Follower", "cursor_of", "end_id", "event_parts", "line_parts"]

_PAGE = 500
_FIRST_PAGE = 16
_GROWTH = 4
_PAGE_BYTES = 256 * 1024
"""What a page should have about; results may be small or large, which the page before shows."""
_PACE_SECONDS = 0.005
"""From one look into the ledger to the next, for each result that was found: where they come fast, some are worth a
look; where they come one by one, nobody waits for the second."""
_PACES = (0.02, 0.05)
"""The same after a look that found nothing, and at most."""
_PROGRESS_SECONDS = 1.0
_DIGITS = 18

_encoder = msgspec.json.Encoder()


def cursor_of(text: str) -> int:
    """Return the sequence that a cursor says, or raise InvalidCursor."""
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS):
        raise InvalidCursor(text)
    return int(text)


def end_id(status: BatchStatus) -> str:
    """Return the id of the last event of a batch that has ended."""
    return f"end-{status.last_sequence}"


class Follower:
    """One reader of one batch.

    Args:
        batches: The host's.
        batch_id: The batch.
        after: The sequence of the last result that the reader has.
        encode: Makes bytes of results.
    """

    def __init__(
        self, batches: Batches, batch_id: str, after: int, encode: Callable[[Sequence[ItemResult]], bytes]
    ) -> None:
        self._batches = batches
        self._batch_id = batch_id
        self._after = after
        self._encode = encode
        self._limit = _FIRST_PAGE
        self._looked_at = 0.0
        self._found = 0
        self.full = False
        """Whether there may be more right behind the last page."""

    async def status(self) -> BatchStatus:
        """Return how the batch is. When it has ended before `page` finds nothing, there is nothing more to come."""
        return await self._batches.get(self._batch_id)

    async def page(self, at_most: int | None = None) -> tuple[bytes, int]:
        """Return the next results that are there, and how many they are."""
        limit = self._limit if at_most is None else min(self._limit, at_most)
        self._looked_at = monotonic()
        found = await self._batches.results(self._batch_id, after=self._after, limit=limit)
        self._found, self.full = len(found), len(found) == limit
        if not found:
            return b"", 0
        self._after = found[-1].sequence
        part = self._encode(found)
        fitting = _PAGE_BYTES * len(found) // len(part)
        self._limit = max(1, min(_PAGE, _GROWTH * self._limit, fitting))
        return part, len(found)

    async def wait(self, seconds: float) -> None:
        """Wait for more, and for a moment, so that results that come fast come in groups; the last come at once."""
        status = await self._batches.changed(self._batch_id, self._after, seconds)
        least, most = _PACES
        pace = min(most, _PACE_SECONDS * self._found) if self._found else least
        rest = self._looked_at + pace - monotonic()
        if rest > 0 and not status.ended:
            await self._batches.completed(self._batch_id, rest)


async def line_parts(
    batches: Batches, batch_id: str, after: int, *, follow: bool, limit: int | None, heartbeat_seconds: float
) -> AsyncIterator[bytes]:
    """Yield results as lines, in ledger order; blank lines while there are none.

    Args:
        batches: The host's.
        batch_id: The batch.
        after: Where to go on.
        follow: Whether to wait for more until the batch has ended.
        limit: Results after which to end; None for all.
        heartbeat_seconds: How long it may be silent.
    """
    follower = Follower(batches, batch_id, after, _lines)
    spoke = monotonic()
    while limit is None or limit > 0:
        status = await follower.status()
        part, count = await follower.page(limit)
        limit = None if limit is None else limit - count
        if part:
            spoke = monotonic()
            yield part
        elif status.ended or not follow:
            return
        elif monotonic() - spoke >= heartbeat_seconds:
            spoke = monotonic()
            yield b"\n"
        if follow and not follower.full and not status.ended:
            await follower.wait(heartbeat_seconds)


async def event_parts(
    batches: Batches,
    batch_id: str,
    after: int,
    *,
    heartbeat_seconds: float,
    prelude: bytes = b"",
    before_end: Callable[[], Awaitable[bytes]] | None = None,
) -> AsyncIterator[bytes]:
    """Yield results and progress as Server-Sent Events, until the end; only what is durable has an id.

    Args:
        batches: The host's.
        batch_id: The batch.
        after: Where to go on.
        heartbeat_seconds: How long it may be silent.
        prelude: What else there is to say at the beginning.
        before_end: Returns what else there is to say at the end.
    """
    yield b"retry: 1000\n\n" + prelude
    follower = Follower(batches, batch_id, after, _result_frames)
    told: object = None
    spoke = told_at = pause = 0.0
    while True:
        try:
            if pause:
                await follower.wait(pause)
            status = await follower.status()
            part, count = await follower.page()
        except UnknownBatch:  # it was refused, and is gone
            if last := await _words(before_end):
                yield last
                return
            raise
        if not count and status.ended:
            yield await _words(before_end) + b"id: %b\n" % end_id(status).encode() + frame("end", status)
            return
        news = (status.state, status.truncated, status.items, status.done, status.problem)
        if news != told and monotonic() - told_at >= _PROGRESS_SECONDS:
            told, told_at = news, monotonic()
            part += frame("progress", status)
        elif not count and monotonic() - spoke >= heartbeat_seconds:
            part = b": nothing new\n\n"
        if part:
            spoke = monotonic()
            yield part
        pause = 0.0 if follower.full or status.ended else min(_PROGRESS_SECONDS, heartbeat_seconds)


async def _words(say: Callable[[], Awaitable[bytes]] | None) -> bytes:
    return b"" if say is None else await say()


def _lines(results: Sequence[ItemResult]) -> bytes:
    return _encoder.encode_lines(list(results))  # of any other sequence msgspec 0.22 never lets go of the iterator


def _result_frames(results: Sequence[ItemResult]) -> bytes:
    return b"".join(b"id: %d\n" % each.sequence + frame("result", each) for each in results)
