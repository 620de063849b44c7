"""The numbers of a plugin's versions: each version's generations added up.

Imports only `records`, `registry` and `status`.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from datetime import datetime

from hotplane.host.status import NO_CALLS, VersionStats
from hotplane.records import now
from hotplane.registry import PluginStats, StatsSnapshot

__all__ = ["MAX_VERSIONS", "Versions"]

MAX_VERSIONS = 10
"""Older ones are forgotten."""
_LOOSE = 3
"""Calls end on the generation where they began, so the counters of the latest few are read whenever they are asked
for; older ones do not change any more."""


class _Version:
    """Its generations' counters, one for each: what tells two instances apart is theirs alone."""

    def __init__(self) -> None:
        self.generation = 0
        self.ended_at: datetime | None = None
        self._settled = PluginStats()
        self._loose: deque[PluginStats] = deque()

    def begin(self, generation: int) -> PluginStats:
        self.generation, self.ended_at = generation, None
        self._loose.append(PluginStats())
        if len(self._loose) > _LOOSE:
            self._settled.add(self._loose.popleft())
        return self._loose[-1]

    def snapshot(self) -> StatsSnapshot:
        total = PluginStats()
        for each in (self._settled, *self._loose):
            total.add(each)
        return total.snapshot()


class Versions:
    """The latest versions of one plugin, each with its counters."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, _Version] = OrderedDict()
        self._serving: str | None = None

    def serve(self, version: str, generation: int) -> PluginStats:
        """Return counters for a generation that begins to serve; the one before ends."""
        self.end()
        entry = self._known.setdefault(version, _Version())
        self._known.move_to_end(version)
        self._serving = version
        while len(self._known) > MAX_VERSIONS:
            self._known.popitem(last=False)
        return entry.begin(generation)

    def end(self) -> None:
        """Note that nothing serves any more."""
        if self._serving is not None:
            self._known[self._serving].ended_at = now()
            self._serving = None

    def current(self) -> StatsSnapshot:
        """Return the numbers of the version that serves."""
        return self._known[self._serving].snapshot() if self._serving is not None else NO_CALLS

    def list(self) -> tuple[VersionStats, ...]:
        """Return the numbers of every version that is remembered, the latest last."""
        return tuple(
            VersionStats(
                version=version,
                generation=entry.generation,
                live=version == self._serving,
                ended_at=entry.ended_at,
                stats=entry.snapshot(),
            )
            for version, entry in self._known.items()
        )
