"""Which runner is asked, for how long, and what the caller gets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from hotplane.errors import NoRunnerAvailable, Overloaded, PluginTimeout, ProgramNotImportable, ShuttingDown
from hotplane.plugins import NotExecuted, ProgramFailed, ProgramOverran, TransportFailed
from hotplane.records import ExecutionFailure, Task
from hotplane.registry import Failure
from hotplane.routing import Breaker, BreakerSettings, BreakerState, Route, RouteLeg, Trail

ONCE = Task(id="spam", program="spam:f", timeout_ms=30_000)
TWICE = Task(id="spam", program="spam:f", timeout_ms=30_000, idempotent=True)
PROGRAM_ERROR = ProgramFailed(ExecutionFailure(type="ValueError", message="no eggs"))


class Course:
    """A route over scripted runners: each takes its seconds and then answers or fails as it is told."""

    def __init__(self, clock: Any, *scripts: object) -> None:
        self.clock = clock
        self.scripts = list(scripts)
        self.given: list[tuple[str, float]] = []
        self.heard: list[tuple[str, ...]] = []
        self.breakers = [
            Breaker(name, BreakerSettings(window_calls=10, minimum_calls=5, open_jitter=0), clock=clock)
            for name in ("a", "b", "c")[: len(scripts)]
        ]
        legs = [RouteLeg(breaker.name, breaker, self.runner(place)) for place, breaker in enumerate(self.breakers)]
        self.route = Route(legs, clock=clock, watch=self)

    def runner(self, place: int) -> Callable[..., Any]:
        async def run(task: Task, input: Any, seconds: float) -> Any:
            self.given.append((self.breakers[place].name, seconds))
            script = self.scripts[place]
            if isinstance(script, tuple):
                takes, script = script
                self.clock.advance(min(takes, seconds))
                if takes >= seconds:
                    raise TimeoutError
            if isinstance(script, BaseException):
                raise script
            return script

        return run

    def taken(self, primary: str, runner: str) -> None:
        self.heard.append((primary, runner))

    def nobody(self, primary: str) -> None:
        self.heard.append((primary,))

    def counted(self, place: int) -> tuple[int, int, int]:
        counters = self.breakers[place].snapshot().counters
        return counters.succeeded, counters.failed, counters.cancelled


@pytest.fixture
def course(clock: Any) -> Callable[..., Course]:
    """Make a course of scripted runners named a, b, c."""
    return lambda *scripts: Course(clock, *scripts)


def outcomes(attempts: Any) -> list[tuple[str, str]]:
    """Return who was asked, and what came of it."""
    return [(tried.runner, tried.outcome) for tried in attempts]


async def test_the_first_healthy_runner_answers(course: Any) -> None:
    """A healthy first runner is the only one asked, and nobody is told of a fallback."""
    made = course("eggs", "never")
    outcome = await made.route.run(ONCE, 1, 30.0)
    assert (outcome.status, outcome.output, outcomes(outcome.attempts)) == ("success", "eggs", [("a", "success")])
    assert (made.counted(0), made.heard) == ((1, 0, 0), [])


@pytest.mark.parametrize(
    ("error", "outcome", "counts"),
    [
        (NotExecuted("refused", code="refused"), "refused", (0, 1, 0)),
        (NotExecuted("no such program", code="unknown-program", counts=False), "unknown-program", (0, 0, 1)),
        (ShuttingDown(), "shutting-down", (0, 1, 0)),
        (Overloaded("The queue", 5, "limit"), "overloaded", (0, 0, 1)),
        (ProgramNotImportable("a:b", "it is not there"), "program-not-importable", (0, 0, 1)),
    ],
)
@pytest.mark.parametrize("task", [ONCE, TWICE])
async def test_what_was_not_executed_goes_to_the_next_runner(
    course: Any, task: Task, error: Exception, outcome: str, counts: tuple[int, int, int]
) -> None:
    """Whatever the task: nothing ran, so another runner may."""
    made = course(error, "eggs")
    done = await made.route.run(task, 1, 30.0)
    assert (done.output, outcomes(done.attempts)) == ("eggs", [("a", outcome), ("b", "success")])
    assert (made.counted(0), made.heard) == (counts, [("a", "b")])


MAY_HAVE_RUN = [
    (TransportFailed("reset", code="connection-lost"), "connection-lost"),
    (ConnectionResetError("by peer"), "runner-error"),
    (Failure("a", ValueError("a bug")), "runner-error"),
    (TimeoutError(), "timeout"),
    (Failure("a", PluginTimeout("a", "run", 1.0)), "timeout"),
]


@pytest.mark.parametrize(("error", "outcome"), MAY_HAVE_RUN)
async def test_what_may_have_run_is_repeated_only_if_idempotent(course: Any, error: Any, outcome: str) -> None:
    """An idempotent task goes to the next runner."""
    made = course(error, "eggs")
    done = await made.route.run(TWICE, 1, 30.0)
    assert outcomes(done.attempts) == [("a", outcome), ("b", "success")]
    assert made.counted(0) == (0, 1, 0)


@pytest.mark.parametrize(("error", "outcome"), MAY_HAVE_RUN)
async def test_what_may_have_run_is_the_answer_otherwise(course: Any, error: Any, outcome: str) -> None:
    """A task that is not idempotent is not tried twice; the caller gets the error."""
    made = course(error, "never")
    done = await made.route.run(ONCE, 1, 30.0)
    assert outcomes(done.attempts) == [("a", outcome)]
    assert (done.status, made.counted(0)) == ("timeout" if outcome == "timeout" else "error", (0, 1, 0))


@pytest.mark.parametrize("task", [ONCE, TWICE])
async def test_a_programs_own_error_is_an_answer(course: Any, task: Task) -> None:
    """It is never tried elsewhere, and the breaker counts a success."""
    made = course(PROGRAM_ERROR, "never")
    done = await made.route.run(task, 1, 30.0)
    assert (done.status, done.error, outcomes(done.attempts)) == (
        "error",
        PROGRAM_ERROR.failure,
        [("a", "program-error")],
    )
    assert made.counted(0) == (1, 0, 0)


async def test_output_that_is_not_json_is_an_answer(course: Any) -> None:
    """The program ran, so nobody else may try, idempotent or not."""
    done = await course(float("nan"), "never").route.run(TWICE, 1, 30.0)
    assert (done.status, outcomes(done.attempts)) == ("error", [("a", "not-json")])


async def test_an_open_breaker_costs_no_attempt(course: Any) -> None:
    """Its runner is passed over, and the record says so and when it is asked again."""
    made = course("never", "eggs")
    for _ in range(5):
        made.breakers[0].acquire().failure()
    done = await made.route.run(ONCE, 1, 30.0)
    assert outcomes(done.attempts) == [("a", "rejected"), ("b", "success")]
    assert (done.attempts[0].latency_ms, "again in 5 s" in done.attempts[0].message) == (0.0, True)


async def test_idempotent_attempts_share_the_deadline(course: Any) -> None:
    """A silent runner gets the remaining time divided by the runners left, and the last one all of it."""
    made = course((99, "late"), (4, TransportFailed("reset")), "eggs")
    done = await made.route.run(TWICE, 1, 30.0)
    assert made.given == [("a", 10.0), ("b", 10.0), ("c", 16.0)]
    assert (done.output, made.counted(0)) == ("eggs", (0, 1, 0))


async def test_a_rejected_runner_leaves_its_time_to_the_others(course: Any) -> None:
    """Rejection takes no time, so what is left is divided by one runner less."""
    made = course("never", (99, "late"), "eggs")
    made.breakers[0].force_open()
    await made.route.run(TWICE, 1, 30.0)
    assert made.given == [("b", 15.0), ("c", 15.0)]


async def test_another_tasks_attempt_has_the_whole_deadline(course: Any) -> None:
    """Where nobody else may try, nothing is kept back."""
    made = course((12, NotExecuted("refused")), (99, "late"))
    done = await made.route.run(ONCE, 1, 30.0)
    assert made.given == [("a", 30.0), ("b", 18.0)]
    assert (done.status, done.error and done.error.type) == ("timeout", "deadline-exceeded")


async def test_using_up_the_deadline_is_a_timeout(course: Any) -> None:
    """Nobody is asked when nothing is left, whatever went wrong before."""
    made = course((99, "late"), (99, "late"), (99, "late"))
    done = await made.route.run(TWICE, 1, 30.0)
    assert (done.status, sum(seconds for _, seconds in made.given)) == ("timeout", 30.0)
    assert outcomes(done.attempts) == [("a", "timeout"), ("b", "timeout"), ("c", "timeout")]


async def test_a_slow_program_does_not_speak_against_its_runner(course: Any) -> None:
    """A runner that itself stopped the program is alive, which its breaker hears."""
    made = course(ProgramOverran(), "eggs")
    done = await made.route.run(TWICE, 1, 30.0)
    assert (outcomes(done.attempts), made.counted(0)) == ([("a", "timeout"), ("b", "success")], (1, 0, 0))


async def test_a_runners_own_shorter_limit_is_told_apart(course: Any) -> None:
    """The record does not claim that the task's deadline passed when it did not."""
    done = await course(TimeoutError()).route.run(ONCE, 1, 30.0)
    assert (done.status, done.error and done.error.type) == ("timeout", "attempt-timeout")


