"""A clock that tests turn. Imports nothing of Hotplane."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

__all__ = ["FakeClock"]

_BEGINNING = datetime(2026, 1, 1, 12, tzinfo=UTC)


class FakeClock:
    """Both clocks of a host, standing still; it is a `hotplane.plugins.Clock`.

    Args:
        at: The instant at which it stands, aware.
    """

    def __init__(self, at: datetime = _BEGINNING) -> None:
        self._now = at.astimezone(UTC)
        self._monotonic = 1_000.0

    def now(self) -> datetime:
        """Return the instant, aware, in UTC."""
        return self._now

    def monotonic(self) -> float:
        """Return seconds on a clock that never goes back."""
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Let time pass.

        Raises:
            ValueError: `seconds` is negative; `set` turns the wall clock back.
        """
        if seconds < 0:
            raise ValueError("time does not go back; `set` turns the wall clock")
        self._now += timedelta(seconds=seconds)
        self._monotonic += seconds

    def set(self, at: datetime) -> None:
        """Turn the wall clock alone, as an operator or NTP does; the monotonic clock stands."""
        self._now = at.astimezone(UTC)
