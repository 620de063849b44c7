"""The queue between the loops that submit writes and the one thread that stores them. Imports `writes` and `errors`."""

from __future__ import annotations

from collections import deque
from threading import Condition

from hotplane.errors import Overloaded, ShuttingDown
from hotplane.storage.writes import Write

__all__ = ["Intake"]

_FEW = 8
"""Patient writes that a group has beside one that is not."""


class Intake:
    """A queue with limits on writes and bytes; safe from any thread.

    Args:
        limit: Writes that may wait.
        byte_limit: Bytes of records that may wait.
    """

    def __init__(self, limit: int, byte_limit: int) -> None:
        self._limit = limit
        self._byte_limit = byte_limit
        self._changed = Condition()
        self._writes: deque[Write] = deque()
        self._patient: deque[Write] = deque()
        self._bytes = 0
        self._closed = False
        self._awaited = False
        """Whether the one who takes waits: only then there is somebody to wake."""

    def __len__(self) -> int:
        """Return how many writes wait."""
        return len(self._writes) + len(self._patient)

    def put(self, write: Write) -> None:
        """Queue a write.

        Raises:
            Overloaded: The queue is full.
            ShuttingDown: The queue is closed.
        """
        with self._changed:
            if self._closed:
                raise ShuttingDown
            if len(self) >= self._limit:
                raise Overloaded("The queue of the store", self._limit, "storage.queue_limit")
            # A single write that is larger than the limit may pass when nothing else waits.
            if len(self) and self._bytes + write.size > self._byte_limit:
                raise Overloaded("The queue of the store", self._byte_limit, "storage.queue_bytes")
            (self._patient if write.patient else self._writes).append(write)
            self._bytes += write.size
            if self._awaited:
                self._awaited = False
                self._changed.notify()

    def take(self, limit: int) -> list[Write]:
        """Wait for writes and return up to `limit` of them; none when the queue is closed and empty.

        Patient ones keep their order, and so do the others. Where both wait, the group has no more patient ones than
        others, or a few, so that it is quick.
        """
        with self._changed:
            while not len(self) and not self._closed:
                self._awaited = True
                self._changed.wait()
            taken = _pop(self._writes, limit)
            room = min(limit - len(taken), max(_FEW, len(taken))) if taken else limit
            taken += _pop(self._patient, room)
            self._bytes -= sum(write.size for write in taken)
            return taken

    def close(self) -> None:
        """Refuse further writes; what waits can still be taken."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def drop(self) -> list[Write]:
        """Remove and return everything that waits."""
        with self._changed:
            dropped = [*self._writes, *self._patient]
            self._writes.clear()
            self._patient.clear()
            self._bytes = 0
            return dropped


def _pop(writes: deque[Write], limit: int) -> list[Write]:
    return [writes.popleft() for _ in range(min(limit, len(writes)))]
