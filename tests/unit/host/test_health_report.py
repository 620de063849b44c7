"""Sums over many plugins, and how a check and the calls come to one observation."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from hotplane.host.health_record import HealthRecord
from hotplane.host.health_report import CheckResult, HealthReport, HealthState, percentile, summarize, worse
from hotplane.host.health_settings import HealthSettings

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def report_of(plugin_id: str, status: str, *, active: bool = True) -> HealthReport:
    """Return the report of a plugin whose first observations said so."""
    record = HealthRecord(plugin_id, HealthSettings(failure_threshold=1), BEGIN)
    record.observe(CheckResult(at=BEGIN, status=HealthState(status), message=f"{plugin_id} is {status}"))
    return record.report(active=active)


def test_summary_has_the_worst_first() -> None:
    """A summary counts every state and lists plugins worst first, then by id."""
    kinds = {"d": "healthy", "c": "degraded", "b": "unhealthy", "a": "healthy", "e": "unknown"}
    summary = summarize(report_of(plugin_id, status) for plugin_id, status in kinds.items())
    assert [line.plugin_id for line in summary.plugins] == ["b", "c", "e", "a", "d"]
    assert summary.counts == {"healthy": 2, "degraded": 1, "unhealthy": 1, "unknown": 1}
    assert (summary.status, summary.plugins[0].message) == (HealthState.UNHEALTHY, "b is unhealthy")


def test_summary_leaves_out_what_is_not_active() -> None:
    """A plugin that was stopped does not make the host look ill."""
    summary = summarize([report_of("a", "unhealthy", active=False), report_of("b", "healthy")])
    assert (summary.status, len(summary.plugins)) == (HealthState.HEALTHY, 1)


def test_no_plugins_are_healthy() -> None:
    """A host without plugins is healthy."""
    assert summarize([]).status is HealthState.HEALTHY


@pytest.mark.parametrize(
    ("values", "fraction", "expected"),
    [
        ([], 0.5, None),
        ([7], 0.5, 7),
        ([1, 2], 0.5, 1),
        ([1, 2, 3], 0.5, 2),
        ([*range(1, 101)], 0.95, 95),
        ([1, 2], 0, 1),
    ],
)
def test_percentile(values: list[float], fraction: float, expected: float | None) -> None:
    """Percentiles are by nearest rank, so that each is a time that really occurred."""
    assert percentile(values, fraction) == expected


@pytest.mark.parametrize(
    ("check", "has_check", "calls", "expected"),
    [
        ("healthy", True, "healthy", "healthy"),
        ("healthy", True, "unknown", "healthy"),
        ("healthy", True, "unhealthy", "unhealthy"),
        ("degraded", True, "unknown", "degraded"),
        ("unknown", True, "healthy", "unknown"),
        ("unknown", True, "unhealthy", "unhealthy"),
        ("unhealthy", True, "healthy", "unhealthy"),
        ("healthy", False, "healthy", "healthy"),
        ("healthy", False, "unknown", "unknown"),
        ("healthy", False, "unhealthy", "unhealthy"),
    ],
)
def test_check_and_calls_come_to_one_observation(check: str, has_check: bool, calls: str, expected: str) -> None:
    """What the calls say against a plugin outweighs its word; too few calls are no reason to doubt it."""
    result = CheckResult(at=BEGIN, status=HealthState(check), duration_ms=1.0 if has_check else None)
    assert worse(result, HealthState(calls), "5 of 9 calls failed").status == expected