async def test_the_last_failure_that_may_have_run_is_the_answer(course: Any) -> None:
    """When all fail, a refusal at the end does not hide that something may have run."""
    made = course(TransportFailed("reset", code="connection-lost"), NotExecuted("refused"))
    done = await made.route.run(TWICE, 1, 30.0)
    assert (done.status, done.error and done.error.type, made.heard) == ("error", "connection-lost", [("a",)])


async def test_when_nothing_was_executed_the_caller_learns_why(course: Any) -> None:
    """The error names every runner's reason and the shortest time to wait; the attempts are on the trail."""
    busy = NotExecuted("It is busy.", code="overloaded", retry_after=2.0)
    made = course(busy, "never", NotExecuted("refused", retry_after=9.0))
    made.breakers[1].force_open()
    trail = Trail()
    with pytest.raises(NoRunnerAvailable) as raised:
        await made.route.run(ONCE, 1, 30.0, trail)
    assert raised.value.retry_after == 2.0
    assert [runner for runner, _ in raised.value.reasons] == ["a", "b", "c"]
    assert "a: It is busy. b: The breaker 'b' is forced-open" in str(raised.value)
    assert outcomes(trail.attempts) == [("a", "overloaded"), ("b", "rejected"), ("c", "not-executed")]
    assert made.heard == [("a",)]


