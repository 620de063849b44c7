"""Which batches are this host's, and which ones were left. Imports only `events.holder` and `storage`.

Only clocks that run steadily decide. A holder changes its lease with every renewal; who sees one unchanged for
`LEASE_SECONDS` knows that it was not renewed for so long, whatever the wall clocks say. And a holder starts nothing
once `SURE_SECONDS` have passed since it sent its last renewal: nobody can have taken its batches over before that.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from time import monotonic, time_ns

from hotplane.events.holder import holder_name, is_certainly_dead
from hotplane.storage import BatchLease

__all__ = ["LEASE_SECONDS", "SURE_SECONDS", "Holding", "name_of"]

LEASE_SECONDS = 60.0
SURE_SECONDS = 55.0

_living: set[str] = set()
"""Holders of this process that have not ended: in one process several hosts may follow each other."""


class Holding:
    """One host's name on its batches.

    Args:
        clock: Seconds that pass steadily.
        is_dead: Tells whether a holder can be seen to be gone.
    """

    def __init__(self, *, clock: Callable[[], float] = monotonic, is_dead: Callable[[str], bool] | None = None) -> None:
        self.holder = f"{holder_name()}@{socket.gethostname()}"
        self._clock = clock
        self._is_dead = is_dead or self._is_seen_dead
        self._sure_until = float("-inf")
        self._seen: dict[int, tuple[BatchLease, float]] = {}

    def begin(self) -> None:
        """Be alive: there is nothing yet that somebody could have taken over."""
        _living.add(self.holder)
        self.renewed(self.now())

    def end(self) -> None:
        """Be dead for the other hosts of this process."""
        _living.discard(self.holder)

    # --- our own leases ----------------------------------------------------------------------------------

    def now(self) -> float:
        """Return seconds on the steady clock."""
        return self._clock()

    def lease(self) -> int:
        """Return the end of a lease that begins now, in microseconds since 1970."""
        return time_ns() // 1_000 + round(LEASE_SECONDS * 1e6)

    def renewed(self, sent: float) -> None:
        """Note that every lease is at least as new as `sent`, on the steady clock."""
        self._sure_until = sent + SURE_SECONDS

    def took(self, sent: float) -> None:
        """Note that one more lease is as new as `sent`; the others may be older."""
        self._sure_until = min(self._sure_until, sent + SURE_SECONDS)

    def sure(self) -> bool:
        """Return whether nobody can have taken our batches over."""
        return self._clock() < self._sure_until

    # --- those of others ---------------------------------------------------------------------------------

    def left(self, leases: Iterable[BatchLease]) -> list[BatchLease]:
        """Return those that nobody holds any more.

        Args:
            leases: All that others have, as they were read after the call before this.
        """
        now, before = self._clock(), self._seen
        self._seen = {each.number: _since(each, before.get(each.number), now) for each in leases}
        return [lease for lease, since in self._seen.values() if self._is_left(lease, now - since)]

    def _is_left(self, lease: BatchLease, unchanged: float) -> bool:
        if lease.holder == self.holder:
            return False
        return lease.holder is None or unchanged >= LEASE_SECONDS or self._is_dead(lease.holder)

    def _is_seen_dead(self, holder: str) -> bool:
        ended_here = holder.split(".")[:3] == self.holder.split(".")[:3] and holder not in _living
        return ended_here or is_certainly_dead(holder)


def name_of(holder: str | None) -> str:
    """Return how people call a holder: which process of which machine."""
    if holder is None:
        return "none at the moment; one takes it up soon"
    process, _, machine = holder.partition("@")
    parts = process.split(".")
    return f"process {parts[1]} on {machine}" if machine and len(parts) > 1 else holder


def _since(lease: BatchLease, seen: tuple[BatchLease, float] | None, now: float) -> tuple[BatchLease, float]:
    return lease, now if seen is None or seen[0] != lease else seen[1]
