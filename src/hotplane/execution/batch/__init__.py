"""Many executions submitted together, kept in a ledger until the last of them has ended."""

from hotplane.execution.batch.batches import Batches
from hotplane.execution.batch.judging import Judging
from hotplane.execution.batch.records import (
    ENDED,
    BatchCounts,
    BatchKind,
    BatchOptions,
    BatchState,
    BatchStatus,
    Candidate,
    ItemProblem,
    ItemResult,
    ItemVerdict,
    NewItem,
)
from hotplane.execution.batch.settings import BatchSettings

__all__ = [
    "ENDED",
    "BatchCounts",
    "BatchKind",
    "BatchOptions",
    "BatchSettings",
    "BatchState",
    "BatchStatus",
    "Batches",
    "Candidate",
    "ItemProblem",
    "ItemResult",
    "ItemVerdict",
    "Judging",
    "NewItem",
]
