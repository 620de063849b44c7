"""`percentage-sampler`: every execution is picked with the same probability. Imports only `plugins` and below."""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated

from pydantic import Field

from hotplane.identity import sampled_at
from hotplane.plugins import Config, Sample, Sampler, SamplingContext
from hotplane.records import Execution, PluginMetadata

__all__ = ["PercentageConfig", "PercentageSampler"]


class PercentageConfig(Config):
    """How much `percentage-sampler` picks."""

    sampling_rate: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0.1
    """Probability for tasks that do not give their own `sampling_rate`."""


class PercentageSampler(Sampler[PercentageConfig]):
    """Picks by the execution's sampling point alone: the same id gets the same answer, here and everywhere.

    Raising the rate keeps every execution that the lower rate picks, so that samples of different times compare.
    """

    metadata = PluginMetadata(
        name="percentage-sampler",
        version="0.1.0",
        description="Picks every execution with the same probability, decided by its id.",
        author="The Hotplane developers",
    )
    priority = 100
    probabilistic = True

    def should_sample(self, execution: Execution, context: SamplingContext) -> Sample:
        """Decide by the task's sampling rate, or by the configured one where the task has none."""
        del execution
        rate = self.config.sampling_rate if context.rate is None else context.rate
        return _answer(sampled_at(context.point, rate), rate, context.rate is None)


@lru_cache(maxsize=1_024)
def _answer(sampled: bool, rate: float, own: bool) -> Sample:
    """Return the answer; it is the same for every execution at a rate, and making it takes longer than deciding."""
    reason = f"{'the sampler' if own else 'the task'}'s rate is {rate:g}"
    return Sample(sampled=sampled, reason=reason, probability=rate)
