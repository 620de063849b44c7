"""One value for each task, for a bounded number of tasks. Imports nothing of Hotplane."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, ItemsView
from typing import Generic, TypeVar

__all__ = ["MAX_TASKS", "PerTask"]

T = TypeVar("T")

MAX_TASKS = 1_000
"""Tasks that are kept apart; with more of them the one not seen for longest begins anew."""


class PerTask(Generic[T]):
    """Values by task; the least recently used one is forgotten when there are too many.

    Args:
        make: Makes the value of a task that is new.
    """

    __slots__ = ("_make", "_values")

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._values: OrderedDict[str, T] = OrderedDict()

    def of(self, task_id: str) -> T:
        """Return the task's value."""
        value = self._values.get(task_id)
        if value is None:
            value = self._make()
            self.put(task_id, value)
        else:
            self._values.move_to_end(task_id)
        return value

    def put(self, task_id: str, value: T) -> None:
        """Set the task's value."""
        self._values[task_id] = value
        if len(self._values) > MAX_TASKS:
            self._values.popitem(last=False)

    def items(self) -> ItemsView[str, T]:
        """Return tasks and values, the most recently used last."""
        return self._values.items()
