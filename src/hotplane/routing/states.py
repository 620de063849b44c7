"""What a breaker tells about itself: its states, its transitions, its figures. Imports nothing of Hotplane."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

__all__ = ["BreakerCounters", "BreakerSnapshot", "BreakerState", "Cause", "Transition"]


class BreakerState(StrEnum):
    """What a breaker does with calls."""

    CLOSED = "closed"
    """Every call goes through and is judged."""
    OPEN = "open"
    """No call goes through until the open time is over."""
    HALF_OPEN = "half-open"
    """A few probes go through; when all of them have ended, the breaker closes or opens."""
    FORCED_OPEN = "forced-open"
    """No call goes through until somebody changes the state."""
    DISABLED = "disabled"
    """Every call goes through and none is judged."""
    METRICS_ONLY = "metrics-only"
    """Every call goes through and is judged, but nothing follows except one announcement."""


class Cause(StrEnum):
    """Why a breaker changed its state, or would have."""

    FAILURE_RATE = "failure-rate"
    SLOW_RATE = "slow-rate"
    OPEN_TIME_OVER = "open-time-over"
    PROBES_PASSED = "probes-passed"
    REQUESTED = "requested"
    """Somebody called `force_open`, `disable`, `metrics_only` or `reset`."""


class Transition(Struct, frozen=True, kw_only=True):
    """A change of state, with the figures that led to it.

    In metrics-only, `previous` and `state` are the same: the breaker would have opened.
    """

    breaker: str
    previous: BreakerState
    state: BreakerState
    cause: Cause
    generation: int
    """The generation that begins with it; in metrics-only, the one that goes on."""
    volume: int
    """Results in the window at that moment; for an end of half-open, the number of probes."""
    failures: int
    slow: int
    open_seconds: float | None = None
    """How long the breaker is going to stay open; only for a transition to open."""


class BreakerCounters(Struct, frozen=True, kw_only=True):
    """What happened since the breaker was made.

    Once every permit is settled, admitted = succeeded + failed + cancelled + stale.
    """

    admitted: int
    rejected: int
    succeeded: int
    failed: int
    slow: int
    """Results slower than the limit, among the succeeded and the failed ones."""
    cancelled: int
    stale: int
    """Results dropped, because they belong to an older state or came after the end of their lease."""
    expired: int
    """Leases of probes that ended before their probe did. A late result of it counts as stale besides."""
    openings: int
    """How often it opened, by what it saw of calls; being forced open does not count."""
    transitions: int


class BreakerSnapshot(Struct, frozen=True, kw_only=True):
    """A breaker at one moment."""

    name: str
    state: BreakerState
    generation: int
    since: float
    """When the state began, on the breaker's clock, in seconds."""
    age: float
    """Seconds since then."""
    retry_after: float | None
    """Seconds after which a refused call should try again; None when calls go through, or when forced open."""
    volume: int
    """Results in the window."""
    failures: int
    slow: int
    failure_rate: float | None
    """Failures ÷ volume; None below the minimum volume, where no rate is judged."""
    slow_rate: float | None
    probes: int
    """Leased permits whose probe has not ended; 0 outside half-open."""
    last_transition: Transition | None
    counters: BreakerCounters
