"""What is estimated of a task's executions, as typed values. Imports nothing of Hotplane."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

__all__ = ["Estimate", "Quality"]


class Estimate(Struct, frozen=True, kw_only=True):
    """A share of the population, with its interval."""

    value: float
    low: float
    high: float


class Quality(Struct, frozen=True, kw_only=True):
    """How good a task's executions are, by those that its designated sampler picked."""

    task_id: str
    executions: int = 0
    picked: int = 0
    judged: int = 0
    failures: int = 0
    not_judged: int = 0
    accuracy: Estimate | None = None
    failure_rate: Estimate | None = None
    best_case: Estimate | None = None
    """The failure rate if everything that could not be judged were right."""
    worst_case: Estimate | None = None
    """The failure rate if everything that could not be judged were wrong."""
    reason: str | None = None
    """Why there is no estimate."""
    confidence: float = 0.95
    since: datetime | None = None
    until: datetime | None = None
