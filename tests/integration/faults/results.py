"""What a caller saw, and what a case came to. Imports nothing of Hotplane."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Result", "Seen"]


@dataclass(frozen=True, slots=True)
class Seen:
    """What the caller of one execution saw."""

    name: str
    task: str
    began: float
    ended: float
    ok: bool
    by: str
    """The runner that was asked last."""
    why: str


@dataclass(frozen=True)
class Result:
    """What came of one case."""

    case: str
    executions: int
    failed: int
    """Idempotent executions whose callers did not get the output."""
    given_up: int
    """Other executions that failed, most of them because they may have run."""
    doubled: int
    """Executions of the task that is not idempotent that ran more than once."""
    repeated: int
    """Idempotent ones that ran more than once, which is allowed."""
    over_ms: float | None
    """From the fault to the first answer of another runner; none when work had no need to move."""
    back_ms: float | None
    """From its end to the first answer of the runner that had it."""
    slowest_ms: float
    """The longest that the caller of an idempotent execution waited, of those with at most 54 ms of work."""
    over_at: float | None = None
    """When that first answer came, by the steady clock."""
    back_at: float | None = None
    reasons: Mapping[str, int] = field(default_factory=dict[str, int])
    """What callers were told."""
