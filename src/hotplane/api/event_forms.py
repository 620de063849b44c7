"""Events as the API gives them out, and those who follow them. Imports lower rooms and `unending`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from time import monotonic
from types import MappingProxyType

import msgspec

from hotplane.events.envelope import cloudevent, standard_body
from hotplane.records import Event
from hotplane.storage import Committed, EventFilter, Store

__all__ = ["FORMS", "followed"]

_PAGE = 100
_POLL_SECONDS = 1.0
"""How often a reader looks without being woken: other hosts on the same store do not tell this one."""
_PACE_SECONDS = 0.02
"""From one look to the next, so that events come in groups where there are many commits."""

FORMS: Mapping[str, Callable[[Event], bytes]] = MappingProxyType(
    {"hotplane": msgspec.json.Encoder().encode, "cloudevents": cloudevent, "standard": standard_body}
)
"""What makes JSON of an event, by the name of the form."""


async def followed(
    store: Store, wanted: EventFilter, after: int, *, form: str, heartbeat_seconds: float
) -> AsyncIterator[bytes]:
    """Yield events as Server-Sent Events as they are committed, for ever; ids are places in the log.

    Every reader reads from the log at its own pace. Also what is not of its kind moves its place on, so that whoever
    comes back does not begin anew.

    Args:
        store: Where they are.
        wanted: Which.
        after: The place behind which to begin.
        form: One of `FORMS`.
        heartbeat_seconds: How long it may be silent.
    """
    encode, woken, spoke = FORMS[form], asyncio.Event(), monotonic()

    def wake(committed: Committed) -> None:
        if committed.events:
            woken.set()

    unlisten = store.commits.listen(wake)
    try:
        yield b"retry: 1000\nid: %d\n\n" % after
        while True:
            woken.clear()
            found, after = await store.event_log.follow(wanted, after=after, limit=_PAGE)
            if found:
                spoke = monotonic()
                yield b"".join(b"id: %d\ndata: %b\n\n" % (each.sequence, encode(each)) for each in found)
            elif monotonic() - spoke >= heartbeat_seconds:
                spoke = monotonic()
                yield b": nothing new\nid: %d\n\n" % after
            if len(found) < _PAGE:
                await _wait(woken, min(_POLL_SECONDS, heartbeat_seconds))
    finally:
        unlisten()


async def _wait(woken: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await woken.wait()
    await asyncio.sleep(_PACE_SECONDS)
