"""What a benchmark's row is, how rounds are interleaved, and how the table is printed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from rich import box
from rich.console import Console
from rich.table import Table

__all__ = ["Goal", "Row", "at_least", "at_most", "interleave", "print_table", "row"]


@dataclass(frozen=True)
class Goal:
    """What a ratio, or our own figure, has to keep."""

    limit: float
    sign: str
    of: str = "ratio"

    def met(self, value: float) -> bool:
        return value <= self.limit if self.sign == "≤" else value >= self.limit

    def __str__(self) -> str:
        return f"{self.sign} {self.limit:g}" + (" ×" if self.of == "ratio" else "")


def at_most(limit: float, of: str = "ratio") -> Goal:
    return Goal(limit, "≤", of)


def at_least(limit: float, of: str = "ratio") -> Goal:
    return Goal(limit, "≥", of)


@dataclass(frozen=True)
class Row:
    """One line of the table: medians over rounds, and the ratio's spread from round to round."""

    name: str
    unit: str
    ours: float
    peer_name: str = ""
    peer: float | None = None
    ratio: float | None = None
    spread: tuple[float, float] | None = None
    goal: Goal | None = None

    @property
    def met(self) -> bool | None:
        if self.goal is None:
            return None
        value = self.ratio if self.goal.of == "ratio" else self.ours
        return None if value is None else self.goal.met(value)


def row(
    name: str,
    unit: str,
    ours: Sequence[float],
    peer_name: str = "",
    peer: Sequence[float] = (),
    goal: Goal | None = None,
) -> Row:
    """Sum up rounds: the ratio is the median of the rounds' ratios, not the ratio of the medians."""
    if not peer:
        return Row(name, unit, median(ours), goal=goal)
    ratios = sorted(a / b for a, b in zip(ours, peer, strict=True))
    return Row(name, unit, median(ours), peer_name, median(peer), median(ratios), (ratios[0], ratios[-1]), goal)


def interleave(rounds: int, *measures: Callable[[], float]) -> list[list[float]]:
    """Measure A B A B …, so that a machine that slows down slows all of them down."""
    taken: list[list[float]] = [[] for _ in measures]
    for number in range(rounds):
        order = list(enumerate(measures))
        for index, measure in order if number % 2 == 0 else reversed(order):
            taken[index].append(measure())
    return taken


def print_table(rows: Iterable[Row], console: Console | None = None) -> None:
    table = Table(box=box.SIMPLE_HEAD)
    for heading in ("what", "ours", "peer", "", "unit", "ratio", "spread", "goal", "met"):
        table.add_column(heading, justify="left" if heading in {"what", "", "unit"} else "right", overflow="fold")
    for each in rows:
        table.add_row(
            each.name,
            figure(each.ours),
            figure(each.peer),
            each.peer_name,
            each.unit,
            figure(each.ratio),
            "–".join(figure(value) for value in each.spread) if each.spread else "",
            str(each.goal or ""),
            {True: "yes", False: "MISSED", None: ""}[each.met],
        )
    (console or Console(width=130)).print(table)


def figure(value: float | None) -> str:
    """Return a number with three significant digits, without exponents."""
    if value is None:
        return ""
    if abs(value) >= 100:
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.3g}"
