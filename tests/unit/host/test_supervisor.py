"""The restart policy, on a clock that the test turns."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from hotplane.errors import PluginMisconfigured, RetryLater
from hotplane.host.supervisor import (
    Exit,
    ExitKind,
    RestartPolicy,
    RestartSettings,
    RestartType,
    Supervisor,
    Verdict,
    exit_of,
)

CRASH = Exit(ExitKind.CRASH, "ValueError: boom")


class Turned:
    """A clock that stands still until it is turned."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Turned:
    """Return a clock that the test turns."""
    return Turned()


def policy_on(clock: Turned, **changes: object) -> RestartPolicy:
    """Return a policy without jitter."""
    return RestartPolicy(RestartSettings.model_validate(changes), clock, lambda: 0.0)


@pytest.mark.parametrize(
    ("type", "kind", "verdict"),
    [
        ("permanent", "normal", "restart"),
        ("permanent", "requested", "rest"),
        ("permanent", "crash", "restart"),
        ("transient", "normal", "rest"),
        ("transient", "requested", "rest"),
        ("transient", "crash", "restart"),
        ("temporary", "normal", "rest"),
        ("temporary", "requested", "rest"),
        ("temporary", "crash", "give-up"),
        *[(each, "retry-later", "restart") for each in RestartType],
        *[(each, "misconfigured", "give-up") for each in RestartType],
    ],
)
def test_restart_types(clock: Turned, type: str, kind: str, verdict: str) -> None:
    """What follows an end is what Erlang/OTP's table says, and the two typed failures follow their own rule."""
    decision = policy_on(clock, type=type).on_exit(Exit(ExitKind(kind), "why"))
    assert decision.verdict == verdict


@pytest.mark.parametrize("kind", list(ExitKind))
def test_nothing_restarts_in_a_shutdown(clock: Turned, kind: ExitKind) -> None:
    """A host that is shutting down restarts nothing, however a plugin ends."""
    supervisor = Supervisor(clock)
    policy = supervisor.watch("a", RestartSettings())
    supervisor.shut_down()
    assert policy.on_exit(Exit(kind)).verdict is Verdict.REST


@pytest.mark.parametrize("limit", [0, 1, 2, 5])
def test_limit(clock: Turned, limit: int) -> None:
    """N failures inside the window are followed by restarts, failure N+1 by none."""
    policy = policy_on(clock, max_restarts=limit)
    verdicts = [policy.on_exit(CRASH).verdict for _ in range(limit + 1)]
    assert verdicts == [Verdict.RESTART] * limit + [Verdict.GIVE_UP]


@pytest.mark.parametrize(("gap", "verdict"), [(99.9, "give-up"), (100.0, "give-up"), (100.1, "restart")])
def test_window_edge(clock: Turned, gap: float, verdict: str) -> None:
    """The edge of the window is inclusive: a failure exactly one window ago still counts."""
    policy = policy_on(clock, max_restarts=1, window_seconds=100)
    policy.on_exit(CRASH)
    clock.seconds += gap
    assert policy.on_exit(CRASH).verdict == verdict


def test_window_slides(clock: Turned) -> None:
    """Failures leave the window one by one, not all together."""
    policy = policy_on(clock, max_restarts=2, window_seconds=100)
    for seconds in (0, 60, 60):
        clock.seconds += seconds
        assert policy.on_exit(CRASH).verdict is Verdict.RESTART
    clock.seconds += 30
    assert policy.on_exit(CRASH).verdict is Verdict.GIVE_UP


def test_terminal_decision_has_the_history(clock: Turned) -> None:
    """Giving up names the number, the window and every failure in it."""
    policy = policy_on(clock, max_restarts=2)
    for number in range(2):
        clock.seconds += 1
        policy.on_exit(Exit(ExitKind.CRASH, f"crash {number}"))
    decision = policy.on_exit(Exit(ExitKind.CRASH, "crash 2"))
    assert [failure.reason for failure in decision.history] == ["crash 0", "crash 1", "crash 2"]
    assert decision.reason == "crash 2; that was failure 3 within 600 s, and 2 are allowed"
    assert (decision.at, decision.retry_at) == (None, None)


def test_given_up_is_for_good(clock: Turned) -> None:
    """Time alone does not bring back a plugin that was given up."""
    policy = policy_on(clock, max_restarts=0)
    first = policy.on_exit(CRASH)
    clock.seconds += 10_000
    assert policy.on_exit(CRASH) == first


def test_start_by_hand_clears(clock: Turned) -> None:
    """A start by an operator forgets the failures and the delay."""
    policy = policy_on(clock, max_restarts=2)
    for _ in range(3):
        policy.on_exit(CRASH)
    policy.started_by_hand()
    assert policy.history == ()
    assert policy.on_exit(CRASH).at == clock.seconds + 1


def test_delay_doubles_to_the_cap(clock: Turned) -> None:
    """The delay doubles from one second to sixty and stays there."""
    policy = policy_on(clock, max_restarts=9, window_seconds=3600)
    delays = [(policy.on_exit(CRASH).at or 0) - clock.seconds for _ in range(9)]
    assert delays == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_delay_with_very_many_attempts(clock: Turned) -> None:
    """The exponent cannot overflow."""
    assert RestartSettings().delay(100_000, 0.0) == 60


def test_jitter_only_adds(clock: Turned) -> None:
    """At the top of its range jitter adds its fraction of the delay."""
    policy = RestartPolicy(RestartSettings(jitter=0.5), clock, lambda: 1.0)
    assert policy.on_exit(CRASH).at == clock.seconds + 1.5


