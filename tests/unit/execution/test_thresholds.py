"""Thresholds: an event once per breach, again only after a recovery."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest
from msgspec.structs import replace

from hotplane.execution.thresholds import REPEAT_SECONDS, ThresholdWatch
from hotplane.identity import new_id
from hotplane.records import (
    Event,
    EventType,
    Execution,
    ExecutionStatus,
    SamplingDecision,
    Severity,
    Task,
    Thresholds,
    now,
)

ACCURATE = Thresholds(accuracy_min=0.9, minimum_volume=10, window_count=100, window_seconds=60)
QUICK = Thresholds(latency_max_ms=100, latency_p=0.9, minimum_volume=10, window_count=10, window_seconds=60)


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def task(thresholds: Thresholds | None, id: str = "t") -> Task:
    """Return a task."""
    return Task(id=id, program="m:f", thresholds=thresholds)


def picked(valid: bool | None, probability: float | None = 0.1, *, by_design: bool = True) -> Execution:
    """Return an execution that was sampled."""
    sampling = SamplingDecision(sampled=True, probability=probability, probability_sampled=by_design)
    return replace(ran(1.0), sampling=sampling, valid=valid)


def ran(latency_ms: float, status: ExecutionStatus = ExecutionStatus.SUCCESS) -> Execution:
    """Return an execution that nobody sampled."""
    return Execution(
        id=new_id(), task_id="t", program="m:f", status=status, input=1, started_at=now(), latency_ms=latency_ms
    )


def observe(watch: ThresholdWatch, thresholds: Thresholds, executions: Sequence[Execution]) -> list[Event]:
    """Show executions to a watch, have every event stored, and return the events."""
    events: list[Event] = []
    for each in executions:
        found = watch.observe(task(thresholds), each)
        watch.stored(found)
        events += found
    return events


def test_an_accuracy_that_is_too_low_is_told_once() -> None:
    """Half of the picks are wrong where a tenth may be: one event, whatever follows."""
    events = observe(ThresholdWatch(), ACCURATE, [picked(number % 2 == 0) for number in range(200)])
    assert [event.type for event in events] == [EventType.ACCURACY_THRESHOLD_BREACHED]
    event = events[0]
    assert (event.severity, event.task_id, event.program) == (Severity.ERROR, "t", "m:f")
    assert event.payload["limit"] == 0.9
    assert event.payload["measured"] == pytest.approx(0.5)
    assert event.payload["window"] == {"volume": 10, "count": 100, "seconds": 60.0}
    interval = event.payload["interval"]
    assert isinstance(interval, dict)
    assert interval["high"] < 0.9  # pyright: ignore[reportOptionalOperand, reportOperatorIssue]


def test_an_accuracy_that_may_be_chance_is_not_told() -> None:
    """8 of 10 right is below 90 %, and so few that it says nothing; without `significant` it is told."""
    verdicts = [picked(number not in {3, 7}) for number in range(10)]
    assert observe(ThresholdWatch(), ACCURATE, verdicts) == []
    assert len(observe(ThresholdWatch(), replace(ACCURATE, significant=False), verdicts)) == 1


def test_a_breach_after_a_recovery_is_told_again() -> None:
    """Bad, good for a whole window, bad again: two events."""
    watch = ThresholdWatch()
    bad, good = [picked(False) for _ in range(50)], [picked(True) for _ in range(100)]
    assert len(observe(watch, ACCURATE, bad)) == 1
    assert observe(watch, ACCURATE, good) == []
    assert len(observe(watch, ACCURATE, bad)) == 1


def test_between_breach_and_recovery_nothing_is_told() -> None:
    """An accuracy that goes to and fro about the limit is one breach: recovery needs a margin."""
    thresholds = replace(ACCURATE, significant=False, window_count=20)
    watch = ThresholdWatch()
    about = [picked(number % 10 != 0 and number % 21 != 0) for number in range(400)]
    assert len(observe(watch, thresholds, about)) == 1


@pytest.mark.parametrize(
    "execution",
    [picked(None), picked(False, by_design=False), picked(False, None), picked(False, 0.0), picked(False, 2.0)],
    ids=["not judged", "sampled otherwise", "no probability", "probability 0", "probability 2"],
)
def test_only_verdicts_on_designated_picks_count(execution: Execution) -> None:
    """What does not stand for the population breaches nothing."""
    assert observe(ThresholdWatch(), ACCURATE, [execution] * 50) == []


def test_picks_are_weighted() -> None:
    """Failures that were picked with certainty weigh little beside passes that stand for a hundred each."""
    thresholds = replace(ACCURATE, significant=False)
    mixed = [picked(True, 0.01) if number % 2 else picked(False, 1.0) for number in range(40)]
    assert observe(ThresholdWatch(), thresholds, mixed) == []
    assert (
        len(observe(ThresholdWatch(), thresholds, [replace(each, sampling=mixed[1].sampling) for each in mixed])) == 1
    )


def test_a_latency_that_is_too_long_is_told_once() -> None:
    """Two slow ones of ten are too many for the 90th percentile; one is not."""
    watch = ThresholdWatch()
    assert observe(watch, QUICK, [ran(1)] * 9 + [ran(500)]) == []
    events = observe(watch, QUICK, [ran(300), ran(300), ran(300)])
    assert [event.type for event in events] == [EventType.LATENCY_THRESHOLD_BREACHED]
    assert {name: events[0].payload[name] for name in ("what", "percentile", "limit", "measured", "interval")} == {
        "what": "latency", "percentile": 0.9, "limit": 100, "measured": 300, "interval": None,
    }  # fmt: skip
    assert observe(watch, QUICK, [ran(95)] * 10) == []
    assert observe(watch, QUICK, [ran(300)] * 10) == []
    assert observe(watch, QUICK, [ran(90)] * 10) == []
    assert len(observe(watch, QUICK, [ran(300)] * 10)) == 1


def test_executions_that_did_not_run_have_no_latency() -> None:
    """Rejected and cancelled ones say nothing about the runner."""
    for status in (ExecutionStatus.REJECTED, ExecutionStatus.CANCELLED, ExecutionStatus.INTERRUPTED):
        assert observe(ThresholdWatch(), QUICK, [ran(500, status)] * 20) == []
    assert len(observe(ThresholdWatch(), QUICK, [ran(500, ExecutionStatus.TIMEOUT)] * 20)) == 1


def test_what_is_too_old_does_not_count() -> None:
    """After the window's seconds there has to be a minimum volume anew."""
    clock = Clock()
    watch = ThresholdWatch(clock=clock)
    assert observe(watch, QUICK, [ran(500)] * 9) == []
    clock.now += 61
    assert observe(watch, QUICK, [ran(500)] * 9) == []
    assert len(observe(watch, QUICK, [ran(500)])) == 1


