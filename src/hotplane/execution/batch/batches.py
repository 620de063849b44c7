"""Batches and streams as the rest of the host sees them. Imports this room, `storage`, `records` and `errors`."""

from __future__ import annotations

from collections.abc import Sequence

from hotplane.execution.batch.records import (
    BatchOptions,
    BatchState,
    BatchStatus,
    Candidate,
    ItemResult,
    ItemVerdict,
    NewItem,
)
from hotplane.storage import Page

__all__ = ["Batches"]


class Batches:
    """The batches and streams of a host; `Hotplane.batches`."""

    async def create(self, options: BatchOptions) -> BatchStatus:
        """Begin a batch that receives items; those that come run at once.

        Raises:
            UnknownTask, TaskNotRunnable: The task cannot run.
            Invalid: An option is out of its range; `problems` says which.
            Overloaded: Too many batches have not ended.
            ShuttingDown: The host stops.
            StorageError, StorageUnavailable: It was not stored.
        """
        raise NotImplementedError

    async def add(self, batch_id: str, items: Sequence[NewItem]) -> None:
        """Store more items and return after their commit; waits while too much is stored and not done.

        Args:
            batch_id: A batch that receives.
            items: In order of position; a few hundred at a time are best.

        Raises:
            UnknownBatch: There is none.
            BatchEnded: It was sealed, cancelled or stopped: nobody wants more items.
            BatchTooLarge: There are more than `batches.max_items`; none of these were stored.
            ShuttingDown, StorageError, StorageUnavailable: They were not stored.
        """
        raise NotImplementedError

    async def seal(self, batch_id: str, *, truncated: bool = False) -> BatchStatus:
        """Say that no more items will come. Sealing twice, or a batch that has ended, does nothing.

        Raises:
            UnknownBatch: There is none.
            EmptyBatch: No item came; the batch is gone.
        """
        raise NotImplementedError

    async def get(self, batch_id: str) -> BatchStatus:
        """Return a batch, live or ended, or raise UnknownBatch."""
        raise NotImplementedError

    async def list(
        self, *, task_id: str | None = None, state: BatchState | None = None, limit: int = 50, cursor: str | None = None
    ) -> Page[BatchStatus]:
        """Return batches and streams, newest first; raises InvalidCursor and Invalid (limit 1 to 1000)."""
        raise NotImplementedError

    async def pause(self, batch_id: str) -> BatchStatus:
        """Start no more items; those that run finish. More items may still be added.

        Raises:
            UnknownBatch: There is none.
            BatchEnded: It has ended or is being cancelled.
        """
        raise NotImplementedError

    async def resume(self, batch_id: str) -> BatchStatus:
        """Go on after a pause, also one that a full disk caused; raises as `pause`."""
        raise NotImplementedError

    async def cancel(self, batch_id: str) -> BatchStatus:
        """Cancel what runs and what waits; returns at once, `wait` tells when it is done. An ended one is left alone.

        Raises:
            UnknownBatch: There is none.
        """
        raise NotImplementedError

    async def delete(self, batch_id: str) -> None:
        """Forget an ended batch and its results; the records of its executions stay.

        Raises:
            UnknownBatch: There is none.
            BatchNotEnded: It has not ended; cancel it first.
        """
        raise NotImplementedError

    async def results(self, batch_id: str, *, after: int = 0, limit: int = 1000) -> tuple[ItemResult, ...]:
        """Return results in ledger order, above the sequence `after`; none are skipped, also while it runs.

        Raises:
            UnknownBatch: There is none.
            Invalid: The limit is not 1 to 1000.
        """
        raise NotImplementedError

    async def check_cursor(self, batch_id: str, after: int) -> None:
        """Make sure that `after` is 0 or the sequence of a result of this batch.

        Raises:
            UnknownBatch: There is none.
            InvalidCursor: It belongs to another batch, or to the future.
        """
        raise NotImplementedError

    async def changed(self, batch_id: str, seen: int, timeout: float) -> BatchStatus:
        """Return when there is a result above the sequence `seen`, the batch has ended, or `timeout` seconds passed."""
        raise NotImplementedError

    async def wait(self, batch_id: str, timeout: float | None = None) -> BatchStatus:
        """Return when the batch has ended.

        Raises:
            TimeoutError: `timeout` seconds passed first.
            ShuttingDown: The host stopped first; the next start goes on with the batch.
        """
        raise NotImplementedError

    async def validate_items(self, task_id: str, items: Sequence[Candidate]) -> tuple[ItemVerdict, ...]:
        """Judge outputs with the host's validators; runs no program and stores nothing.

        Raises:
            UnknownTask, TaskNotRunnable: The task cannot be used.
            NotJson: A candidate cannot be a record.
        """
        raise NotImplementedError
