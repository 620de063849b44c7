"""What the errors of calls say about a plugin, on a clock that the test turns."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotplane.host.evidence import Evidence
from hotplane.host.health_report import HealthState
from hotplane.host.health_settings import PassiveSettings
from hotplane.registry import PluginStats


def count(stats: PluginStats, calls: int, errors: int) -> None:
    """Let so many calls end."""
    for number in range(calls):
        stats.errors += number < errors
        stats.observe(1000)


@pytest.mark.parametrize(
    ("calls", "errors", "expected"),
    [
        (0, 0, "healthy"),
        (1000, 0, "healthy"),
        (1, 1, "unknown"),
        (19, 19, "unknown"),
        (20, 9, "healthy"),
        (20, 10, "unhealthy"),
        (1000, 499, "healthy"),
        (1000, 500, "unhealthy"),
    ],
)
def test_judgement(calls: int, errors: int, expected: str) -> None:
    """Half of at least twenty calls speak against a plugin; fewer calls with errors say nothing."""
    stats = PluginStats()
    evidence = Evidence(PassiveSettings(), stats, 0.0)
    count(stats, calls, errors)
    assert evidence.look(30.0)[0] == expected


def test_a_burst_is_judged_once() -> None:
    """Errors that were judged are not held against the plugin again."""
    stats = PluginStats()
    evidence = Evidence(PassiveSettings(), stats, 0.0)
    count(stats, 100, 100)
    assert [evidence.look(time)[0] for time in (30.0, 60.0)] == [HealthState.UNHEALTHY, HealthState.HEALTHY]


def test_few_calls_wait_for_more() -> None:
    """Calls too few to judge are judged together with the next ones."""
    stats = PluginStats()
    evidence = Evidence(PassiveSettings(), stats, 0.0)
    count(stats, 12, 12)
    assert evidence.look(30.0)[0] is HealthState.UNKNOWN
    count(stats, 12, 12)
    assert evidence.look(45.0) == (HealthState.UNHEALTHY, "24 of 24 calls failed")


def test_few_calls_are_forgotten_after_the_window() -> None:
    """Errors that never became enough to judge do not stay for ever."""
    stats = PluginStats()
    evidence = Evidence(PassiveSettings(), stats, 0.0)
    count(stats, 12, 12)
    assert [evidence.look(time)[0] for time in (30.0, 60.0, 90.0)] == ["unknown", "unknown", "healthy"]


def test_errors_from_before_do_not_count() -> None:
    """Only calls since the watch began are evidence."""
    stats = PluginStats()
    count(stats, 100, 100)
    assert Evidence(PassiveSettings(), stats, 0.0).look(1.0)[0] is HealthState.HEALTHY


def test_it_can_be_disabled() -> None:
    """With passive evidence disabled no error speaks against a plugin."""
    stats = PluginStats()
    evidence = Evidence(PassiveSettings(enabled=False), stats, 0.0)
    count(stats, 100, 100)
    assert evidence.look(1.0)[0] is HealthState.HEALTHY


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30), st.integers(1, 50)), max_size=20))
def test_no_call_is_judged_twice(steps: list[tuple[int, int, int]]) -> None:
    """However calls and looks alternate, the errors of all bad judgements are never more than there were."""
    stats, time, judged = PluginStats(), 0.0, 0
    evidence = Evidence(PassiveSettings(), stats, time)
    for calls, errors, seconds in steps:
        count(stats, calls, min(calls, errors))
        time += seconds
        status, sentence = evidence.look(time)
        if status is HealthState.UNHEALTHY:
            judged += int(sentence.split()[0])
    assert judged <= stats.errors
