"""A sampler by error rate: while a task fails often, every one of its executions is worth a look."""

from __future__ import annotations

from collections import deque
from typing import Annotated

import msgspec
from pydantic import Field

from hotplane import Config, Execution, PluginMetadata, Sample, Sampler
from hotplane.plugins import SamplingContext
from hotplane.records import ExecutionStatus

_MAX_TASKS = 1_000
"""Nothing grows without a limit: tasks come and go by the API."""


class FailingTasksConfig(Config):
    """When a task counts as failing."""

    threshold: Annotated[float, Field(ge=0, lt=1)] = 0.2
    """Executions are picked while more than this share of the window failed."""
    window: Annotated[int, Field(ge=1, le=10_000)] = 50
    """How many executions of a task are looked back on."""
    at_least: Annotated[int, Field(ge=1)] = 10
    """With fewer of them nothing is said."""


class FailingTasks(Sampler[FailingTasksConfig]):
    """Picks every execution of a task while its error rate is above the threshold, the good ones for comparison."""

    metadata = PluginMetadata(
        name="failing-tasks",
        version="1.0.0",
        description="Picks the executions of tasks that fail often.",
        author="The Hotplane developers",
        requires_host=">=0.1",
    )
    observes = True
    """So that it is told of the executions that samplers before it have picked, too: a rate needs all of them."""

    def __init__(self, config: FailingTasksConfig | None = None) -> None:
        super().__init__(config)
        self._failures: dict[str, deque[bool]] = {}

    def should_sample(self, execution: Execution, context: SamplingContext) -> Sample:
        """Take the execution into its task's window, and decide by the window."""
        del context
        self.observe(execution)
        window = self._failures[execution.task_id]
        if len(window) < self.config.at_least:
            return Sample(sampled=False, reason=f"only {len(window)} executions yet")
        rate = sum(window) / len(window)
        return Sample(
            sampled=rate > self.config.threshold,
            reason=f"{rate:.0%} of the last {len(window)} failed",
            metadata={"error_rate": rate},
        )

    def observe(self, execution: Execution) -> None:
        """Take an execution into its task's window; the least recently used task is forgotten first."""
        window = self._failures.pop(execution.task_id, None) or deque[bool](maxlen=self.config.window)
        window.append(execution.status is not ExecutionStatus.SUCCESS)
        self._failures[execution.task_id] = window
        if len(self._failures) > _MAX_TASKS:
            del self._failures[next(iter(self._failures))]

    def export_state(self) -> bytes:
        """Return the windows, for the generation that comes after a reload."""
        return msgspec.json.encode({task: list(window) for task, window in self._failures.items()})

    def import_state(self, state: bytes) -> None:
        """Go on from the windows of the generation before; what cannot be read is refused with an exception."""
        windows = msgspec.json.decode(state, type=dict[str, list[bool]])
        self._failures = {task: deque(window, maxlen=self.config.window) for task, window in windows.items()}
