"""When requests are repeated: limits in attempts and seconds together, with a clock of the test's own."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotplane.client import ApiInvalid, ApiUnavailable, ClientError, ConnectionFailed, Retry, RetryPolicy
from hotplane.client.failures import ApiError, NotHotplane, api_error_class
from hotplane.client.retries import Schedule, log_retry
from hotplane.log import capture_logs

LOST = ConnectionFailed("http://h", "refused")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def schedule(clock: Clock, seen: list[Retry] | None = None, **policy: Any) -> Schedule:
    """Return a schedule whose jitter is always the largest."""
    told = seen.append if seen is not None else lambda _: None
    return Schedule(RetryPolicy(**policy), "GET /x", told, clock=clock, jitter=lambda low, high: high)


def waits(found: Schedule, clock: Clock, error: ClientError = LOST) -> list[float]:
    """Return the waits until the schedule gives up."""
    given: list[float] = []
    while True:
        try:
            given.append(found.wait_after(error))
        except ClientError:
            return given
        clock.now += given[-1]


def test_waits_double_up_to_the_longest() -> None:
    """0.1 s, doubled, with jitter on top, at most `wait_max`."""
    clock = Clock()
    found = waits(schedule(clock, attempts=6, wait_jitter=0.05, wait_max=1), clock)
    assert found == pytest.approx([0.15, 0.25, 0.45, 0.85, 1.0])


def test_attempts_are_counted_with_the_first() -> None:
    """One attempt repeats nothing."""
    clock = Clock()
    assert waits(schedule(clock, attempts=1), clock) == []


@given(st.floats(0.1, 100), st.floats(0, 10), st.integers(1, 50))
def test_no_try_begins_after_the_time_is_up(total: float, wait: float, attempts: int) -> None:
    """The waits together fit into the budget, whatever the policy."""
    clock = Clock()
    found = waits(schedule(clock, total_seconds=total, wait_initial=wait, attempts=attempts), clock)
    assert sum(found) <= total
    assert len(found) < attempts


def test_the_servers_advice_is_heeded() -> None:
    """Retry-After is waited for where it is longer than our own wait."""
    clock = Clock()
    busy = ApiUnavailable("Busy", "", status=503, retry_after=7.0)
    assert schedule(clock).wait_after(busy) == 7.0


def test_advice_beyond_the_budget_ends_it() -> None:
    """An hour does not fit into 45 s."""
    busy = ApiUnavailable("Busy", "", status=503, retry_after=3600.0)
    with pytest.raises(ApiUnavailable):
        schedule(Clock()).wait_after(busy)


def test_progress_begins_it_anew() -> None:
    """After something has arrived, both limits count from there."""
    clock = Clock()
    found = schedule(clock, attempts=2, total_seconds=5)
    found.wait_after(LOST)
    clock.now = 100.0
    found.begin_anew()
    assert found.wait_after(LOST) > 0


@pytest.mark.parametrize(
    "error", [ApiInvalid("Bad", "", status=422), NotHotplane("http://h", "html"), ApiError("Full", "", status=507)]
)
def test_what_will_not_pass_is_raised(error: ClientError) -> None:
    """Only what a moment may mend is repeated."""
    with pytest.raises(type(error)):
        schedule(Clock()).wait_after(error)


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_what_may_pass_is_transient(status: int) -> None:
    """These statuses are repeated."""
    assert api_error_class(status)("x", "", status=status).transient


def test_a_conflict_passes_only_when_the_key_is_in_flight() -> None:
    """409 is repeated for a request that the server is still at, and for no other reason."""
    kind = api_error_class(409)
    assert kind("x", "", status=409, code="idempotency-key-in-flight").transient
    assert not kind("x", "", status=409, code="plugin-needed").transient


def test_every_retry_is_told() -> None:
    """The hook gets the request, the number, the wait and the reason."""
    clock, seen = Clock(), list[Retry]()
    waits(schedule(clock, seen, attempts=3), clock)
    assert [(each.request, each.number, each.error) for each in seen] == [("GET /x", 1, LOST), ("GET /x", 2, LOST)]


def test_retries_are_logged_by_default(capsys: pytest.CaptureFixture[str]) -> None:
    """A warning goes to the log, and nothing to stdout."""
    with capture_logs() as logs:
        log_retry(Retry(request="GET /x", number=1, wait_seconds=0.5, error=LOST))
    assert (logs[0]["event"], logs[0]["log_level"]) == ("client.retry", "warning")
    assert capsys.readouterr().out == ""
