"""What goes into a batch and what can be seen of one. Imports only `records`, `values` and `errors`."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Literal

from msgspec import UNSET, Struct, UnsetType

from hotplane.records import ExecutionStatus
from hotplane.values import Json

__all__ = [
    "ENDED",
    "BatchCounts",
    "BatchKind",
    "BatchOptions",
    "BatchState",
    "BatchStatus",
    "Candidate",
    "ItemProblem",
    "ItemResult",
    "ItemVerdict",
    "NewItem",
]

BatchKind = Literal["batch", "stream"]


class BatchState(StrEnum):
    """Where a batch is."""

    RECEIVING = "receiving"
    """Items still come; those that have come run already."""
    RUNNING = "running"
    PAUSED = "paused"
    CANCELLING = "cancelling"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    STOPPED = "stopped"
    """An item failed and `stop_on_first_error` was asked for; what remained counts as cancelled."""


ENDED = frozenset({BatchState.COMPLETED, BatchState.CANCELLED, BatchState.STOPPED})
"""The states that a batch never leaves."""


class BatchOptions(Struct, frozen=True, kw_only=True):
    """How a batch is to run."""

    task_id: str
    kind: BatchKind = "batch"
    max_concurrency: int = 64
    """Items at a time, 1 to 1000."""
    stop_on_first_error: bool = False
    """Whether the first item that fails, overruns its time or is rejected ends the batch."""
    item_timeout_ms: int | None = None
    """Deadline of each item that has none of its own; never longer than the task's."""
    priority: int = 0
    """-10 to 10; where batches compete, higher ones go first."""
    id: str | None = None
    """Minted when null."""


class ItemProblem(Struct, frozen=True, kw_only=True):
    """Why an item has no output, or why a line of an upload is no item."""

    type: str
    """A stable word such as ``malformed-item``, or the name of the program's exception."""
    message: str


class NewItem(Struct, frozen=True, kw_only=True):
    """An item on its way into a batch."""

    position: int
    """1-based line of the upload; grows from item to item."""
    item_id: str
    """Unique within its batch; the caller sees to that."""
    input: Json = None
    expected: Json | UnsetType = UNSET
    timeout_ms: int | None = None
    correlation_id: str | None = None
    sample: bool = False
    """Whether it is sampled whatever the samplers say."""
    problem: ItemProblem | None = None
    """Set: it never runs and gets a result ``rejected``."""


class BatchCounts(Struct, frozen=True, kw_only=True):
    """How a batch's items ended, and how many of them were judged."""

    succeeded: int = 0
    failed: int = 0
    timed_out: int = 0
    cancelled: int = 0
    rejected: int = 0
    interrupted: int = 0
    sampled: int = 0
    valid: int = 0
    invalid: int = 0

    @property
    def done(self) -> int:
        """How many items have a result."""
        return self.succeeded + self.failed + self.timed_out + self.cancelled + self.rejected + self.interrupted


class BatchStatus(Struct, frozen=True, kw_only=True):
    """A batch as it can be seen from outside."""

    id: str
    task_id: str
    kind: BatchKind
    state: BatchState
    truncated: bool
    """Whether the upload broke off: what had arrived whole runs."""
    items: int
    done: int
    counts: BatchCounts
    max_concurrency: int
    stop_on_first_error: bool
    item_timeout_ms: int | None
    priority: int
    created_at: datetime
    started_at: datetime | None
    """When the first item ran."""
    finished_at: datetime | None
    rate_per_second: float | None
    """Items per second lately; over the whole run once it has ended."""
    seconds_left: float | None
    """Null while it is not known: items still come, or nothing runs."""
    last_sequence: int
    """The sequence of the newest result; 0 before the first."""
    problem: str | None = None
    """Why nothing runs although it should, such as a full disk or a runner that is away."""

    @property
    def ended(self) -> bool:
        """Whether nothing of it will change any more."""
        return self.state in ENDED


class ItemResult(Struct, frozen=True, kw_only=True):
    """What came of one item."""

    sequence: int
    position: int
    item_id: str
    correlation_id: str | None
    status: ExecutionStatus
    output: Json
    error: ItemProblem | None
    latency_ms: float | None
    """Null where nothing ran."""
    execution_id: str | None
    """The id of its record; null where nothing ran."""
    sampled: bool
    valid: bool | None


class Candidate(Struct, frozen=True, kw_only=True):
    """An output that somebody else produced, to be judged without running or recording anything."""

    output: Json
    input: Json = None
    expected: Json | UnsetType = UNSET
    id: str | None = None


class ItemVerdict(Struct, frozen=True, kw_only=True):
    """The judgement of one candidate."""

    position: int
    id: str
    valid: bool | None
    validations: tuple[Json, ...]
    """Each a `ValidationResult` in plain JSON types."""
