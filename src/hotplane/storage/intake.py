"""The queue between the loops that submit writes and the one thread that stores them. Imports `writes` and `errors`."""

from __future__ import annotations

from collections import deque
from threading import Condition

from hotplane.errors import Overloaded, ShuttingDown
from hotplane.storage.writes import Write

__all__ = ["PATIENCE_SECONDS", "Intake"]


PATIENCE_SECONDS = 0.004
"""The longest that a group waits for more."""

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
        self._taking = False
        """Whether the one who takes is there, or on its way; else it stores what it took last."""
        self._ready = False
        """Whether what waits is to be taken now."""

    def __len__(self) -> int:
        """Return how many writes wait."""
        return len(self._writes) + len(self._patient)

    @property
    def waits(self) -> bool:
        """Whether the one who takes is there, and not storing what it took last."""
        return self._taking

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

    def done(self) -> None:
        """Say that what was taken last is stored; for the one who takes, before anybody hears of it.

        Who hears of it goes on, and may call `wake` before the one who takes is back: that must not be in vain.
        """
        with self._changed:
            self._taking = True

    def wake(self) -> None:
        """Have what waits taken now. Nothing happens while the last group is being stored: ask again after that."""
        with self._changed:
            if self._taking and len(self):
                self._ready = True
                self._changed.notify()

    def take(self, limit: int) -> list[Write]:
        """Wait until `wake` is called and return up to `limit` writes; none when the queue is closed and empty.

        What came while the last group was stored is taken after `PATIENCE_SECONDS` even if nobody calls `wake`.
        Patient writes keep their order, and so do the others. Where both wait, the group has no more patient ones than
        others, or a few, so that it is quick.
        """
        with self._changed:
            self._taking = True
            while not self._ready and not self._closed:
                if not self._changed.wait(PATIENCE_SECONDS if len(self) else None) and len(self):
                    break
            taken = _pop(self._writes, limit)
            room = min(limit - len(taken), max(_FEW, len(taken))) if taken else limit
            taken += _pop(self._patient, room)
            self._bytes -= sum(write.size for write in taken)
            self._taking = False
            self._ready = len(self) > 0
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
