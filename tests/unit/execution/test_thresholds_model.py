"""The watch against a model of it that keeps everything it ever saw in plain lists."""

from __future__ import annotations

import math

from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from hotplane.execution.thresholds import REPEAT_SECONDS, ThresholdWatch
from hotplane.identity import new_id
from hotplane.records import Event, Execution, ExecutionStatus, SamplingDecision, Task, Thresholds, now

Z = 1.959963984540054
CLOSE = 1e-7
"""Where the model and the watch may differ by rounding, the model does not decide."""


class Alarm:
    """What the documentation promises of one limit."""

    def __init__(self) -> None:
        self.breached = False
        self.untold: str | None = None
        self.told_at = 0.0

    def expects(self, at: float, excess: float, shortfall: float) -> bool | None:
        """Tell whether an event is due; None where rounding decides.

        `excess` is how far the limit is overrun, `shortfall` how far recovery is missed; not above 0 when not.
        """
        if abs(excess) < CLOSE or abs(shortfall) < CLOSE:
            return None
        if not self.breached:
            self.breached = excess > 0
            return self.breached
        if shortfall < 0:
            self.breached = False
            return False
        return excess > 0 and self.untold is not None and at - self.told_at >= REPEAT_SECONDS


class ThresholdMachine(RuleBasedStateMachine):
    """Executions come, time goes by, commits fail."""

    @initialize(
        accuracy=st.sampled_from([0.5, 0.81, 0.93]),
        latency=st.sampled_from([10.0, 55.0]),
        share=st.sampled_from([0.5, 0.9, 1.0]),
        count=st.integers(5, 12),
        significant=st.booleans(),
        margin=st.sampled_from([0.013, 0.29]),
    )
    def begin(
        self, *, accuracy: float, latency: float, share: float, count: int, significant: bool, margin: float
    ) -> None:
        self.thresholds = Thresholds(
            accuracy_min=accuracy, latency_max_ms=latency, latency_p=share, significant=significant,
            window_count=count, window_seconds=100, minimum_volume=4, recovery_margin=margin,
        )  # fmt: skip
        self.task = Task(id="t", program="m:f", thresholds=self.thresholds)
        self.now = 0.0
        self.watch = ThresholdWatch(clock=lambda: self.now)
        self.verdicts: list[tuple[float, float, bool]] = []
        self.latencies: list[tuple[float, float]] = []
        self.alarms = {"accuracy": Alarm(), "latency": Alarm()}
        self.undecided = False

    @rule(
        valid=st.sampled_from([True, False, None]),
        probability=st.sampled_from([None, 0.013, 0.1, 0.5, 1.0]),
        latency=st.sampled_from([1.0, 9.5, 20.0, 54.0, 100.0]),
        status=st.sampled_from([ExecutionStatus.SUCCESS, ExecutionStatus.TIMEOUT, ExecutionStatus.CANCELLED]),
        times=st.integers(1, 6),
        stored=st.booleans(),
    )
    def execute(
        self, *, valid: bool | None, probability: float | None, latency: float, status: ExecutionStatus, times: int,
        stored: bool,
    ) -> None:  # fmt: skip
        for _ in range(times):
            self.execute_once(valid, probability, latency, status, stored)

    def execute_once(
        self, valid: bool | None, probability: float | None, latency: float, status: ExecutionStatus, stored: bool
    ) -> None:
        if self.undecided:
            return
        sampling = SamplingDecision(sampled=True, probability=probability, probability_sampled=probability is not None)
        execution = Execution(
            id=new_id(), task_id="t", program="m:f", status=status, input=0, started_at=now(), latency_ms=latency,
            sampling=sampling, valid=valid,
        )  # fmt: skip
        events = self.watch.observe(self.task, execution)
        found = {str(event.payload["what"]): event for event in events}
        due: dict[str, bool | None] = {}
        if valid is not None and probability is not None:
            self.verdicts.append((self.now, 1 / probability, valid))
            due["accuracy"] = self.accuracy_due()
        if status is not ExecutionStatus.CANCELLED:
            self.latencies.append((self.now, latency))
            due["latency"] = self.latency_due()
        self.undecided = None in due.values()
        if not self.undecided:
            assert set(found) == {what for what, expected in due.items() if expected}
            self.settle(found, stored)

    @rule(seconds=st.sampled_from([1.0, 30.0, 60.0, 101.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def nothing_grows(self) -> None:
        assert not hasattr(self, "watch") or len(self.watch) <= 1

    def settle(self, found: dict[str, Event], stored: bool) -> None:
        for what, event in found.items():
            self.alarms[what].untold = None if stored else event.id
            self.alarms[what].told_at = self.now
        if stored:
            self.watch.stored(found.values())

    def accuracy_due(self) -> bool | None:
        kept = [each for each in self.verdicts[-self.thresholds.window_count :] if self.now - each[0] <= 100]
        if len(kept) < 4:
            return False
        total = sum(weight for _, weight, _ in kept)
        failing = sum(weight for _, weight, valid in kept if not valid) / total
        accuracy = 1 - lowest_failure_rate(kept, failing, total) if self.thresholds.significant else 1 - failing
        least = self.thresholds.accuracy_min or 0
        allowed = (1 - least) * (1 - self.thresholds.recovery_margin)
        return self.alarms["accuracy"].expects(self.now, least - accuracy, failing - allowed)

    def latency_due(self) -> bool | None:
        kept = [each for each in self.latencies[-self.thresholds.window_count :] if self.now - each[0] <= 100]
        if len(kept) < 4:
            return False
        ordered = sorted(latency for _, latency in kept)
        measured = next(
            value
            for number, value in enumerate(ordered, 1)
            if number / len(ordered) >= self.thresholds.latency_p - 1e-12
        )
        most = self.thresholds.latency_max_ms or 0
        allowed = most * (1 - self.thresholds.recovery_margin)
        return self.alarms["latency"].expects(self.now, measured - most, measured - allowed)


def lowest_failure_rate(kept: list[tuple[float, float, bool]], rate: float, total: float) -> float:
    """Return the lower end of the interval: the root of Wilson's quadratic, sizes by their definitions."""
    if rate in {0.0, 1.0}:
        size = total / max(weight for _, weight, _ in kept)
    else:
        kish = total**2 / sum(weight**2 for _, weight, _ in kept)
        variance = sum((weight * ((not valid) - rate) / total) ** 2 for _, weight, valid in kept)
        size = min(kish, rate * (1 - rate) / variance)
    a, b, c = size + Z * Z, -(2 * size * rate + Z * Z), size * rate * rate
    return (-b - math.sqrt(max(0.0, b * b - 4 * a * c))) / (2 * a)


TestThresholds = ThresholdMachine.TestCase
TestThresholds.settings = hypothesis_settings(max_examples=80, stateful_step_count=30, deadline=None)
