"""`error-rate-sampler`: while a task fails too often, its executions are picked. Imports only `plugins` and below."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from hotplane.builtin.samplers.failure_windows import CountWindow, FailureWindow, TimeWindow
from hotplane.builtin.samplers.per_task import PerTask
from hotplane.builtin.samplers.stateful import StatefulSampler
from hotplane.plugins import Config, Sample, SamplingContext
from hotplane.records import Execution, ExecutionStatus, PluginMetadata

__all__ = ["ErrorRateConfig", "ErrorRateSampler"]


class ErrorRateConfig(Config):
    """When `error-rate-sampler` picks."""

    threshold: Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)] = 0.1
    """An execution is picked while more than this share of its task's window failed."""
    window: Literal["count", "time"] = "count"
    """Look at the last `window_calls` executions of a task, or at those of the last `window_seconds`."""
    window_calls: Annotated[int, Field(ge=1, le=10_000)] = 100
    """Size of a count window."""
    window_seconds: Annotated[float, Field(ge=0.1, le=86_400, allow_inf_nan=False)] = 60.0
    """Length of a time window."""
    minimum_calls: Annotated[int, Field(ge=1, le=10_000)] = 20
    """A window with fewer executions says nothing yet."""

    @model_validator(mode="after")
    def _can_fill(self) -> Self:
        if self.window == "count" and self.minimum_calls > self.window_calls:
            raise ValueError(
                f"minimum_calls ({self.minimum_calls}) is more than window_calls ({self.window_calls}), "
                "so that nothing would ever be picked. Lower the one or raise the other"
            )
        return self


class ErrorRateSampler(StatefulSampler[ErrorRateConfig]):
    """Picks every execution of a task, the good ones too, while its failure rate exceeds the threshold.

    What did not end as ``success`` is a failure. A reload begins with empty windows.
    """

    metadata = PluginMetadata(
        name="error-rate-sampler",
        version="0.1.0",
        description="Picks executions while the failure rate of their task exceeds a threshold.",
        author="The Hotplane developers",
    )
    priority = 80
    observes = True

    def __init__(self, config: ErrorRateConfig | None = None) -> None:
        super().__init__(config)
        self._windows: PerTask[FailureWindow] = PerTask(self._window)

    def should_sample(self, execution: Execution, context: SamplingContext) -> Sample:
        """Take the execution into its task's window, and decide by the window's failure rate."""
        del context
        window = self._add(execution)
        if window.calls < self.config.minimum_calls:
            return Sample(sampled=False, reason=f"only {window.calls} executions in the window yet")
        rate = window.failures / window.calls
        return Sample(
            sampled=rate > self.config.threshold,
            reason=f"{window.failures} of the last {window.calls} executions failed",
            metadata={"failure_rate": rate, "calls": window.calls},
        )

    def observe(self, execution: Execution) -> None:
        """Take the execution into its task's window."""
        self._add(execution)

    def _add(self, execution: Execution) -> FailureWindow:
        window = self._windows.of(execution.task_id)
        window.add(execution.status is not ExecutionStatus.SUCCESS, self.clock.monotonic())
        return window

    def _window(self) -> FailureWindow:
        if self.config.window == "count":
            return CountWindow(self.config.window_calls)
        return TimeWindow(self.config.window_seconds)
