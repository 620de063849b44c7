"""The wall clock that due times are written in, watched by a clock that never goes back. Imports only `plugins`."""

from __future__ import annotations

from hotplane.plugins import Clock
from hotplane.storage.tables import microseconds

__all__ = ["WallClock"]

_SETBACK_SECONDS = 1.0
"""Smaller steps are ordinary corrections."""


class WallClock:
    """Tells the time, and notices when somebody sets the clock back.

    Args:
        clock: Both clocks of the host.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ahead = self._difference()

    def now(self) -> int:
        """Return microseconds since 1970."""
        return microseconds(self._clock.now())

    def setback(self) -> float:
        """Return by how many seconds the clock was set back since the last call; 0 when it was not."""
        before, self._ahead = self._ahead, self._difference()
        back = before - self._ahead
        return back if back > _SETBACK_SECONDS else 0.0

    def _difference(self) -> float:
        return self.now() / 1e6 - self._clock.monotonic()
