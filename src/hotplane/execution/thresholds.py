"""Whether a task keeps its thresholds: an event for each breach, not for each execution.

Imports only `records`, `identity` and its own room. All of it is called on the host's loop and never waits.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Protocol

from hotplane.execution.windows import LatencyWindow, VerdictWindow
from hotplane.identity import new_id
from hotplane.records import Event, EventType, Execution, ExecutionStatus, Severity, Task, Thresholds, now
from hotplane.storage import Told
from hotplane.values import Json

__all__ = ["ThresholdWatch"]

MAX_TASKS = 10_000
"""Tasks that are watched at a time; the one that was executed longest ago gives way and begins anew."""
REPEAT_SECONDS = 60.0
"""When an event was not stored within this time, the breach is told again with the next execution."""

_RAN = frozenset({ExecutionStatus.SUCCESS, ExecutionStatus.ERROR, ExecutionStatus.TIMEOUT})
_LEAST_PROBABILITY = 2.0**-56
_ROUNDING = 1e-9


class ThresholdWatch:
    """Watches the executions of every task that has thresholds.

    What it knows is of this process: after a restart, and after a change of its thresholds, a task begins with empty
    windows and without a breach.

    Args:
        clock: Seconds of a monotonic clock.
        max_tasks: Tasks that are watched at a time.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic, max_tasks: int = MAX_TASKS) -> None:
        self._clock = clock
        self._max_tasks = max_tasks
        self._watched: OrderedDict[str, _Watched] = OrderedDict()

    def __len__(self) -> int:
        """Return how many tasks are watched."""
        return len(self._watched)

    def observe(self, task: Task, execution: Execution) -> tuple[Event, ...]:
        """Take an execution in, and return what has to be stored with it: an event for each breach that it begins.

        Args:
            task: The task as it is now.
            execution: The record, judged.
        """
        if task.thresholds is None:
            self._watched.pop(task.id, None)
            return ()
        watched = self._watched.get(task.id)
        if watched is None or watched.thresholds != task.thresholds:
            watched = self._watched[task.id] = _Watched(task.thresholds)
        self._watched.move_to_end(task.id)
        if len(self._watched) > self._max_tasks:
            self._watched.popitem(last=False)
        return watched.observe(execution, self._clock())

    def stored(self, events: Iterable[Told]) -> None:
        """Take note that events are committed: their breaches are not told again. Other events do no harm."""
        for event in events:
            watched = self._watched.get(event.task_id or "")
            if watched is not None:
                watched.stored(event.id)


class _Watched:
    """One task's windows and alarms."""

    def __init__(self, thresholds: Thresholds) -> None:
        self.thresholds = thresholds
        self._gauges: list[_Gauge] = []
        if thresholds.accuracy_min is not None:
            self._gauges.append(_Accuracy(thresholds, thresholds.accuracy_min))
        if thresholds.latency_max_ms is not None:
            self._gauges.append(_Latency(thresholds, thresholds.latency_max_ms))
        self._alarms = [_Alarm() for _ in self._gauges]

    def observe(self, execution: Execution, at: float) -> tuple[Event, ...]:
        events: list[Event] = []
        for gauge, alarm in zip(self._gauges, self._alarms, strict=True):
            if gauge.take(execution, at) and alarm.update(at, breached=gauge.breached, recovered=gauge.recovered):
                event = self._event(gauge, execution)
                alarm.tell(event.id, at)
                events.append(event)
        return tuple(events)

    def stored(self, event_id: str) -> None:
        for alarm in self._alarms:
            alarm.stored(event_id)

    def _event(self, gauge: _Gauge, execution: Execution) -> Event:
        window: dict[str, Json] = {
            "volume": gauge.volume,
            "count": self.thresholds.window_count,
            "seconds": self.thresholds.window_seconds,
        }
        return Event(
            id=new_id(),
            type=gauge.event,
            time=now(),
            severity=Severity.ERROR,
            task_id=execution.task_id,
            execution_id=execution.id,
            program=execution.program,
            payload={**gauge.payload(), "window": window},
        )


