"""From observations to a plugin's state: thresholds and the ring of history, without time or tasks.

Imports only `records`, `values` and the health values of its own room.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from datetime import datetime
from enum import Enum, auto

from hotplane.host.health_report import CheckResult, HealthReport, HealthState, percentile
from hotplane.host.health_settings import HealthSettings
from hotplane.values import Json

__all__ = ["HealthRecord", "Turn"]


class Turn(Enum):
    """What an observation leads to."""

    UNHEALTHY = auto()
    """The failure threshold is reached, and recovery is to be asked for."""
    EXHAUSTED = auto()
    """The failure threshold is reached, and recovery was asked for as often as allowed."""
    RECOVERED = auto()


class HealthRecord:
    """One plugin's observations and what follows from them. Not safe from several threads.

    Args:
        plugin_id: Whose they are.
        settings: The thresholds.
        since: When watching began.
    """

    def __init__(self, plugin_id: str, settings: HealthSettings, since: datetime) -> None:
        self.plugin_id = plugin_id
        self.state: HealthState = HealthState.UNKNOWN
        self.failures = 0
        self.successes = 0
        self.recovery_attempts = 0
        self.details: Mapping[str, Json] = {}
        self._settings = settings
        self._since = since
        self._history: deque[CheckResult] = deque(maxlen=settings.history)
        self._told = False

    @property
    def since(self) -> datetime:
        """When the state last changed."""
        return self._since

    def renew(self) -> None:
        """Begin to count anew: another instance of the plugin took the place.

        An unhealthy plugin stays so until the new instance has proved itself; should that one fail as well, recovery
        is asked for again.
        """
        self.failures = self.successes = 0
        self._told = False

    def observe(self, result: CheckResult) -> Turn | None:
        """Take in an observation; one of unknown status is kept in the history and changes nothing else."""
        self._history.append(result)
        if result.status is HealthState.UNKNOWN:
            return None
        if result.status is HealthState.UNHEALTHY:
            self.failures += 1
            self.successes = 0
            return self._after_failure(result.at)
        self.successes += 1
        self.failures = 0
        return self._after_success(result)

    def report(self, *, active: bool) -> HealthReport:
        """Return what can be seen from outside."""
        history = tuple(self._history)
        judged = [
            each.status is not HealthState.UNHEALTHY for each in history if each.status is not HealthState.UNKNOWN
        ]
        times = sorted(each.duration_ms for each in history if each.duration_ms is not None)
        return HealthReport(
            plugin_id=self.plugin_id,
            status=self.state,
            since=self._since,
            active=active,
            consecutive_failures=self.failures,
            consecutive_successes=self.successes,
            last=history[-1] if history else None,
            details=self.details,
            success_rate=sum(judged) / len(judged) if judged else None,
            p50_ms=percentile(times, 0.5),
            p95_ms=percentile(times, 0.95),
            max_ms=percentile(times, 1.0),
            recovery_attempts=self.recovery_attempts,
            history=history,
        )

    def _after_failure(self, at: datetime) -> Turn | None:
        if self.failures < self._settings.failure_threshold or self._told:
            return None
        self._become(HealthState.UNHEALTHY, at)
        self._told = True
        if self.recovery_attempts >= self._settings.recovery_attempts:
            return Turn.EXHAUSTED
        self.recovery_attempts += 1
        return Turn.UNHEALTHY

    def _after_success(self, result: CheckResult) -> Turn | None:
        if self.state is not HealthState.UNHEALTHY:
            self._become(result.status, result.at)
            return None
        if self.successes < self._settings.recovery_threshold:
            return None
        self._become(result.status, result.at)
        self._told = False
        self.recovery_attempts = 0
        return Turn.RECOVERED

    def _become(self, state: HealthState, at: datetime) -> None:
        if state is not self.state:
            self.state, self._since = state, at
