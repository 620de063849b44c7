"""`time-based-sampler`: at least one sample per interval, however rare executions are.

Imports only `plugins` and below.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from hotplane.plugins import Config, Sample, Sampler, SamplingContext
from hotplane.records import Execution, PluginMetadata

__all__ = ["TimeBasedConfig", "TimeBasedSampler"]


class TimeBasedConfig(Config):
    """How often `time-based-sampler` picks."""

    interval_seconds: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 300.0
    """A task's sample has to be this old before the next one is taken."""


class TimeBasedSampler(Sampler[TimeBasedConfig]):
    """Picks an execution when its task's last sample, whoever took it, is old enough, or when there is none."""

    metadata = PluginMetadata(
        name="time-based-sampler",
        version="0.1.0",
        description="Picks an execution when the task's last sample is older than an interval.",
        author="The Hotplane developers",
    )
    priority = 50

    def should_sample(self, execution: Execution, context: SamplingContext) -> Sample:
        """Decide by the time since the task's last sample."""
        del execution
        if context.last_sample_at is None:
            return Sample(sampled=True, reason="the task has no sample yet")
        interval = self.config.interval_seconds
        elapsed = (context.now - context.last_sample_at).total_seconds()
        # A last sample far in the future means that the clock was set back; waiting for it could take for ever.
        sampled = abs(elapsed) >= interval
        return Sample(
            sampled=sampled,
            reason=f"the last sample is {elapsed:.1f} s old, and the interval is {interval:g} s",
            metadata={"elapsed_seconds": elapsed},
        )
