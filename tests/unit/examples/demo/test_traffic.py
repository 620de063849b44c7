"""Who ran what in which stage of the outage, and when the runner took over that should."""

import pytest

from examples.demo.traffic import Stage, Traffic
from hotplane.records import Attempt, Execution, ExecutionStatus, now


class Clock:
    """Seconds that pass when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still."""
    return Clock()


@pytest.fixture
def lines() -> list[str]:
    """What the viewer was told."""
    return []


@pytest.fixture
def traffic(clock: Clock, lines: list[str]) -> Traffic:
    """Traffic of workers that both run."""
    return Traffic(lines.append, clock)


def execution(*attempts: str, status: ExecutionStatus = ExecutionStatus.SUCCESS) -> Execution:
    """Return a record with attempts like ``valkyrie:rejected``; the last word is ``success`` where none is given."""
    pairs = [attempt.partition(":") for attempt in attempts]
    made = tuple(Attempt(runner=name, outcome=word or "success", latency_ms=1.0) for name, _, word in pairs)
    return Execution(id="e", task_id="t", program="m:f", status=status, input={}, attempts=made, started_at=now())


def test_answers_are_counted_by_stage_and_runner(traffic: Traffic):
    """The runner of the last attempt had the answer; it counts for the stage in which it came."""
    traffic.add(execution("valkyrie"))
    traffic.begin(Stage.A_KILLED)
    traffic.add(execution("valkyrie:lost", "http"))
    traffic.add(execution("valkyrie:rejected", "http"))
    assert traffic.served[Stage.UP] == {"valkyrie": 1}
    assert traffic.served[Stage.A_KILLED] == {"http": 2}
    assert (traffic.moved_on, traffic.passed_over) == ({"valkyrie": 1}, {"valkyrie": 1})


def test_an_execution_without_an_answer_failed(traffic: Traffic):
    """It is nobody's, and counted as failed in its stage."""
    traffic.begin(Stage.B_KILLED)
    traffic.add(execution("local:lost", status=ExecutionStatus.ERROR))
    assert traffic.failed == {Stage.B_KILLED: 1}
    assert traffic.served[Stage.B_KILLED].total() == 0


def test_the_viewer_hears_once_who_takes_over(traffic: Traffic, clock: Clock, lines: list[str]):
    """The first answer of the expected runner is a line with its delay; the others are silent."""
    traffic.begin(Stage.A_KILLED)
    clock.now += 0.25
    traffic.add(execution("valkyrie"))  # it was under way when the worker died
    traffic.add(execution("http"))
    traffic.add(execution("http"))
    assert lines == ["  → http answers, 0.250 s later."]
    assert traffic.delay(Stage.A_KILLED) == 0.25


def test_the_return_is_the_first_answer_of_the_primary_after_the_restart(traffic: Traffic, clock: Clock):
    """Answers of the runners behind it are no return; the outage counts from the first kill."""
    traffic.begin(Stage.A_KILLED)
    clock.now += 2.0
    traffic.begin(Stage.RESTARTED)
    traffic.add(execution("local"))
    assert not traffic.returned
    assert traffic.delay(Stage.RESTARTED) is None
    clock.now += 1.0
    traffic.add(execution("valkyrie"))
    assert traffic.returned
    assert (traffic.delay(Stage.RESTARTED), traffic.delay(Stage.RESTARTED, Stage.A_KILLED)) == (1.0, 3.0)
