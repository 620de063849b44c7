"""Replaying over several handlers, page by page. Imports `events`, `storage` and `errors`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from hotplane.errors import InvalidCursor
from hotplane.events import Outbox
from hotplane.storage import EventRange

__all__ = ["ReplayedPage", "replay"]

_MARK = "~"


class ReplayedPage(Struct, frozen=True, kw_only=True):
    """What one call of a replay did."""

    deliveries: int
    """How many will be delivered anew."""
    handlers: Mapping[str, int]
    """To whom."""
    next_cursor: str | None
    """Where the next call goes on; null when everything was looked at."""


async def replay(
    outbox: Outbox,
    handlers: Sequence[str],
    wanted: EventRange,
    *,
    dead_only: bool,
    limit: int,
    cursor: str | None = None,
) -> ReplayedPage:
    """Deliver events anew, handler by handler, oldest first.

    Args:
        outbox: Delivers.
        handlers: To whom.
        wanted: Which events.
        dead_only: Only those whose delivery is dead; otherwise every one.
        limit: How many events one call looks at for each handler, 1 to 1000; one handler that fills it ends the call.
        cursor: Where the call before ended.

    Raises:
        InvalidCursor: The cursor is not one of these.
    """
    begin, after = ("", 0) if cursor is None else _place(cursor)
    counts: dict[str, int] = {}
    for handler in sorted(handlers):
        if handler < begin:
            continue
        done = await outbox.replay_range(
            handler, wanted, dead_only=dead_only, after=after if handler == begin else 0, limit=limit
        )
        counts[handler] = done.deliveries
        if done.next_after is not None:
            return ReplayedPage(
                deliveries=sum(counts.values()), handlers=counts, next_cursor=f"{done.next_after}{_MARK}{handler}"
            )
    return ReplayedPage(deliveries=sum(counts.values()), handlers=counts, next_cursor=None)


def _place(cursor: str) -> tuple[str, int]:
    number, mark, handler = cursor.partition(_MARK)
    if not (mark and handler and number.isascii() and number.isdigit() and len(number) <= 18):
        raise InvalidCursor(cursor)
    return handler, int(number)
