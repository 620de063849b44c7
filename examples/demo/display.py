"""Showing the run while it goes on: a live bar on a terminal, plain lines elsewhere. Imports `tally` and rich."""

from __future__ import annotations

from time import monotonic
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from examples.demo.tally import Tally

__all__ = ["Display"]

LINE_EVERY = 2.0
"""Seconds between lines where there is no terminal."""


class Display:
    """What the viewer sees between the start and the summary.

    Args:
        console: Where to write.
        total: How many messages there are.
    """

    def __init__(self, console: Console, total: int) -> None:
        self._console = console
        self._total = total
        self._began = self._lined = monotonic()
        self._bar = Progress(
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]:>5.0f}/s"),
            TextColumn("[green]valid {task.fields[valid]}[/]  [red]invalid {task.fields[invalid]}[/]"),
            TextColumn("[cyan]{task.fields[runners]}[/]"),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("executing", total=total, rate=0.0, valid=0, invalid=0, runners="")

    def __enter__(self) -> Self:
        self._began = self._lined = monotonic()
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bar.stop()

    @property
    def seconds(self) -> float:
        """Seconds since the first message was sent."""
        return monotonic() - self._began

    def say(self, line: str) -> None:
        """Write a line of its own, above the bar where there is one."""
        self._bar.console.print(line, highlight=False, soft_wrap=True)

    def update(self, tally: Tally) -> None:
        """Show how far the run is."""
        rate = tally.done / max(self.seconds, 1e-3)
        valid, invalid = tally.verdicts[True], tally.verdicts[False]
        runners = " ".join(f"{runner} {count}" for runner, count in tally.runners.items())
        if not self._bar.disable:
            self._bar.update(self._task, completed=tally.done, rate=rate, valid=valid, invalid=invalid, runners=runners)
        elif monotonic() - self._lined >= LINE_EVERY or tally.done == self._total:
            self._lined = monotonic()
            by = f" by {runners}" if runners else ""
            self.say(f"{tally.done}/{self._total} executed{by}, {rate:.0f}/s, valid {valid}, invalid {invalid} so far")