class _Alarm:
    """ok → breached → ok: the way back needs more than the way there undone."""

    def __init__(self) -> None:
        self._breached = False
        self._untold: str | None = None
        """The event of this breach, until it is stored."""
        self._told_at = 0.0

    def update(self, at: float, *, breached: bool, recovered: bool) -> bool:
        """Take a measurement in, and return whether there is something to tell."""
        if self._breached:
            self._breached = not recovered
            return breached and self._untold is not None and at - self._told_at >= REPEAT_SECONDS
        self._breached = breached
        return breached

    def tell(self, event_id: str, at: float) -> None:
        self._untold, self._told_at = event_id, at

    def stored(self, event_id: str) -> None:
        if self._untold == event_id:
            self._untold = None


class _Gauge(Protocol):
    """What is measured against one limit; breached and recovered exclude each other, and both may be false."""

    event: EventType

    @property
    def volume(self) -> int: ...
    @property
    def breached(self) -> bool: ...
    @property
    def recovered(self) -> bool: ...
    def take(self, execution: Execution, at: float) -> bool:
        """Take an execution in where it counts, and return whether there is enough to measure anew."""
        ...

    def payload(self) -> dict[str, Json]: ...


class _Accuracy:
    """The accuracy that the designated sampler's picks show."""

    event = EventType.ACCURACY_THRESHOLD_BREACHED

    def __init__(self, thresholds: Thresholds, least: float) -> None:
        self._thresholds = thresholds
        self._least = least
        self._verdicts = VerdictWindow(thresholds.window_count, thresholds.window_seconds)

    @property
    def volume(self) -> int:
        return self._verdicts.volume

    def take(self, execution: Execution, at: float) -> bool:
        sampling, valid = execution.sampling, execution.valid
        if sampling is None or valid is None or not sampling.probability_sampled:
            return False
        probability = sampling.probability
        if probability is None or not _LEAST_PROBABILITY <= probability <= 1.0:
            return False
        self._verdicts.add(probability, valid, at)
        if self.volume < self._thresholds.minimum_volume:
            return False
        self._found = self._verdicts.accuracy(self._thresholds.confidence)
        return True

    @property
    def breached(self) -> bool:
        measured = self._found.high if self._thresholds.significant else self._found.value
        return measured < self._least - _ROUNDING

    @property
    def recovered(self) -> bool:
        allowed = (1.0 - self._least) * (1.0 - self._thresholds.recovery_margin)
        return 1.0 - self._found.value <= allowed + _ROUNDING

    def payload(self) -> dict[str, Json]:
        found, confidence = self._found, self._thresholds.confidence
        return {
            "what": "accuracy",
            "limit": self._least,
            "measured": found.value,
            "interval": {"low": found.low, "high": found.high, "confidence": confidence},
        }


class _Latency:
    """A percentile of the latency of executions that ran."""

    event = EventType.LATENCY_THRESHOLD_BREACHED

    def __init__(self, thresholds: Thresholds, most: float) -> None:
        self._thresholds = thresholds
        self._most = most
        self._latencies = LatencyWindow(thresholds.window_count, thresholds.window_seconds)
        self._found = 0.0

    @property
    def volume(self) -> int:
        return self._latencies.volume

    def take(self, execution: Execution, at: float) -> bool:
        if execution.status not in _RAN:
            return False
        self._latencies.add(execution.latency_ms, at)
        if self.volume < self._thresholds.minimum_volume:
            return False
        self._found = self._latencies.percentile(self._thresholds.latency_p)
        return True

    @property
    def breached(self) -> bool:
        return self._found > self._most

    @property
    def recovered(self) -> bool:
        return self._found <= self._most * (1.0 - self._thresholds.recovery_margin)

    def payload(self) -> dict[str, Json]:
        p = self._thresholds.latency_p
        return {"what": "latency", "percentile": p, "limit": self._most, "measured": self._found, "interval": None}
