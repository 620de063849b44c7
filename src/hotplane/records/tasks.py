"""What is to be done, and what its executions have to keep to. Imports only `measures` and `values`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

from hotplane.records.measures import Fraction, Positive
from hotplane.values import Json

__all__ = ["Task", "Thresholds", "ValidationPolicy"]


class ValidationPolicy(StrEnum):
    """How the verdicts of several validators become one."""

    ALL = "all"
    """Valid when every validator says so."""
    ANY = "any"
    """Valid when one validator says so."""
    FIRST_FAILURE = "first-failure"
    """As `all`, and the first validator that objects ends the asking."""
    WEIGHTED = "weighted"
    """Valid when the validators that say so have enough weight, each weighed by its confidence."""


class Thresholds(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a task has to keep to; an event tells once of each breach. A limit that is null is not watched."""

    accuracy_min: Fraction | None = None
    """The least accuracy, as estimated from the designated sampler's picks."""
    latency_max_ms: Positive | None = None
    """The longest latency, of the percentile `latency_p`."""
    latency_p: Annotated[float, Meta(gt=0.0, le=1.0)] = 0.95
    """The share of the executions that has to be as quick."""
    significant: bool = True
    """Whether accuracy is breached only when its whole interval is below the least; false: when the estimate is."""
    confidence: Annotated[float, Meta(ge=0.5, le=0.9999)] = 0.95
    """The share of intervals that hold the true accuracy."""
    window_count: Annotated[int, Meta(ge=1, le=10_000)] = 1_000
    """The newest so many count: verdicts on picks for the accuracy, executions for the latency."""
    window_seconds: Annotated[float, Meta(gt=0.0, le=31_622_400.0)] = 3_600.0
    """Older ones do not count."""
    minimum_volume: Annotated[int, Meta(ge=1, le=10_000)] = 20
    """With fewer in the window nothing is said, neither of a breach nor of a recovery."""
    recovery_margin: Fraction = 0.1
    """A breach ends when the failure rate, or the latency, is this share below what is allowed."""

    def __post_init__(self) -> None:
        """Refuse what could never be measured."""
        if self.minimum_volume > self.window_count:
            raise ValueError("`minimum_volume` is more than `window_count`, so that nothing would ever be measured")


class Task(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=False):
    """A named unit of work."""

    id: str
    program: str
    """``package.module:function``, sync or async; called with the input as its only argument."""
    description: str = ""
    input_schema: Json = True
    """JSON Schema of the input; ``true`` accepts everything."""
    output_schema: Json = True
    """JSON Schema of the output; ``true`` accepts everything."""
    sampling_rate: Fraction | None = None
    """Probability with which the designated sampler picks an execution; null for the sampler's own rate."""
    timeout_ms: Annotated[int, Meta(ge=1, le=3_600_000)] = 30_000
    """Deadline for one execution, all attempts together."""
    idempotent: bool = False
    """Whether running it twice does no harm, so that an attempt that may have run may be repeated elsewhere."""
    route: tuple[str, ...] = ()
    """The ids of the runners to try, in order; empty for the host's default route."""
    thresholds: Thresholds | None = None
    """What its executions have to keep to; null where nothing is watched."""
    validation_policy: ValidationPolicy | None = None
    """How the verdicts of its validators become one; null for the host's policy."""
