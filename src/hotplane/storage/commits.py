"""Who wants to hear that something was committed. Imports nothing of Hotplane."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from msgspec import Struct

__all__ = ["Commits", "Committed"]


class Committed(Struct, frozen=True):
    """What one group of writes brought; only this host's own, other hosts on the same store say nothing here."""

    events: bool
    """Whether there are new events."""
    handlers: frozenset[str]
    """The handlers that have new deliveries."""
    batches: Mapping[int, int]
    """The numbers of the batches that have new results, each with the newest one's sequence."""


class Commits:
    """Tells listeners on the loop after each commit of this store. Belongs to the loop in which it was made."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self._listeners: list[Callable[[Committed], None]] = []

    def __bool__(self) -> bool:
        """Tell whether anybody listens."""
        return bool(self._listeners)

    def listen(self, listener: Callable[[Committed], None]) -> Callable[[], None]:
        """Have `listener` called on the loop after each commit; return what ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def tell(self, committed: Committed) -> None:
        """Tell everybody; called on the loop."""
        for listener in tuple(self._listeners):
            listener(committed)
