"""How far a batch has come, on stderr where somebody watches. Imports rich when it is used, and `text`."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Self

from hotplane.cli.text import printable

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

__all__ = ["BatchProgress"]


class BatchProgress:
    """A bar with count, rate and time left; nothing where stderr is no terminal.

    Args:
        title: What is done.
    """

    def __init__(self, title: str) -> None:
        self._title = printable(title)
        self._bar: Progress | None = None
        self._row: TaskID | None = None

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            self._bar = _bar()
            self._bar.start()
            self._row = self._bar.add_task(self._title, total=None, rate="")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def expect(self, items: int) -> None:
        """Say how many items there are, as far as is known."""
        if self._bar is not None and self._row is not None:
            self._bar.update(self._row, total=items)

    def done(self, items: int, rate: float | None) -> None:
        """Say how many have ended, and how many a second."""
        if self._bar is not None and self._row is not None:
            self._bar.update(self._row, completed=items, rate="" if rate is None else f"{rate:,.0f}/s")


def _bar() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}", markup=False),
        TimeRemainingColumn(compact=True),
        console=Console(stderr=True, highlight=False),
    )
