"""`anomaly-sampler`: executions whose latency is far from their task's mean. Imports only `plugins` and below."""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt
from typing import Annotated

import msgspec
from msgspec import Meta, Struct
from pydantic import Field

from hotplane.builtin.samplers.per_task import MAX_TASKS, PerTask
from hotplane.builtin.samplers.stateful import StatefulSampler
from hotplane.plugins import Config, Sample, SamplingContext
from hotplane.records import Execution, ExecutionStatus, PluginMetadata
from hotplane.values import Json

__all__ = ["AnomalyConfig", "AnomalySampler", "Estimate"]


class AnomalyConfig(Config):
    """What `anomaly-sampler` takes for unusual."""

    deviations: Annotated[float, Field(gt=0, le=100, allow_inf_nan=False)] = 3.0
    """An execution is picked when its latency is more than so many standard deviations above the mean."""
    both_sides: bool = False
    """Whether a latency that far below the mean is picked, too."""
    half_life_calls: Annotated[float, Field(ge=1, le=1_000_000, allow_inf_nan=False)] = 1000.0
    """An execution weighs half of the newest one when so many have followed it."""
    minimum_calls: Annotated[int, Field(ge=2, le=1_000_000)] = 30
    """A task's estimate says nothing before so many executions that succeeded."""


class Estimate(Struct, array_like=True):
    """Mean and variance that forget: Welford's update with a weight that does not fall below a limit.

    The recurrence is that of T. Finch, "Incremental calculation of weighted mean and variance" (2009), section 9.
    """

    count: Annotated[int, Meta(ge=0)] = 0
    mean: float = 0.0
    variance: Annotated[float, Meta(ge=0)] = 0.0

    def add(self, value: float, least_weight: float) -> None:
        """Take a value in.

        Args:
            value: The new value.
            least_weight: Its weight, unless that is less than its share of all values so far: the first ones count
                equally, so that the estimate does not depend on which one came first.
        """
        self.count += 1
        weight = max(1.0 / self.count, least_weight)
        difference = value - self.mean
        self.mean += weight * difference
        self.variance = (1.0 - weight) * (self.variance + weight * difference * difference)

    @property
    def deviation(self) -> float:
        """The standard deviation."""
        return sqrt(self.variance)


class _Kept(Struct):
    tasks: Annotated[Mapping[str, Estimate], Meta(max_length=MAX_TASKS)]


class AnomalySampler(StatefulSampler[AnomalyConfig]):
    """Picks executions that took unusually long for their task.

    The estimate learns from executions that succeeded, and forgets, so that a task that has become slower for good is
    unusual only for a while. It is kept over a reload and over a restart.
    """

    metadata = PluginMetadata(
        name="anomaly-sampler",
        version="0.1.0",
        description="Picks executions whose latency is far from their task's mean.",
        author="The Hotplane developers",
    )
    priority = 70
    observes = True

    def __init__(self, config: AnomalyConfig | None = None) -> None:
        super().__init__(config)
        self._estimates = PerTask(Estimate)
        self._least_weight = 1.0 - 2.0 ** (-1.0 / self.config.half_life_calls)

    def should_sample(self, execution: Execution, context: SamplingContext) -> Sample:
        """Decide by what was learnt before this execution, then learn from it."""
        del context
        estimate = self._estimates.of(execution.task_id)
        answer = self._judge(execution.latency_ms, estimate)
        self._learn(execution, estimate)
        return answer

    def observe(self, execution: Execution) -> None:
        """Learn from the execution."""
        self._learn(execution, self._estimates.of(execution.task_id))

    def snapshot(self) -> Json:
        """Return the estimate of every task."""
        return msgspec.to_builtins(_Kept(tasks=dict(self._estimates.items())))

    def restore(self, kept: Json) -> None:
        """Go on from other estimates; another half-life changes only how they go on."""
        for task_id, estimate in msgspec.convert(kept, _Kept).tasks.items():
            self._estimates.put(task_id, estimate)

    def _judge(self, latency_ms: float, estimate: Estimate) -> Sample:
        if estimate.count < self.config.minimum_calls:
            return Sample(sampled=False, reason=f"only {estimate.count} executions to compare with yet")
        mean, deviation = estimate.mean, estimate.deviation
        above = latency_ms - mean
        distance = abs(above) if self.config.both_sides else above
        return Sample(
            sampled=distance > self.config.deviations * deviation,
            reason=f"{latency_ms:.3g} ms; the mean is {mean:.3g} ms, the standard deviation {deviation:.3g} ms",
            metadata={"mean_ms": mean, "deviation_ms": deviation},
        )

    def _learn(self, execution: Execution, estimate: Estimate) -> None:
        # A program that fails at once, or one that is cut off, says nothing of how long the task takes.
        if execution.status is ExecutionStatus.SUCCESS:
            estimate.add(execution.latency_ms, self._least_weight)
