"""Thresholds, history and figures of one plugin's health, without time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from hotplane.host.health_record import HealthRecord, Turn
from hotplane.host.health_report import CheckResult, HealthState
from hotplane.host.health_settings import HealthSettings

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
LETTERS = {
    "+": HealthState.HEALTHY,
    "~": HealthState.DEGRADED,
    "-": HealthState.UNHEALTHY,
    "?": HealthState.UNKNOWN,
}


def record_with(**changes: object) -> HealthRecord:
    """Return a fresh record under changed settings."""
    return HealthRecord("a", HealthSettings.model_validate(changes), BEGIN)


def feed(record: HealthRecord, letters: str) -> list[Turn | None]:
    """Observe one result per letter, a second apart; ``|`` puts another instance in the plugin's place."""
    turns = list[Turn | None]()
    for second, letter in enumerate(letters, start=1):
        if letter == "|":
            record.renew()
            turns.append(None)
        else:
            at = BEGIN + timedelta(seconds=second)
            turns.append(record.observe(CheckResult(at=at, status=LETTERS[letter], duration_ms=float(second))))
    return turns


def told(record: HealthRecord, letters: str) -> str:
    """Return what each observation led to: U unhealthy, X exhausted, R recovered, a dot for nothing."""
    marks = {None: ".", Turn.UNHEALTHY: "U", Turn.EXHAUSTED: "X", Turn.RECOVERED: "R"}
    return "".join(marks[turn] for turn in feed(record, letters))


@pytest.mark.parametrize(
    ("observed", "leads_to", "ends"),
    [
        ("", "", "unknown"),
        ("+", ".", "healthy"),
        ("~", ".", "degraded"),
        ("?", ".", "unknown"),
        ("-", ".", "unknown"),
        ("--", "..", "unknown"),
        ("+--", "...", "healthy"),
        ("---", "..U", "unhealthy"),
        ("--+--", ".....", "healthy"),
        ("--?-", "...U", "unhealthy"),
        ("-----", "..U..", "unhealthy"),
        ("---+", "..U.", "unhealthy"),
        ("---++", "..U.R", "healthy"),
        ("---+~", "..U.R", "degraded"),
        ("---+?+", "..U..R", "healthy"),
        ("---+-+", "..U...", "unhealthy"),
        ("---+---", "..U....", "unhealthy"),
        ("---++---", "..U.R..U", "unhealthy"),
        ("--|--", ".....", "unknown"),
        ("---|", "..U.", "unhealthy"),
        ("---|---", "..U...U", "unhealthy"),
        ("---+|+", "..U...", "unhealthy"),
        ("---|++", "..U..R", "healthy"),
    ],
)
def test_thresholds(observed: str, leads_to: str, ends: str) -> None:
    """The third failure in a row turns a plugin unhealthy, the second success recovers it; each is told once."""
    record = record_with()
    assert (told(record, observed), record.state) == (leads_to, ends)


@pytest.mark.parametrize(("allowed", "leads_to"), [(0, "X.X.X.X."), (1, "U.X.X.X."), (3, "U.U.U.X."), (4, "U.U.U.U.")])
def test_recovery_attempts_have_a_maximum(allowed: int, leads_to: str) -> None:
    """However many instances fail, recovery is asked for at most so many times."""
    assert told(record_with(failure_threshold=1, recovery_attempts=allowed), "-|-|-|-|") == leads_to


def test_attempts_begin_anew_after_a_recovery() -> None:
    """A plugin that has recovered has all its recovery attempts again."""
    record = record_with(failure_threshold=1, recovery_threshold=1, recovery_attempts=1)
    assert told(record, "-|-+-") == "U.XRU"
    assert record.recovery_attempts == 1


observations = st.text("+~-?|", max_size=60)
limits = st.integers(1, 4)


@given(observations, limits, limits, st.integers(0, 3))
def test_thresholds_follow_the_model(observed: str, failure: int, recovery: int, attempts: int) -> None:
    """Whatever is observed, turns come exactly where the last instance's observations end in a full row."""
    record = record_with(failure_threshold=failure, recovery_threshold=recovery, recovery_attempts=attempts)
    expected, row, unhealthy, asked, begun = "", "", False, False, 0
    for letter in observed:
        mark = "."
        if letter == "|":
            row, asked = "", False
        elif letter != "?":
            row += "-" if letter == "-" else "+"
            if row.endswith("-" * failure) and not asked:
                unhealthy, asked = True, True
                mark = "U" if begun < attempts else "X"
                begun += mark == "U"
            elif unhealthy and row.endswith("+" * recovery):
                unhealthy, asked, begun, mark = False, False, 0, "R"
        expected += mark
    assert told(record, observed) == expected
    assert (record.state is HealthState.UNHEALTHY) == unhealthy


def test_since_is_when_the_state_changed() -> None:
    """`since` is the begin of the observation that changed the state, not of the latest one."""
    record = record_with()
    feed(record, "+++---")
    assert record.report(active=True).since == BEGIN + timedelta(seconds=6)
    feed(record, "-")
    assert record.report(active=True).since == BEGIN + timedelta(seconds=6)


def test_history_is_a_ring() -> None:
    """Only the newest observations are kept, oldest first."""
    record = record_with(history=3)
    feed(record, "-+-+-")
    assert [each.duration_ms for each in record.report(active=True).history] == [3.0, 4.0, 5.0]


def test_figures_are_over_the_history() -> None:
    """Success rate and response times come from the observations that are kept; unknown ones judge nothing."""
    record = record_with(history=4)
    feed(record, "---+?-+")
    report = record.report(active=True)
    assert report.success_rate == pytest.approx(2 / 3)
    assert (report.p50_ms, report.p95_ms, report.max_ms) == (5.0, 7.0, 7.0)


def test_a_report_without_observations() -> None:
    """A plugin that was never observed has no figures rather than perfect ones."""
    report = record_with().report(active=True)
    assert (report.status, report.last, report.success_rate, report.p50_ms, report.max_ms) == (
        (HealthState.UNKNOWN,) + (None,) * 4
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"interval_seconds": 0},
        {"interval_seconds": float("nan")},
        {"timeout_seconds": float("inf")},
        {"failure_threshold": 0},
        {"recovery_threshold": 0},
        {"recovery_attempts": -1},
        {"history": 0},
        {"jitter": 1.1},
        {"passive": {"error_rate": 0}},
        {"passive": {"minimum_calls": 0}},
        {"intervall_seconds": 5},
    ],
)
def test_settings_are_checked(wrong: dict[str, object]) -> None:
    """A setting that makes no sense is refused."""
    with pytest.raises(ValidationError):
        HealthSettings.model_validate(wrong)
