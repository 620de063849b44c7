"""`percentage-sampler`: every execution is picked with the same probability. Imports only `plugins` and below."""

from __future__ import annotations

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
        own = context.rate is None
        rate = self.config.sampling_rate if context.rate is None else context.rate
        return Sample(
            sampled=sampled_at(context.point, rate),
            reason=f"{'the sampler' if own else 'the task'}'s rate is {rate:g}",
            probability=rate,
        )
