"""Where the work of each primary runner goes at present. Imports only `records` and this room.

A primary runner is one that heads a route. Its breaker says when an outage begins and ends; where the work went
meanwhile is what the routes report.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from threading import Lock

from msgspec import Struct
from msgspec.structs import replace

from hotplane.records import now
from hotplane.routing.states import BreakerState

__all__ = ["FallbackBoard", "FallbackChange", "FallbackMode", "FallbackState", "FallbackTrigger", "FallbackWord"]

_log = logging.getLogger(__name__)

_TAKES_CALLS = frozenset({BreakerState.CLOSED, BreakerState.DISABLED, BreakerState.METRICS_ONLY})


class FallbackMode(StrEnum):
    """Who takes a primary runner's work."""

    PRIMARY = "primary"
    FALLBACK = "fallback"
    """The runners behind it."""
    FAILED = "failed"
    """Nobody: the newest execution found no runner that could take it."""


class FallbackTrigger(StrEnum):
    """Why the work goes elsewhere."""

    AUTOMATIC = "automatic"
    MANUAL = "manual"


class FallbackWord(StrEnum):
    """What happened to a primary runner's work."""

    ACTIVATED = "activated"
    FAILED = "failed"
    RECOVERED = "recovered"


class FallbackState(Struct, frozen=True, kw_only=True):
    """Where a primary runner's work goes."""

    runner: str
    """The primary runner."""
    mode: FallbackMode = FallbackMode.PRIMARY
    since: datetime
    """When the outage began, or ended."""
    taken_by: str | None = None
    """The runner that took the newest execution during the outage; None before the first."""
    trigger: FallbackTrigger | None = None
    """None while the primary runner does its own work."""


class FallbackChange(Struct, frozen=True):
    """A change that the world may want to know of; at most one of each word per outage."""

    word: FallbackWord
    state: FallbackState


class FallbackBoard:
    """Owns the fallback states. Safe for threads.

    Args:
        on_change: Called after each change, outside the lock, by whichever thread is there. What it raises is logged.
    """

    def __init__(self, on_change: Callable[[FallbackChange], object] | None = None) -> None:
        self._on_change = on_change
        self._lock = Lock()
        self._states: dict[str, FallbackState] = {}
        self._told_failed: set[str] = set()

    def watch(self, primary: str, state: BreakerState) -> None:
        """Keep the state of `primary` from now on; its breaker is in `state`."""
        with self._lock:
            known = primary in self._states
            if not known:
                self._states[primary] = FallbackState(runner=primary, since=now())
        if not known:
            self.moved(primary, state)

    def forget(self, primary: str) -> None:
        """Keep the state of `primary` no longer."""
        with self._lock:
            self._states.pop(primary, None)
            self._told_failed.discard(primary)

    def state(self, primary: str) -> FallbackState | None:
        """Return where the work of `primary` goes; None when it heads no route."""
        return self._states.get(primary)

    def states(self) -> tuple[FallbackState, ...]:
        """Return where the work of every primary runner goes, by runner."""
        with self._lock:
            return tuple(self._states[primary] for primary in sorted(self._states))

    def moved(self, primary: str, state: BreakerState) -> None:
        """Hear that the breaker of `primary` went to `state`."""
        with self._lock:
            change = self._on_breaker(primary, state)
        self._tell(change)

    def taken(self, primary: str, runner: str) -> None:
        """Hear that `runner`, which stands behind `primary`, had an answer."""
        before = self._states.get(primary)
        if before is None or before.mode is FallbackMode.PRIMARY:
            return
        if before.mode is FallbackMode.FALLBACK and before.taken_by == runner:
            return
        with self._lock:
            before = self._states.get(primary)
            if before is not None and before.mode is not FallbackMode.PRIMARY:
                self._states[primary] = replace(before, mode=FallbackMode.FALLBACK, taken_by=runner)

    def nobody(self, primary: str) -> None:
        """Hear that no runner of a route that `primary` heads could take an execution."""
        with self._lock:
            before = self._states.get(primary)
            if before is None or before.mode is not FallbackMode.FALLBACK:
                return
            failed = self._states[primary] = replace(before, mode=FallbackMode.FAILED, taken_by=None)
            told = primary in self._told_failed
            self._told_failed.add(primary)
        self._tell(None if told else FallbackChange(FallbackWord.FAILED, failed))

    def _on_breaker(self, primary: str, state: BreakerState) -> FallbackChange | None:
        before = self._states.get(primary)
        if before is None:
            return None
        if state in _TAKES_CALLS:
            return None if before.mode is FallbackMode.PRIMARY else self._end(primary)
        trigger = FallbackTrigger.MANUAL if state is BreakerState.FORCED_OPEN else FallbackTrigger.AUTOMATIC
        if before.mode is FallbackMode.PRIMARY:
            begun = FallbackState(runner=primary, mode=FallbackMode.FALLBACK, since=now(), trigger=trigger)
            self._states[primary] = begun
            return FallbackChange(FallbackWord.ACTIVATED, begun)
        if before.trigger is not trigger:
            self._states[primary] = replace(before, trigger=trigger)
        return None

    def _end(self, primary: str) -> FallbackChange:
        recovered = self._states[primary] = FallbackState(runner=primary, since=now())
        self._told_failed.discard(primary)
        return FallbackChange(FallbackWord.RECOVERED, recovered)

    def _tell(self, change: FallbackChange | None) -> None:
        if change is None or self._on_change is None:
            return
        try:
            self._on_change(change)
        except Exception:
            _log.exception("The listener of the fallback states failed on %r", change.word.value)
