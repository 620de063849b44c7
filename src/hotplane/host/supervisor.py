"""When a plugin that ended is started again: policy alone, on an injected clock, without tasks.

Imports `errors`, `restarts` and the clock's protocol from `plugins`; never the manager, which acts on the decisions.
"""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from hotplane.errors import PluginMisconfigured, RetryLater
from hotplane.host.restarts import RestartSettings, RestartType
from hotplane.plugins import Clock

__all__ = [
    "Decision",
    "Exit",
    "ExitKind",
    "Failure",
    "RestartPolicy",
    "RestartSettings",
    "RestartType",
    "Supervisor",
    "Verdict",
    "exit_of",
]

LONGEST_RETRY = 3600.0
"""Seconds; a plugin that asks for a later retry is tried after this."""


class ExitKind(StrEnum):
    """How a plugin ended."""

    NORMAL = "normal"
    """It said that it is done, or its process ended with 0."""
    REQUESTED = "requested"
    CRASH = "crash"
    """A failed start, a failed background task, the health threshold, or the death of its process."""
    RETRY_LATER = "retry-later"
    MISCONFIGURED = "misconfigured"


@dataclass(frozen=True, slots=True)
class Exit:
    """One end of a plugin."""

    kind: ExitKind
    reason: str = ""
    retry_after: float = 0.0
    """Seconds, of `RETRY_LATER` alone."""


def exit_of(error: BaseException) -> Exit:
    """Return how a plugin that raised `error` ended: failure is typed by its exception."""
    reason = f"{type(error).__name__}: {error}"
    if isinstance(error, RetryLater):
        return Exit(ExitKind.RETRY_LATER, reason, error.after)
    if isinstance(error, PluginMisconfigured):
        return Exit(ExitKind.MISCONFIGURED, reason)
    return Exit(ExitKind.CRASH, reason)


@dataclass(frozen=True, slots=True)
class Failure:
    """An end that counted."""

    at: datetime
    reason: str


class Verdict(StrEnum):
    """What follows an end."""

    RESTART = "restart"
    GIVE_UP = "give-up"
    """The plugin is `failed` until an operator starts it."""
    REST = "rest"
    """The plugin is `unloaded`: nothing is wrong with it."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What follows an end, and why."""

    verdict: Verdict
    reason: str
    at: float | None = None
    """When to restart, on the monotonic clock; null unless the verdict is to restart."""
    retry_at: datetime | None = None
    """The same instant for people, in UTC."""
    history: tuple[Failure, ...] = ()
    """The failures inside the window, oldest first."""


@dataclass(slots=True)
class _Shutdown:
    begun: bool = False


