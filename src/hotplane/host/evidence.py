"""Passive evidence: what the errors of a plugin's calls say about it. Imports only `registry` and its own room."""

from __future__ import annotations

from hotplane.host.health_report import HealthState
from hotplane.host.health_settings import PassiveSettings
from hotplane.registry import PluginStats

__all__ = ["Evidence"]


class Evidence:
    """Reads one plugin's counters at every look, and judges each call at most once.

    Calls gather until there are enough of them to judge; what does not become enough within the window is forgotten.
    So one burst of errors is one failed observation, however often one looks.

    Args:
        settings: What counts as bad, and what as enough.
        stats: The counters, which only grow.
        now: Seconds, monotonic.
    """

    def __init__(self, settings: PassiveSettings, stats: PluginStats, now: float) -> None:
        self._settings = settings
        self._stats = stats
        self._began, self._errors, self._calls = now, stats.errors, stats.calls

    def look(self, now: float) -> tuple[HealthState, str]:
        """Return what the calls since the last judgement say, and a sentence.

        Healthy: none of them failed, or fewer than the threshold. Unhealthy: the threshold is reached. Unknown: some
        failed, but there are too few calls to judge.
        """
        # Errors first: a failed call counts as failed before it counts at all, and it may end in another thread.
        errors, calls = self._stats.errors, self._stats.calls
        failed, made = errors - self._errors, calls - self._calls
        enough = made >= self._settings.minimum_calls
        if enough or now - self._began >= self._settings.window_seconds:
            self._began, self._errors, self._calls = now, errors, calls
        if not failed or not self._settings.enabled:
            return HealthState.HEALTHY, ""
        sentence = f"{failed} of {made} calls failed"
        if not enough:
            return HealthState.UNKNOWN, f"{sentence}, too few to judge"
        bad = failed >= self._settings.error_rate * made
        return HealthState.UNHEALTHY if bad else HealthState.HEALTHY, sentence