async def test_the_only_runners_own_error_says_more(course: Any) -> None:
    """A route of one runner raises what it raised."""
    with pytest.raises(ShuttingDown):
        await course(ShuttingDown()).route.run(ONCE, 1, 30.0)


async def test_a_program_that_the_only_runner_cannot_load_is_recorded(course: Any) -> None:
    """It will not pass by waiting, so it is an answer and not a refusal."""
    done = await course(ProgramNotImportable("a:b", "it is not there")).route.run(ONCE, 1, 30.0)
    assert (done.status, done.error and done.error.type) == ("error", "program-not-importable")


async def test_cancellation_returns_the_permit(clock: Any) -> None:
    """The breaker counts nothing, a half-open permit is free again, and the trail has the attempt."""
    breaker = Breaker("a", BreakerSettings(minimum_calls=1, window_calls=1, half_open_permits=1), clock=clock)
    breaker.acquire().failure()
    clock.advance(60.0)
    entered = asyncio.Event()

    async def run(task: Task, input: Any, seconds: float) -> Any:
        entered.set()
        await asyncio.Event().wait()

    trail = Trail()
    running = asyncio.create_task(Route([RouteLeg("a", breaker, run)]).run(ONCE, 1, 30.0, trail))
    await entered.wait()
    assert (breaker.state, breaker.snapshot().probes) == (BreakerState.HALF_OPEN, 1)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    seen = breaker.snapshot()
    assert (seen.probes, seen.counters.cancelled, outcomes(trail.attempts)) == (0, 1, [("a", "cancelled")])


async def test_a_hanging_error_message_cannot_break_the_record(course: Any) -> None:
    """A message that cannot be shown, is too long or is no Unicode is recorded all the same."""

    class Rude(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    for error in (Rude(), TransportFailed("\ud800" * 5_000)):
        done = await course(error).route.run(ONCE, 1, 30.0)
        assert len(done.attempts[0].message.encode()) <= 2_000
