"""Which executions are picked, and why. Imports only `measures` and `values`."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct, field

from hotplane.records.measures import Fraction, NonNegative
from hotplane.values import Json

__all__ = ["DecisionOutcome", "SamplerOutcome", "SamplerVote", "SamplingDecision"]


class SamplerOutcome(StrEnum):
    """What became of one sampler when an execution was decided on."""

    SAMPLED = "sampled"
    NOT_SAMPLED = "not-sampled"
    NOT_CONSULTED = "not-consulted"
    THROTTLED = "throttled"
    """It would have sampled, and its rate limit said no."""
    OVER_BUDGET = "over-budget"
    """It would have sampled, and its budget is used up."""
    ERROR = "error"
    """It raised or ran out of time; samplers fail open, so the execution counts as sampled by it."""


class SamplerVote(Struct, frozen=True, kw_only=True):
    """One sampler's part in a decision."""

    sampler: str
    outcome: SamplerOutcome
    reason: str = ""
    confidence: Fraction | None = None
    probability: Fraction | None = None
    """Probability with which this sampler picks such an execution, where it knows one."""
    designated: bool = False
    """Whether it is the task's designated probability sampler, the only base for estimates."""
    version: str = ""
    duration_ms: NonNegative = 0.0
    metadata: Mapping[str, Json] = field(default_factory=dict[str, Json])


class DecisionOutcome(StrEnum):
    """Why an execution is sampled, or is not: one word for each decision.

    What the caller asked for comes first, then the first sampler of the chain that samples or fails open. Where there
    is none, the strongest of the votes counts: ``sampler-error``, ``over-budget``, ``throttled``, ``not-sampled``.
    """

    FORCED = "forced"
    """The caller asked for it. Sampled; estimates count it only where the designated sampler picked it, too."""
    SAMPLED = "sampled"
    """A sampler picked it."""
    SAMPLER_ERROR = "sampler-error"
    """A sampler failed: sampled, unless its `on_error` is ``closed`` and no other one picked the execution."""
    OVER_BUDGET = "over-budget"
    """Not sampled: a sampler would have picked it, and its budget is used up."""
    THROTTLED = "throttled"
    """Not sampled: a sampler would have picked it, and its rate limit said no."""
    NOT_SAMPLED = "not-sampled"
    """Not sampled: no sampler wanted it."""


class SamplingDecision(Struct, frozen=True, kw_only=True):
    """Whether an execution is sampled, by whom, and with which probability."""

    sampled: bool
    outcome: DecisionOutcome | None = None
    """Why; null in records that were written before there were outcomes."""
    sampler: str | None = None
    """The first sampler, in chain order, that sampled it."""
    reason: str = ""
    confidence: Fraction | None = None
    probability: Fraction | None = None
    """The designated sampler's probability at that time, also when another sampler won."""
    probability_sampled: bool = False
    """Whether the designated sampler picked it: only such records stand for the population (weight 1/p)."""
    votes: tuple[SamplerVote, ...] = ()