def test_retry_at_is_the_same_instant(clock: Turned) -> None:
    """The wall-clock time of a restart is as far away as the monotonic one."""
    decision = policy_on(clock).on_exit(CRASH)
    assert decision.retry_at == clock.now() + timedelta(seconds=1)


@pytest.mark.parametrize(("healthy", "delay"), [(599.0, 2), (600.0, 1)])
def test_health_resets_the_delay(clock: Turned, healthy: float, delay: float) -> None:
    """Ten healthy minutes, not less, take the delay back to the first one."""
    policy = policy_on(clock)
    policy.on_exit(CRASH)
    policy.healthy()
    clock.seconds += healthy
    assert policy.on_exit(CRASH).at == clock.seconds + delay


def test_unhealthy_interrupts_the_healthy_time(clock: Turned) -> None:
    """Two healthy spells with an unhealthy moment between them do not add up."""
    policy = policy_on(clock, window_seconds=3600)
    policy.on_exit(CRASH)
    for _ in range(2):
        policy.healthy()
        clock.seconds += 400
        policy.unhealthy()
    assert policy.on_exit(CRASH).at == clock.seconds + 2


def test_retry_later_does_not_count(clock: Turned) -> None:
    """However often a plugin asks to be retried, it uses up no restart."""
    policy = policy_on(clock, max_restarts=1)
    for _ in range(50):
        assert policy.on_exit(exit_of(RetryLater(30))).at == clock.seconds + 30
    assert policy.history == ()
    assert policy.on_exit(CRASH).verdict is Verdict.RESTART


@pytest.mark.parametrize(("asked", "wait"), [(0, 1), (-5, 1), (math.nan, 3600), (math.inf, 3600), (1e9, 3600)])
def test_retry_later_is_bounded(clock: Turned, asked: float, wait: float) -> None:
    """A plugin can neither spin nor sleep for ever by the time it asks for."""
    assert policy_on(clock).on_exit(exit_of(RetryLater(asked))).at == clock.seconds + wait


def test_misconfigured_waits_for_the_operator(clock: Turned) -> None:
    """A misconfigured plugin is not tried again, and the reason says what it waits for."""
    decision = policy_on(clock).on_exit(exit_of(PluginMisconfigured("no token")))
    assert decision.verdict is Verdict.GIVE_UP
    assert decision.reason == "PluginMisconfigured: no token; it waits for the operator"


def test_other_exceptions_are_crashes() -> None:
    """An exception that is not typed as anything else is a crash, named with its class."""
    assert exit_of(ValueError("boom")) == CRASH


def test_requested_stop_leaves_no_trace(clock: Turned) -> None:
    """Stopping a plugin on purpose is no failure."""
    policy = policy_on(clock, max_restarts=0)
    policy.on_exit(Exit(ExitKind.REQUESTED))
    assert policy.history == ()


def test_window_that_cannot_fill_is_refused() -> None:
    """A configuration whose delays at full jitter exceed the window is refused, with the numbers."""
    with pytest.raises(ValidationError, match=r"delays of 5 restarts can take 34.1 s, more than the window of 34 s"):
        RestartSettings(window_seconds=34)
    RestartSettings(window_seconds=34.2)


def test_cap_below_the_first_delay_is_refused() -> None:
    """The largest delay cannot be less than the first."""
    with pytest.raises(ValidationError, match="max_delay_seconds is less than delay_seconds"):
        RestartSettings(delay_seconds=5, max_delay_seconds=4)


def test_watch_keeps_the_history(clock: Turned) -> None:
    """Asking again for a plugin's policy returns the same one while its settings are the same."""
    supervisor = Supervisor(clock)
    policy = supervisor.watch("a", RestartSettings())
    assert supervisor.watch("a", RestartSettings()) is policy
    assert supervisor.watch("a", RestartSettings(max_restarts=1)) is not policy
    supervisor.forget("a")
    assert supervisor.watch("a", RestartSettings(max_restarts=1)).history == ()


steps = st.lists(st.tuples(st.floats(0, 300), st.booleans(), st.floats(0, 1)), max_size=60)


@settings(max_examples=150, deadline=None)
@given(steps=steps, limit=st.integers(1, 5), reset=st.floats(1, 200))
def test_never_more_restarts_than_allowed(steps: list[tuple[float, bool, float]], limit: int, reset: float) -> None:
    """Whatever the timing, no window holds more than N restarts, and only failure N+1 in a window is terminal."""
    clock = Turned()
    chances = iter([chance for *_, chance in steps] + [0.0])
    allowed = RestartSettings(max_restarts=limit, window_seconds=200, reset_after_seconds=reset, jitter=1)
    policy = RestartPolicy(allowed, clock, lambda: next(chances))
    restarts: list[float] = []
    failures: list[float] = []
    for gap, healthy, _ in steps:
        if healthy:
            policy.healthy()
        clock.seconds += gap
        failures.append(clock.seconds)
        decision = policy.on_exit(CRASH)
        inside = [at for at in failures if clock.seconds - at <= 200]
        assert (decision.verdict is Verdict.GIVE_UP) == (len(inside) > limit)
        if decision.at is None:
            break
        restarts.append(decision.at)
        clock.seconds = decision.at
    for start in restarts:
        assert sum(start <= at <= start + 200 for at in restarts) <= limit


def test_restart_after_a_reset_keeps_its_distance(clock: Turned) -> None:
    """A delay that shrank after health does not bring two restarts into one window."""
    policy = policy_on(clock, max_restarts=1, window_seconds=200, reset_after_seconds=10)
    last = 0.0
    for _ in range(7):
        last = policy.on_exit(CRASH).at or 0
        clock.seconds += 201
    policy.healthy()
    clock.seconds += 10
    assert (policy.on_exit(CRASH).at or 0) - last >= 200
