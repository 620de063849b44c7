"""A circuit breaker for threads and tasks. Imports only `errors`, `plugins` and this room's machine and values.

The states and rates are those of resilience4j, the generation numbers those of gobreaker; that a probe's permit is
leased, so that half-open can neither hang nor stampede, is ours. docs/explanation/breaker.md has every boundary.
"""

from __future__ import annotations

import logging
import random as _random
import time
from collections.abc import Awaitable, Callable
from threading import Lock
from typing import ParamSpec, TypeVar

from hotplane.plugins.runner import ProgramFailed
from hotplane.routing.announcer import Announcer
from hotplane.routing.machine import BreakerMachine
from hotplane.routing.permit import Permit, Rejection
from hotplane.routing.settings import BreakerSettings
from hotplane.routing.states import BreakerSnapshot, BreakerState, Transition

__all__ = ["Breaker", "is_runner_failure"]

P = ParamSpec("P")
T = TypeVar("T")

_log = logging.getLogger(__name__)


def is_runner_failure(error: Exception) -> bool:
    """Tell whether `error` speaks against whoever was called: everything but a program's own failure does."""
    return not isinstance(error, ProgramFailed)


class Breaker:
    """Keeps calls away from what fails or is slow, and finds out by probes when it works again.

    Safe for threads and tasks. Its lock is held for less than a microsecond and never while a call, a
    listener or `failure_if` runs; `clock` and `random` are read under it, so they must be plain functions. There
    is no timer: an open breaker becomes half-open on the first call after its open time.

    Args:
        name: Who is called; it appears in errors and transitions.
        settings: Thresholds and times.
        clock: Seconds that pass steadily. A step back counts as no time passed.
        random: Gives numbers in [0, 1), for the jitter.
        on_transition: Called after each transition, in order, outside the lock, by whichever thread is there.
            What it raises is logged.
        failure_if: Whether an exception out of a permit's block counts as a failure; if not, it is a success.
    """

    def __init__(
        self,
        name: str,
        settings: BreakerSettings | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        random: Callable[[], float] = _random.random,
        on_transition: Callable[[Transition], object] | None = None,
        failure_if: Callable[[Exception], bool] = is_runner_failure,
    ) -> None:
        self.name = name
        self.settings = settings or BreakerSettings()
        self._failure_if = failure_if
        self._clock = clock
        self._last_reading = clock()
        self._stepped_back = 0.0
        self._lock = Lock()
        self._announcer = Announcer(on_transition)
        self._waiting = self._announcer.waiting
        self._machine = BreakerMachine(
            name, self.settings, self, self._last_reading, random=random, announce=self._announcer.put
        )

    @property
    def state(self) -> BreakerState:
        """The present state; an open breaker stays open until a call finds its open time over."""
        return self._machine.state

    def admit(self) -> Permit | Rejection:
        """Ask for leave to make one call, without raising. A permit must be settled; a rejection is falsy."""
        with self._lock:
            answer = self._machine.admit(self._now())
        if self._waiting:
            self._announcer.deliver()
        return answer

    def acquire(self) -> Permit:
        """Ask for leave to make one call: ``with breaker.acquire(): ...`` or ``async with breaker.acquire(): ...``.

        Raises:
            BreakerOpen: The call must not be made now; its `retry_after` says when.
        """
        answer = self.admit()
        if isinstance(answer, Rejection):
            raise answer.error()
        return answer

    async def call(self, function: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Await ``function(*args, **kwargs)`` behind the breaker and report how it ended.

        Raises:
            BreakerOpen: The call must not be made now; its `retry_after` says when.
        """
        with self.acquire():
            return await function(*args, **kwargs)

    def report(self, permit: Permit, *, failed: bool, seconds: float | None = None) -> None:
        """Settle a permit of this breaker with a result. A permit that is settled already stays as it is.

        Args:
            permit: What `admit` gave.
            failed: Whether the call failed.
            seconds: How long it took; by default the time since the permit was given.
        """
        with self._lock:
            self._machine.report(permit, failed, seconds, self._now())
        if self._waiting:
            self._announcer.deliver()

    def withdraw(self, permit: Permit) -> None:
        """Settle a permit of this breaker without a result: it counts as neither success nor failure."""
        with self._lock:
            self._machine.withdraw(permit, self._now())
        self._announcer.deliver()

    def is_failure(self, error: Exception) -> bool:
        """Ask `failure_if` about `error`; when that raises itself, the answer is yes and the log tells."""
        try:
            return self._failure_if(error)
        except Exception:
            _log.exception("The breaker %r could not judge a %s and counts it", self.name, type(error).__name__)
            return True

    def force_open(self) -> None:
        """Let no call through until `reset`, `disable` or `metrics_only`."""
        self._request(BreakerState.FORCED_OPEN)

    def disable(self) -> None:
        """Let every call through and judge none."""
        self._request(BreakerState.DISABLED)

    def metrics_only(self) -> None:
        """Let every call through, judge them, and announce once when the breaker would have opened."""
        self._request(BreakerState.METRICS_ONLY)

    def reset(self) -> None:
        """Close the breaker with an empty window and the first open time; results still to come are stale."""
        with self._lock:
            self._machine.reset(self._now())
        self._announcer.deliver()

    def snapshot(self) -> BreakerSnapshot:
        """Return state and figures as of now. Looking changes nothing, not even a state whose time is over."""
        with self._lock:
            return self._machine.snapshot(self._now())

    def _request(self, state: BreakerState) -> None:
        with self._lock:
            self._machine.request(state, self._now())
        self._announcer.deliver()

    def _now(self) -> float:
        # Read under the lock: readings taken outside could arrive out of order and pass for steps back.
        reading = self._clock()
        if reading < self._last_reading:
            self._stepped_back += self._last_reading - reading
        self._last_reading = reading
        return reading + self._stepped_back
