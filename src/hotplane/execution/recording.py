"""Where the records of executions go. Imports only `records`, `storage` and `errors`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from hotplane.errors import HotplaneError
from hotplane.records import Execution
from hotplane.storage import Place, Told

__all__ = ["ExecutionStore", "NotStored"]


class ExecutionStore(Protocol):
    """Where records go."""

    async def record(
        self, execution: Execution, events: Sequence[Told], *, limit: float | None, place: Place | None
    ) -> Execution:
        """Return the record, with its sequence, when it and its events are committed, together.

        Raises:
            TimeoutError: That took longer than `limit` seconds; it may still be committed.
        """
        ...

    def record_soon(self, execution: Execution, events: Sequence[Told], *, place: Place | None) -> None:
        """Have them committed without waiting for it."""
        ...

    async def is_minted(self, execution_id: str) -> bool:
        """Tell whether a stored execution has this id and a host minted it."""
        ...


class NotStored(Exception):
    """The item of a batch ran, and the store did not take its record; raised to the one who runs the batch only."""

    def __init__(self, execution: Execution, events: Sequence[Told], error: HotplaneError) -> None:
        self.execution = execution
        self.events = events
        self.error = error
        super().__init__(str(error))
