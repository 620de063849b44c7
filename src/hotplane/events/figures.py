"""What the attempts of one handler add up to since the process began. Imports only `storage`.

The figures outlive a handler's lane, which ends whenever the handler is disabled or gets other settings: a counter of
Prometheus never goes down.
"""

from __future__ import annotations

from bisect import bisect_left

from hotplane.storage import DeliveryState

__all__ = ["BOUNDS", "OUTCOMES", "AttemptFigures", "Figures"]

BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Upper bounds of how long attempts took, in seconds; the first ten are those of Prometheus' own clients."""
OUTCOMES = (DeliveryState.DELIVERED, DeliveryState.FAILED, DeliveryState.DEAD)
"""What an attempt can lead to."""


class AttemptFigures:
    """One handler's attempts."""

    __slots__ = ("buckets", "outcomes", "seconds")

    def __init__(self) -> None:
        self.outcomes: dict[DeliveryState, int] = dict.fromkeys(OUTCOMES, 0)
        self.buckets = [0] * (len(BOUNDS) + 1)
        """Attempts up to each bound and above the one before; the last has no bound."""
        self.seconds = 0.0
        """All together."""

    def note(self, outcome: DeliveryState, seconds: float) -> None:
        """Count an attempt."""
        self.outcomes[outcome] += 1
        self.buckets[bisect_left(BOUNDS, seconds)] += 1
        self.seconds += seconds


class Figures:
    """The attempts of every handler; used from the event loop alone."""

    def __init__(self) -> None:
        self._by_handler: dict[str, AttemptFigures] = {}

    def of(self, handler: str) -> AttemptFigures:
        """Return the figures of a handler, zeros at first."""
        found = self._by_handler.get(handler)
        if found is None:
            found = self._by_handler[handler] = AttemptFigures()
        return found

    def keep(self, handlers: frozenset[str]) -> None:
        """Forget the handlers that are not among these: they are gone, and so are their series."""
        for gone in self._by_handler.keys() - handlers:
            del self._by_handler[gone]
