"""What holds for every route, whatever its runners do."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hotplane.errors import NoRunnerAvailable, Overloaded, Unavailable
from hotplane.plugins import NotExecuted, ProgramFailed, ProgramOverran, TransportFailed
from hotplane.records import ExecutionFailure, Task
from hotplane.routing import Breaker, BreakerSettings, Route, RouteLeg, Trail

NOT_EXECUTED = {"refused", "unknown", "overloaded", "rejected"}
MAY_HAVE_RUN = {"reset", "bug", "silent", "slow"}
FAILED, SUCCEEDED = {"refused", "reset", "bug", "silent"}, {"program", "well", "slow"}
ERRORS = {
    "refused": NotExecuted("refused"),
    "unknown": NotExecuted("unknown", counts=False),
    "overloaded": Overloaded("It", 1, "limit"),
    "reset": TransportFailed("reset"),
    "bug": RuntimeError("bug"),
    "silent": TimeoutError(),
    "slow": ProgramOverran(),
    "program": ProgramFailed(ExecutionFailure(type="ValueError", message="")),
}
behaviours = st.lists(
    st.tuples(st.sampled_from(sorted([*ERRORS, "well", "rejected"])), st.floats(0, 20)), min_size=1, max_size=5
)


class Turned:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Course:
    """Runs one execution over runners that behave as they are told, and keeps what happened."""

    def __init__(self, script: list[tuple[str, float]]) -> None:
        self.clock = Turned()
        self.asked: list[tuple[str, float]] = []
        self.breakers = [Breaker(str(place), BreakerSettings(), clock=self.clock) for place in range(len(script))]
        for breaker, (behaviour, _) in zip(self.breakers, script, strict=True):
            if behaviour == "rejected":
                breaker.force_open()
        self.route = Route(
            [RouteLeg(b.name, b, self.runner(*told)) for b, told in zip(self.breakers, script, strict=True)],
            clock=self.clock,
        )

    def runner(self, behaviour: str, takes: float) -> Any:
        async def run(task: Task, input: Any, seconds: float) -> Any:
            silent = takes >= seconds or behaviour in {"silent", "slow"}
            overran = silent and behaviour != "slow"
            self.asked.append(("silent" if overran else behaviour, seconds))
            self.clock.now += seconds if silent else takes
            if overran:
                raise TimeoutError
            if behaviour in ERRORS:
                raise ERRORS[behaviour]

        return run


def run(script: list[tuple[str, float]], *, idempotent: bool, deadline: float) -> tuple[Course, Trail, str]:
    """Run one execution; its status, or ``unavailable``."""
    course, trail = Course(script), Trail()
    task = Task(id="t", program="a:b", idempotent=idempotent)
    try:
        outcome = asyncio.run(course.route.run(task, 1, deadline, trail))
    except (NoRunnerAvailable, Unavailable):
        return course, trail, "unavailable"
    return course, trail, outcome.status


@given(behaviours, st.booleans(), st.floats(0.5, 30))
def test_nothing_that_may_have_run_is_repeated_unless_idempotent(script: Any, idempotent: bool, deadline: float):
    """After an attempt that may have run only an idempotent task has another one, and after an answer nobody has."""
    course, _, status = run(script, idempotent=idempotent, deadline=deadline)
    asked = [behaviour for behaviour, _ in course.asked]
    assert not {"program", "well"} & set(asked[:-1])
    if not idempotent:
        assert not MAY_HAVE_RUN & set(asked[:-1])
    if status == "unavailable":
        assert set(asked) <= NOT_EXECUTED
    if asked and asked[-1] == "well":
        assert status == "success"


@given(behaviours, st.booleans(), st.floats(0.5, 30))
def test_all_attempts_together_keep_the_deadline(script: Any, idempotent: bool, deadline: float):
    """The time that attempts take never exceeds the deadline, and each has at most its share."""
    course, _, _ = run(script, idempotent=idempotent, deadline=deadline)
    assert course.clock.now - 100.0 <= deadline + 1e-6
    assert all(0 < seconds <= deadline + 1e-6 for _, seconds in course.asked)
    if idempotent and len(script) > 1 and course.asked and script[0][0] != "rejected":
        assert course.asked[0][1] <= deadline / len(script) + 1e-6


@given(behaviours, st.booleans(), st.floats(0.5, 30))
def test_breakers_count_the_attempts_that_count(script: Any, idempotent: bool, deadline: float):
    """Failures, successes and attempts that say nothing add up, every permit is settled, every attempt recorded."""
    course, trail, _ = run(script, idempotent=idempotent, deadline=deadline)
    asked = [behaviour for behaviour, _ in course.asked]
    counters = [breaker.snapshot().counters for breaker in course.breakers]
    assert sum(each.failed for each in counters) == sum(behaviour in FAILED for behaviour in asked)
    assert sum(each.succeeded for each in counters) == sum(behaviour in SUCCEEDED for behaviour in asked)
    assert sum(each.cancelled for each in counters) == sum(
        behaviour in {"unknown", "overloaded"} for behaviour in asked
    )
    assert sum(each.admitted for each in counters) == len(asked)
    assert len(trail.attempts) == len(asked) + sum(each.rejected for each in counters)