class RestartPolicy:
    """Decides for one plugin. Not safe from several threads: the plugin's lock covers it.

    Args:
        settings: The limits.
        clock: Delays and windows use its monotonic side; only the history has wall-clock times.
        chance: Returns a number in [0, 1) for the jitter.
    """

    def __init__(
        self, settings: RestartSettings, clock: Clock, chance: Callable[[], float], shutdown: _Shutdown | None = None
    ) -> None:
        self.settings = settings
        self._clock = clock
        self._chance = chance
        self._shutdown = shutdown or _Shutdown()
        self._failures: deque[tuple[float, Failure]] = deque(maxlen=settings.max_restarts + 1)
        self._restarts: deque[float] = deque(maxlen=max(settings.max_restarts, 1))
        self._attempt = 0
        self._healthy_since: float | None = None
        self._given_up: Decision | None = None

    @property
    def history(self) -> tuple[Failure, ...]:
        """The latest failures that counted, oldest first; at most `max_restarts` + 1."""
        return tuple(failure for _, failure in self._failures)

    def started_by_hand(self) -> None:
        """Forget every failure: an operator took the matter in hand."""
        self._failures.clear()
        self._restarts.clear()
        self._attempt = 0
        self._healthy_since = None
        self._given_up = None

    def healthy(self) -> None:
        """Note that the plugin works now; after `reset_after_seconds` of it the delay is short again."""
        if self._healthy_since is None:
            self._healthy_since = self._clock.monotonic()
        elif self._clock.monotonic() - self._healthy_since >= self.settings.reset_after_seconds:
            self._attempt = 0

    def unhealthy(self) -> None:
        """Note that the plugin does not work now: the healthy time begins anew."""
        self._settle_health()

    def on_exit(self, exit: Exit) -> Decision:
        """Decide what follows the plugin's end."""
        self._settle_health()
        if self._shutdown.begun:
            return Decision(Verdict.REST, "the host is shutting down")
        if exit.kind is ExitKind.REQUESTED:
            return Decision(Verdict.REST, "it was asked to stop")
        if self._given_up is not None:
            return self._given_up
        if exit.kind is ExitKind.RETRY_LATER:
            return self._retry(exit)
        if exit.kind is ExitKind.MISCONFIGURED:
            return self._give_up(f"{exit.reason}; it waits for the operator")
        return self._after_end(exit)

    def _settle_health(self) -> None:
        if self._healthy_since is not None:
            self.healthy()
        self._healthy_since = None

    def _after_end(self, exit: Exit) -> Decision:
        ended_well = exit.kind is ExitKind.NORMAL
        if ended_well and self.settings.type is not RestartType.PERMANENT:
            return Decision(Verdict.REST, "it ended normally")
        self._record(exit.reason or "it ended normally")
        if self.settings.type is RestartType.TEMPORARY:
            return self._give_up(f"{exit.reason}; a temporary plugin is not restarted")
        return self._count(exit.reason)

    def _record(self, reason: str) -> None:
        now = self._clock.monotonic()
        self._failures.append((now, Failure(self._clock.now(), reason)))
        # The edge is inclusive, as in OTP: a failure exactly one window ago still counts.
        while now - self._failures[0][0] > self.settings.window_seconds:
            self._failures.popleft()

    def _count(self, reason: str) -> Decision:
        limit = self.settings.max_restarts
        if len(self._failures) > limit:
            window = self.settings.window_seconds
            return self._give_up(f"{reason}; that was failure {limit + 1} within {window:g} s, and {limit} are allowed")
        at = self._next_restart()
        self._attempt += 1
        self._restarts.append(at)
        return self._restart(at, reason)

    def _next_restart(self) -> float:
        at = self._clock.monotonic() + self.settings.delay(self._attempt, self._chance())
        if len(self._restarts) < self.settings.max_restarts:
            return at
        # Delays shrink after a reset, so restarts can lie closer together than the failures that caused them.
        return max(at, math.nextafter(self._restarts[0] + self.settings.window_seconds, math.inf))

    def _retry(self, exit: Exit) -> Decision:
        asked = exit.retry_after if math.isfinite(exit.retry_after) else LONGEST_RETRY
        # Never sooner than a first restart: a plugin that asks for 0 s must not spin.
        wait = min(max(asked, self.settings.delay_seconds), max(LONGEST_RETRY, self.settings.delay_seconds))
        return self._restart(self._clock.monotonic() + wait, exit.reason)

    def _restart(self, at: float, reason: str) -> Decision:
        retry_at = self._clock.now() + timedelta(seconds=at - self._clock.monotonic())
        return Decision(Verdict.RESTART, reason, at, retry_at, self.history)

    def _give_up(self, reason: str) -> Decision:
        self._given_up = Decision(Verdict.GIVE_UP, reason, history=self.history)
        return self._given_up


class Supervisor:
    """The policies of all plugins of a host, one of each.

    Args:
        clock: Shared by all policies.
        chance: Returns a number in [0, 1) for the jitter.
    """

    def __init__(self, clock: Clock, chance: Callable[[], float] = random.random) -> None:
        self._clock = clock
        self._chance = chance
        self._shutdown = _Shutdown()
        self._policies: dict[str, RestartPolicy] = {}

    def watch(self, plugin_id: str, settings: RestartSettings) -> RestartPolicy:
        """Return the plugin's policy; one with other settings begins without history."""
        policy = self._policies.get(plugin_id)
        if policy is None or policy.settings != settings:
            policy = RestartPolicy(settings, self._clock, self._chance, self._shutdown)
            self._policies[plugin_id] = policy
        return policy

    def forget(self, plugin_id: str) -> None:
        """Drop the policy of a plugin that is gone."""
        self._policies.pop(plugin_id, None)

    def shut_down(self) -> None:
        """From now on, restart nothing."""
        self._shutdown.begun = True