def test_an_event_that_was_not_stored_is_told_again() -> None:
    """A full disk must not keep a breach secret for ever; and it is not told with every execution meanwhile."""
    clock = Clock()
    watch = ThresholdWatch(clock=clock)
    slow = task(QUICK)
    lost = [event for _ in range(20) for event in watch.observe(slow, ran(500))]
    assert len(lost) == 1
    clock.now += REPEAT_SECONDS
    again = watch.observe(slow, ran(500)) + watch.observe(slow, ran(500))
    assert len(again) == 1
    watch.stored(again)
    clock.now += REPEAT_SECONDS - 1
    assert [event for _ in range(20) for event in watch.observe(slow, ran(500))] == []


def test_changed_thresholds_begin_anew() -> None:
    """Another limit is another question; the same limits in a changed task are not."""
    watch = ThresholdWatch()
    slow = task(QUICK)
    assert len([event for _ in range(20) for event in watch.observe(slow, ran(500))]) == 1
    renamed = replace(slow, description="changed", thresholds=replace(QUICK))
    assert [event for _ in range(20) for event in watch.observe(renamed, ran(500))] == []
    stricter = task(replace(QUICK, latency_max_ms=50))
    assert len([event for _ in range(20) for event in watch.observe(stricter, ran(500))]) == 1


def test_tasks_do_not_mix() -> None:
    """Each has windows and alarms of its own, and one without thresholds has none."""
    watch = ThresholdWatch()
    for name in ("a", "b"):
        assert len([event for _ in range(20) for event in watch.observe(task(QUICK, name), ran(500))]) == 1
    assert watch.observe(task(None, "a"), ran(500)) == ()
    assert len(watch) == 1


def test_the_number_of_tasks_is_bounded() -> None:
    """The one that was executed longest ago gives way."""
    watch = ThresholdWatch(max_tasks=3)
    for number in range(10):
        watch.observe(task(QUICK, f"t{number}"), ran(1))
    assert len(watch) == 3


def test_thresholds_that_could_never_be_measured_are_refused() -> None:
    """More than the window holds cannot be the minimum."""
    with pytest.raises(ValueError, match="minimum_volume"):
        Thresholds(minimum_volume=20, window_count=10)
    with pytest.raises(msgspec.ValidationError, match="minimum_volume"):
        msgspec.json.decode(b'{"minimum_volume": 20, "window_count": 10}', type=Thresholds)
