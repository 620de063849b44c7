"""The breaker's state machine: no lock, no clock, no user code. Imports only this room's values.

Whoever calls it holds the breaker's lock and says what time it is; that time never goes back.
"""

from __future__ import annotations

from collections.abc import Callable

from hotplane.routing.permit import Ledger, Permit, Rejection
from hotplane.routing.settings import BreakerSettings
from hotplane.routing.states import BreakerCounters, BreakerSnapshot, BreakerState, Cause, Transition
from hotplane.routing.window import CountWindow, TimeWindow, Window

__all__ = ["BreakerMachine"]

# Members of an enumeration are looked up through a descriptor; these globals keep that off the hot path.
_CLOSED = BreakerState.CLOSED
_OPEN = BreakerState.OPEN
_HALF_OPEN = BreakerState.HALF_OPEN
_FORCED_OPEN = BreakerState.FORCED_OPEN
_DISABLED = BreakerState.DISABLED
_METRICS_ONLY = BreakerState.METRICS_ONLY

_EXPIRED = 0
"""The generation of a permit whose lease is over; those of a breaker begin at 1."""


class BreakerMachine:
    """States, window, leases and counters of one breaker.

    Args:
        name: Who is called.
        settings: Thresholds and times.
        ledger: Where the permits given out are settled.
        now: The time, in seconds; so in every method.
        random: Gives numbers in [0, 1), for the jitter.
        announce: Takes each transition; must not call anybody else.
    """

    def __init__(
        self,
        name: str,
        settings: BreakerSettings,
        ledger: Ledger,
        now: float,
        *,
        random: Callable[[], float],
        announce: Callable[[Transition], None],
    ) -> None:
        self._name = name
        self._settings = settings
        self._slow_call_seconds = settings.slow_call_seconds
        self._ledger = ledger
        self._random = random
        self._announce = announce
        self.state = _CLOSED
        self._generation = 1
        self._since = now
        self._until = 0.0
        self._open_base = 0.0
        self._leases: dict[Permit, float] = {}
        self._window, self._minimum = self._new_window(_CLOSED, now)
        self._announced = False
        self._last_transition: Transition | None = None
        self._admitted = self._rejected = self._cancelled = self._stale = self._expired = 0
        self._succeeded = self._failed = self._slow = self._openings = self._transitions = 0

    def admit(self, now: float) -> Permit | Rejection:
        """Give a permit or a rejection; an open state whose time is over becomes half-open."""
        if self.state is not _CLOSED and (rejection := self._refusal(now)) is not None:
            return rejection
        permit = Permit(self._ledger, self._generation, now)
        self._admitted += 1
        if self.state is _HALF_OPEN:
            self._leases[permit] = now + self._settings.permit_seconds
        return permit

    def report(self, permit: Permit, failed: bool, seconds: float | None, now: float) -> None:
        """Settle a permit with a result, unless it is settled already; a result of an older state is dropped."""
        if permit.settled:
            return
        permit.settled = True
        if self.state is _HALF_OPEN:
            self._expire_leases(now)
        if permit.generation != self._generation:
            self._stale += 1
            return
        slow = (now - permit.started if seconds is None else seconds) > self._slow_call_seconds
        if failed:
            self._failed += 1
        else:
            self._succeeded += 1
        if slow:
            self._slow += 1
        if self.state is _DISABLED:
            return
        if self.state is _HALF_OPEN:
            del self._leases[permit]
        self._window.add(failed + 2 * slow, now)
        if self._window.volume >= self._minimum:
            self._judge(now)

    def withdraw(self, permit: Permit, now: float) -> None:
        """Settle a permit without a result, unless it is settled already."""
        if permit.settled:
            return
        permit.settled = True
        self._cancelled += 1
        if self.state is _HALF_OPEN:
            self._expire_leases(now)
            self._leases.pop(permit, None)

    def request(self, state: BreakerState, now: float) -> None:
        """Go to a state that somebody asked for; to stay is no transition."""
        if self.state is not state:
            self._change(state, Cause.REQUESTED, now)

    def reset(self, now: float) -> None:
        """Close, forget the window and the growth of the open time, and make results still to come stale."""
        self._open_base = 0.0
        if self.state is not _CLOSED:
            self._change(_CLOSED, Cause.REQUESTED, now)
            return
        self._generation += 1
        self._window, self._minimum = self._new_window(_CLOSED, now)

    def snapshot(self, now: float) -> BreakerSnapshot:
        """Return state and figures."""
        window = self._window
        window.advance(now)
        judged = window.volume >= self._minimum
        return BreakerSnapshot(
            name=self._name,
            state=self.state,
            generation=self._generation,
            since=self._since,
            age=now - self._since,
            retry_after=self._retry_after(now),
            volume=window.volume,
            failures=window.failures,
            slow=window.slow,
            failure_rate=window.failures / window.volume if judged else None,
            slow_rate=window.slow / window.volume if judged else None,
            probes=len(self._leases),
            last_transition=self._last_transition,
            counters=self._counters(),
        )

    def _counters(self) -> BreakerCounters:
        return BreakerCounters(
            admitted=self._admitted,
            rejected=self._rejected,
            succeeded=self._succeeded,
            failed=self._failed,
            slow=self._slow,
            cancelled=self._cancelled,
            stale=self._stale,
            expired=self._expired,
            openings=self._openings,
            transitions=self._transitions,
        )

    def _refusal(self, now: float) -> Rejection | None:
        if self.state is _HALF_OPEN:
            self._expire_leases(now)
        if self.state is _OPEN and now >= self._until:
            self._change(_HALF_OPEN, Cause.OPEN_TIME_OVER, now)
        if self._lets_through():
            return None
        self._rejected += 1
        return Rejection(self._name, self.state, self._retry_after(now))

    def _lets_through(self) -> bool:
        if self.state is _HALF_OPEN:
            return len(self._leases) + self._window.volume < self._settings.half_open_permits
        return self.state is not _OPEN and self.state is not _FORCED_OPEN

    def _retry_after(self, now: float) -> float | None:
        if self.state is _OPEN:
            return max(0.0, self._until - now)
        if self.state is _HALF_OPEN and not self._lets_through():
            first_to_end = next(iter(self._leases.values()))
            return max(0.0, min(first_to_end - now, self._settings.open_seconds))
        return None

    def _expire_leases(self, now: float) -> None:
        # All leases are equally long, so the dictionary's order of insertion is their order of ending.
        while self._leases and next(iter(self._leases.values())) <= now:
            permit = next(iter(self._leases))
            del self._leases[permit]
            permit.generation = _EXPIRED
            self._expired += 1
            slow = now - permit.started > self._slow_call_seconds
            self._window.add(1 + 2 * slow, now)
            if self._window.volume >= self._minimum:
                self._judge(now)

    def _judge(self, now: float) -> None:
        window = self._window
        # Divided, not multiplied: 11 of 20 reaches a rate of 0.55, but 0.55 * 20 is a little more than 11.
        cause = None
        if window.failures / window.volume >= self._settings.failure_rate:
            cause = Cause.FAILURE_RATE
        elif window.slow / window.volume >= self._settings.slow_rate:
            cause = Cause.SLOW_RATE
        if self.state is _HALF_OPEN:
            self._change(_OPEN if cause else _CLOSED, cause or Cause.PROBES_PASSED, now)
        elif cause and self.state is _CLOSED:
            self._change(_OPEN, cause, now)
        elif cause and not self._announced:
            self._announced = True
            self._announce(self._transition(_METRICS_ONLY, cause, None))

    def _change(self, state: BreakerState, cause: Cause, now: float) -> None:
        open_seconds = self._next_open_seconds(now) if state is _OPEN else None
        self._generation += 1
        self._transitions += 1
        self._openings += state is _OPEN
        self._last_transition = self._transition(state, cause, open_seconds)
        self._announce(self._last_transition)
        self.state = state
        self._since = now
        self._until = now + (open_seconds or 0.0)
        self._announced = False
        self._leases.clear()
        self._window, self._minimum = self._new_window(state, now)

    def _transition(self, state: BreakerState, cause: Cause, open_seconds: float | None) -> Transition:
        return Transition(
            breaker=self._name,
            previous=self.state,
            state=state,
            cause=cause,
            generation=self._generation,
            volume=self._window.volume,
            failures=self._window.failures,
            slow=self._window.slow,
            open_seconds=open_seconds,
        )

    def _next_open_seconds(self, now: float) -> float:
        settings = self._settings
        healthy = self.state is _CLOSED and now - self._since >= settings.healthy_seconds
        if healthy or not self._open_base:
            self._open_base = settings.open_seconds
        else:
            self._open_base = min(self._open_base * settings.open_growth, settings.open_max_seconds)
        # At the cap the upper half of the spread is cut off, not folded onto the cap: hosts stay apart.
        shortest = self._open_base * (1.0 - settings.open_jitter)
        longest = min(self._open_base * (1.0 + settings.open_jitter), settings.open_max_seconds)
        return shortest + (longest - shortest) * self._random()

    def _new_window(self, state: BreakerState, now: float) -> tuple[Window, int]:
        settings = self._settings
        if state is _HALF_OPEN:
            return CountWindow(settings.half_open_permits), settings.half_open_permits
        if settings.window == "count":
            return CountWindow(settings.window_calls), settings.minimum_calls
        return TimeWindow(settings.window_seconds, now), settings.minimum_calls
