"""The kind that picks the executions worth checking. Imports only `base`, `records` and `values`."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from datetime import datetime

from msgspec import Struct, field
from pydantic import BaseModel

from hotplane.plugins.base import ConfigT, Plugin
from hotplane.records import Execution, SamplerOutcome, Task
from hotplane.records.measures import Fraction
from hotplane.values import Json

__all__ = ["Sample", "Sampler", "SamplingContext"]


class SamplingContext(Struct, frozen=True, kw_only=True):
    """What a sampler may know beside the execution."""

    task: Task
    rate: Fraction | None
    """The task's sampling rate; null where the task leaves it to the sampler."""
    total: int
    """Executions of the task that were decided on before this one, since the host started."""
    sampled: int
    """How many of them were sampled."""
    last_sample_at: datetime | None
    """When the task's last sample was taken, aware, in UTC."""
    now: datetime
    point: int
    """The execution's sampling point R in [0, 2^56): the same id has the same point for ever."""
    configuration: BaseModel
    """The sampler's own configuration, the same object as `self.config`."""


class Sample(Struct, frozen=True, kw_only=True):
    """A sampler's answer."""

    sampled: bool
    reason: str = ""
    confidence: Fraction = 1.0
    probability: Fraction | None = None
    """Probability with which such an execution is picked; a probability sampler has to give it."""
    outcome: SamplerOutcome | None = None
    """`THROTTLED` or `OVER_BUDGET` where that is why it is not sampled; anything else follows from `sampled`."""
    metadata: Mapping[str, Json] = field(default_factory=dict[str, Json])


class Sampler(Plugin[ConfigT]):
    """Decides whether an execution is worth checking."""

    method = "should_sample"
    probabilistic: bool = False
    """Whether it decides by the sampling point alone, so that a population can be estimated from its picks.

    The first enabled one in chain order is the designated sampler: it votes on every execution.
    """
    observes: bool = False
    """Whether it keeps statistics over all executions, so that it has to see those that it is not consulted on."""

    def should_sample(self, execution: Execution, context: SamplingContext) -> Awaitable[Sample] | Sample:
        """Decide on `execution`.

        Raising, or running out of time, counts as sampled: samplers fail open.
        """
        raise NotImplementedError

    def observe(self, execution: Execution) -> None:
        """Take note of an execution that another sampler has picked, or the caller forced, in a moment.

        Called, where `observes` is set, instead of `should_sample`; an error is counted and changes nothing.
        """
