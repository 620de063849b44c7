"""What can be seen of plugins' health: values alone. Imports only `records` and `values`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum

from msgspec import Struct, field
from msgspec.structs import replace

from hotplane.records.measures import Fraction
from hotplane.values import Json

__all__ = [
    "CheckResult",
    "HealthChange",
    "HealthLine",
    "HealthReport",
    "HealthState",
    "HealthSummary",
    "percentile",
    "summarize",
    "worse",
]


class HealthState(StrEnum):
    """What the host holds of a plugin's health, worst first."""

    UNHEALTHY = "unhealthy"
    DEGRADED = "degraded"
    UNKNOWN = "unknown"
    """Not looked at yet; of one observation: it says nothing about the plugin."""
    HEALTHY = "healthy"


class CheckResult(Struct, frozen=True, kw_only=True):
    """One observation of one plugin."""

    at: datetime
    """When it began."""
    status: HealthState
    message: str = ""
    duration_ms: float | None = None
    """Response time of the check; null where the plugin has none and only its calls were looked at."""


class HealthReport(Struct, frozen=True, kw_only=True):
    """One plugin's health."""

    plugin_id: str
    status: HealthState
    since: datetime
    """When `status` last changed."""
    active: bool
    """Whether the plugin is observed now; what is said of one that is not is what was last known."""
    consecutive_failures: int
    consecutive_successes: int
    last: CheckResult | None
    details: Mapping[str, Json]
    """What the plugin's last answer gave beside status and message."""
    success_rate: Fraction | None
    """Of the observations in `history` that say something; null where none does."""
    p50_ms: float | None
    """Response times over the checks in `history`; null where there are none."""
    p95_ms: float | None
    max_ms: float | None
    recovery_attempts: int
    """How often recovery was asked for since the plugin was last healthy."""
    history: tuple[CheckResult, ...]
    """Oldest first, bounded by the setting `history`."""

    @classmethod
    def unknown(cls, plugin_id: str, since: datetime) -> HealthReport:
        """Return the report of a plugin that nothing is known of."""
        return cls(
            plugin_id=plugin_id,
            status=HealthState.UNKNOWN,
            since=since,
            active=False,
            consecutive_failures=0,
            consecutive_successes=0,
            last=None,
            details={},
            success_rate=None,
            p50_ms=None,
            p95_ms=None,
            max_ms=None,
            recovery_attempts=0,
            history=(),
        )


class HealthChange(Struct, frozen=True, kw_only=True):
    """One change of a plugin's health."""

    plugin_id: str
    before: HealthState
    after: HealthState
    reason: str
    at: datetime


class HealthLine(Struct, frozen=True, kw_only=True):
    """One plugin in a summary."""

    plugin_id: str
    status: HealthState
    since: datetime
    message: str
    recovery_attempts: int


class HealthSummary(Struct, frozen=True, kw_only=True):
    """The health of all active plugins at a glance."""

    status: HealthState
    """The worst there is; healthy where there are no plugins."""
    counts: Mapping[HealthState, int]
    """Every state with its number of plugins."""
    plugins: tuple[HealthLine, ...] = field(default_factory=tuple[HealthLine, ...])
    """Worst first, then by id."""


def worse(check: CheckResult, calls: HealthState, sentence: str) -> CheckResult:
    """Return the observation that a check's result and the evidence of calls come to.

    What the calls say against a plugin outweighs its own word; where they say nothing, its word stands.
    """
    if calls is HealthState.UNHEALTHY and check.status is not HealthState.UNHEALTHY:
        return replace(check, status=calls, message=sentence)
    if calls is HealthState.UNKNOWN and check.duration_ms is None:
        return replace(check, status=calls, message=sentence)
    return check


_BADNESS = {state: rank for rank, state in enumerate(HealthState)}


def summarize(reports: Iterable[HealthReport]) -> HealthSummary:
    """Sum up the reports of active plugins."""
    active = sorted(
        (report for report in reports if report.active), key=lambda each: (_BADNESS[each.status], each.plugin_id)
    )
    counts = dict.fromkeys(HealthState, 0)
    for report in active:
        counts[report.status] += 1
    return HealthSummary(
        status=active[0].status if active else HealthState.HEALTHY,
        counts=counts,
        plugins=tuple(_line(report) for report in active),
    )


def _line(report: HealthReport) -> HealthLine:
    return HealthLine(
        plugin_id=report.plugin_id,
        status=report.status,
        since=report.since,
        message=report.last.message if report.last is not None else "",
        recovery_attempts=report.recovery_attempts,
    )


def percentile(ordered: Sequence[float], fraction: float) -> float | None:
    """Return the nearest-rank percentile of sorted values; None where there are none."""
    if not ordered:
        return None
    return ordered[max(0, math.ceil(fraction * len(ordered)) - 1)]
