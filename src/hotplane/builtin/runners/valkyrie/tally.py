"""What happened at one endpoint since the runner started. Imports only `registry` and `values`."""

from __future__ import annotations

from collections import Counter

from hotplane.registry import PluginStats
from hotplane.values import Json

__all__ = ["Tally"]


class Tally:
    """Counts; it outlives the connections, and the pools of earlier configurations.

    Attributes:
        calls: Calls that were handed to a connection.
        errors: Failed calls by the code of their failure.
        failed_connects: Attempts to connect that failed.
        losses: Connections that ended although this side wanted to keep them, drained ones included.
        reconnects: Connections that took the place of a lost one.
        bytes_sent: Payload bytes of calls.
        bytes_received: Payload bytes of results.
    """

    __slots__ = (
        "_times", "bytes_received", "bytes_sent", "calls", "errors", "failed_connects", "losses", "reconnects",
    )  # fmt: skip

    def __init__(self) -> None:
        self.calls = 0
        self.errors: Counter[str] = Counter()
        self.failed_connects = 0
        self.losses = 0
        self.reconnects = 0
        self.bytes_sent = 0
        self.bytes_received = 0
        self._times = PluginStats()

    def answered(self, result_bytes: int, elapsed_ns: int | None) -> None:
        """Count a result, and how long it took where that was measured."""
        self.bytes_received += result_bytes
        if elapsed_ns is not None:
            self._times.observe(elapsed_ns)

    def joined(self) -> None:
        """Count a new connection."""
        if self.reconnects < self.losses:
            self.reconnects += 1

    def snapshot(self) -> dict[str, Json]:
        """Return the numbers, the times in milliseconds."""
        return {
            "calls": self.calls,
            "errors": dict(self.errors),
            "reconnects": self.reconnects,
            "lost_connections": self.losses,
            "failed_connects": self.failed_connects,
            "bytes_sent": self.bytes_sent,
            "bytes_received": self.bytes_received,
            "round_trip_p50_ms": round(self._times.quantile_ms(0.5), 3),
            "round_trip_p99_ms": round(self._times.quantile_ms(0.99), 3),
        }
