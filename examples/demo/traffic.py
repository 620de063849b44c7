"""Which runner had the answers, before, during and after the outage. Imports only `workers` and the host's records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from enum import Enum
from time import monotonic

from examples.demo.workers import HTTP, LOCAL, VALKYRIE
from hotplane.records import Attempt, Execution, ExecutionStatus

__all__ = ["EXPECTED", "Stage", "Traffic"]

_PASSED_OVER = "rejected"
"""The outcome of an attempt that an open breaker saved."""


class Stage(Enum):
    """What the workers are doing; each value is what the viewer reads."""

    UP = "both workers run"
    A_KILLED = "worker A was killed"
    B_KILLED = "worker B was killed, too"
    RESTARTED = "both were started again"


EXPECTED = {Stage.UP: VALKYRIE, Stage.A_KILLED: HTTP, Stage.B_KILLED: LOCAL, Stage.RESTARTED: VALKYRIE}
"""The runner that is to take over."""


class Traffic:
    """Counts the answers of each stage by runner, and notices when the runner takes over that should.

    An execution belongs to the stage in which its answer came.

    Args:
        say: Shows the viewer a line.
        clock: Seconds that pass steadily.
    """

    def __init__(self, say: Callable[[str], None], clock: Callable[[], float] = monotonic) -> None:
        self._say = say
        self._clock = clock
        self.stage = Stage.UP
        self.served: dict[Stage, Counter[str]] = {stage: Counter() for stage in Stage}
        self.failed: Counter[Stage] = Counter()
        """Executions without an answer."""
        self.moved_on: Counter[str] = Counter()
        """How often a runner was asked in vain, so that the next one was."""
        self.passed_over: Counter[str] = Counter()
        """How often an open breaker saved the attempt."""
        self.began: dict[Stage, float] = {Stage.UP: clock()}
        self.took_over: dict[Stage, float] = {}
        """When the expected runner had its first answer in a stage, in the clock's seconds."""

    @property
    def returned(self) -> bool:
        """Whether the first runner of the route has its work back."""
        return Stage.RESTARTED in self.took_over

    def begin(self, stage: Stage) -> None:
        """Count answers for `stage` from now on."""
        self.stage = stage
        self.began[stage] = self._clock()

    def add(self, execution: Execution) -> None:
        """Count one execution."""
        for attempt in execution.attempts:
            self._count_attempt(attempt)
        if execution.status is not ExecutionStatus.SUCCESS or not execution.attempts:
            self.failed[self.stage] += 1
            return
        runner = execution.attempts[-1].runner
        self.served[self.stage][runner] += 1
        if runner == EXPECTED[self.stage] and self.stage not in self.took_over:
            self.took_over[self.stage] = self._clock()
            self._say(f"  → {runner} answers{self._since()}.")

    def delay(self, stage: Stage, since: Stage | None = None) -> float | None:
        """Return the seconds from the beginning of a stage to the expected runner's first answer in it.

        Args:
            stage: The stage.
            since: Another stage from whose beginning to count.
        """
        began, took_over = self.began.get(since or stage), self.took_over.get(stage)
        return None if began is None or took_over is None else took_over - began

    def _since(self) -> str:
        delay = self.delay(self.stage)
        return "" if self.stage is Stage.UP or delay is None else f", {delay:.3f} s later"

    def _count_attempt(self, attempt: Attempt) -> None:
        if attempt.outcome == _PASSED_OVER:
            self.passed_over[attempt.runner] += 1
        elif attempt.outcome != "success":
            self.moved_on[attempt.runner] += 1
