"""Counters of one plugin's calls, cheap enough for every call. Imports nothing of Hotplane."""

from __future__ import annotations

from msgspec import Struct

__all__ = ["PluginStats", "StatsSnapshot"]

_BUCKETS = 64


class StatsSnapshot(Struct, frozen=True, kw_only=True):
    """The numbers at one instant."""

    calls: int
    errors: int
    timeouts: int
    mean_ms: float
    p50_ms: float
    p99_ms: float


class PluginStats:
    """Calls, errors, timeouts and latency of one plugin version.

    Latency goes into buckets that double in width: bucket *b* holds calls of 2^(b-1) … 2^b - 1 ns. A call costs
    one list update and two additions; quantiles are exact to the bucket and interpolated within it.
    """

    __slots__ = ("buckets", "errors", "timeouts", "total_ns")

    def __init__(self) -> None:
        self.buckets = [0] * _BUCKETS
        self.total_ns = 0
        self.errors = 0
        self.timeouts = 0

    @property
    def calls(self) -> int:
        """How many calls ended, in whatever way."""
        return sum(self.buckets)

    def observe(self, elapsed_ns: int) -> None:
        """Count one ended call."""
        self.buckets[elapsed_ns.bit_length()] += 1
        self.total_ns += elapsed_ns

    def add(self, other: PluginStats) -> None:
        """Add another's numbers to these."""
        self.buckets = [own + more for own, more in zip(self.buckets, other.buckets, strict=True)]
        self.total_ns += other.total_ns
        self.errors += other.errors
        self.timeouts += other.timeouts

    def quantile_ms(self, q: float) -> float:
        """Return the latency in milliseconds below which the fraction `q` of the calls lies; 0 without calls."""
        buckets = list(self.buckets)
        rank = q * sum(buckets)
        below = 0
        for index, count in enumerate(buckets):
            if count and below + count >= rank:
                low, high = (1 << index >> 1), 1 << index
                return (low + (high - low) * (rank - below) / count) / 1e6
            below += count
        return 0.0

    def snapshot(self) -> StatsSnapshot:
        """Return the numbers as they are now."""
        calls = self.calls
        return StatsSnapshot(
            calls=calls,
            errors=self.errors,
            timeouts=self.timeouts,
            mean_ms=self.total_ns / calls / 1e6 if calls else 0.0,
            p50_ms=self.quantile_ms(0.5),
            p99_ms=self.quantile_ms(0.99),
        )
