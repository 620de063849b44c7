"""`always-on-failure`: every execution that did not succeed is picked. Imports only `plugins` and below."""

from __future__ import annotations

from hotplane.plugins import Sample, Sampler, SamplingContext
from hotplane.records import Execution, ExecutionStatus, PluginMetadata

__all__ = ["AlwaysOnFailureSampler"]


class AlwaysOnFailureSampler(Sampler):
    """Picks what ended as an error, a timeout, or rejected by a validator."""

    metadata = PluginMetadata(
        name="always-on-failure",
        version="0.1.0",
        description="Picks every execution that did not succeed.",
        author="The Hotplane developers",
    )
    priority = 90

    def should_sample(self, execution: Execution, context: SamplingContext) -> Sample:
        """Decide by the execution's status."""
        del context
        failed = execution.status is not ExecutionStatus.SUCCESS
        return Sample(sampled=failed, reason=f"the execution ended as {execution.status.value}")
