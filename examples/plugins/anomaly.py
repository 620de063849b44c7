"""A sampler that detects anomalies: an output whose score is far from those that the task usually gives."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from statistics import median
from typing import Annotated

import msgspec
from pydantic import Field

from hotplane import Config, Execution, PluginMetadata, Sample, Sampler
from hotplane.plugins import PluginContext, SamplingContext

_KEY = "scores"
_MAX_TASKS = 20
"""With 500 scores each they fit into the 256 KiB that a plugin may store under one key."""
_TO_DEVIATIONS = 0.6745
"""Makes the median absolute deviation comparable with a standard deviation (Iglewicz and Hoaglin, 1993)."""


class UnusualScoresConfig(Config):
    """What counts as unusual."""

    field: Annotated[str, Field(min_length=1)] = "score"
    """The field of the output that holds the number."""
    deviations: Annotated[float, Field(gt=0)] = 3.5
    """How far from the median is unusual; Iglewicz and Hoaglin recommend 3.5."""
    window: Annotated[int, Field(ge=10, le=500)] = 200
    """How many scores of a task are remembered."""
    at_least: Annotated[int, Field(ge=3)] = 20
    """With fewer of them nothing is unusual yet."""


class UnusualScores(Sampler[UnusualScoresConfig]):
    """Picks executions by the modified z-score of a number in their output.

    Median and median absolute deviation do not follow the outliers that they have to find, as mean and standard
    deviation would. What was learnt is kept over a reload, and in the host's storage over a restart.
    """

    metadata = PluginMetadata(
        name="unusual-scores",
        version="1.0.0",
        description="Picks executions whose score is far from the usual.",
        author="The Hotplane developers",
        requires_host=">=0.1",
    )
    observes = True

    def __init__(self, config: UnusualScoresConfig | None = None) -> None:
        super().__init__(config)
        self._scores: dict[str, deque[float]] = {}
        self._context: PluginContext | None = None

    async def start(self, context: PluginContext) -> None:
        """Go on from what was stored at the last stop."""
        kept = await context.storage.get(_KEY)
        if kept is not None:
            try:
                self._restore(msgspec.convert(kept, dict[str, list[float]]))
            except msgspec.ValidationError as error:
                context.log.warning("scores.unreadable", reason=str(error))
        self._context = context

    async def stop(self) -> None:
        """Store what was learnt; who was never started has learnt nothing."""
        if self._context is not None:
            await self._context.storage.set(_KEY, self._snapshot())

    def should_sample(self, execution: Execution, context: SamplingContext) -> Sample:
        """Judge a score by those before it, then learn from it."""
        del context
        score = self._score(execution)
        if score is None:
            return Sample(sampled=False, reason=f"the output has no number {self.config.field!r}")
        before = self._scores.get(execution.task_id, ())
        answer = self._judged(score, before)
        self.observe(execution)
        return answer

    def observe(self, execution: Execution) -> None:
        """Learn from an execution."""
        score = self._score(execution)
        if score is None:
            return
        window = self._scores.pop(execution.task_id, None) or deque[float](maxlen=self.config.window)
        window.append(score)
        self._scores[execution.task_id] = window
        if len(self._scores) > _MAX_TASKS:
            del self._scores[next(iter(self._scores))]

    async def export_state(self) -> bytes:
        """Return what was learnt, for the generation that comes after a reload."""
        return msgspec.json.encode(self._snapshot())

    async def import_state(self, state: bytes) -> None:
        """Go on from the generation before; what cannot be read is refused with an exception."""
        self._restore(msgspec.json.decode(state, type=dict[str, list[float]]))

    def _judged(self, score: float, before: deque[float] | tuple[()]) -> Sample:
        if len(before) < self.config.at_least:
            return Sample(sampled=False, reason=f"only {len(before)} scores to compare with yet")
        middle = median(before)
        spread = median(abs(each - middle) for each in before)
        distance = abs(score - middle)
        far = distance > 0 if spread == 0 else _TO_DEVIATIONS * distance / spread > self.config.deviations
        return Sample(sampled=far, reason=f"{score:g}; the median is {middle:g}", metadata={"median": middle})

    def _score(self, execution: Execution) -> float | None:
        output = execution.output
        value = output.get(self.config.field) if isinstance(output, Mapping) else None
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None

    def _snapshot(self) -> dict[str, list[float]]:
        return {task: list(scores) for task, scores in self._scores.items()}

    def _restore(self, kept: dict[str, list[float]]) -> None:
        self._scores = {task: deque(scores, maxlen=self.config.window) for task, scores in kept.items()}
