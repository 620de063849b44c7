"""Tables for people: sized to the terminal, plain where nobody watches. Imports only `text`; rich when it is used."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from hotplane.cli.text import printable

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

__all__ = ["Column", "details", "in_color", "moment", "table", "width"]

_UNLIMITED = 100_000
"""Columns where the output goes into a file or a pipe: nothing is cut that `grep` may look for."""

_GAP = 2
"""Spaces between columns."""

_LEAST = 8
"""A column that may be cut keeps at least this width."""

_STYLES = {
    "success": "green",
    "active": "green",
    "error": "red",
    "timeout": "red",
    "failed": "red",
    "rejected": "yellow",
    "interrupted": "yellow",
    "cancelled": "yellow",
    "loading": "yellow",
    "unloading": "yellow",
}
"""Colours of the words that tell how something is."""


class Column(NamedTuple):
    """A column of a table."""

    title: str
    key: str
    """Where its value is in a row; a dot goes one level deeper."""
    whole: bool = False
    """Whether it is never cut: an id has to be copied."""
    number: bool = False
    spare: bool = False
    """Whether it is left out where even cut columns do not fit the terminal."""
    show: Callable[[object], object] | None = None
    """What is shown of the value."""

    def value(self, row: Mapping[str, Any]) -> object:
        """Return what is shown of a row."""
        found: object = row
        for part in self.key.split("."):
            found = cast("Mapping[str, object]", found).get(part) if isinstance(found, Mapping) else None
        return found if self.show is None else self.show(found)


def table(columns: Sequence[Column], cells: Sequence[Sequence[object]]) -> str:
    """Return a table as text.

    Args:
        columns: The columns.
        cells: The values, row by row; null is shown as a dash.
    """
    shown = [tuple(_shown(value) for value in row) for row in cells]
    kept = _kept(columns, shown, width())
    columns, shown = [columns[index] for index in kept], [tuple(row[index] for index in kept) for row in shown]
    titles = _titles(columns)
    widths = _fitted(columns, [titles, *shown], width())
    drawn = _plain_table(header=True)
    for column, title, size in zip(columns, titles, widths, strict=True):
        drawn.add_column(
            title, justify="right" if column.number else "left", width=size, no_wrap=True, overflow="ellipsis"
        )
    for row in shown:
        drawn.add_row(*(_styled(text) for text in row))
    return _rendered(drawn, sum(widths) + _GAP * len(widths))


def details(fields: Sequence[tuple[str, object]]) -> str:
    """Return labels and values, one a line; long values go on below themselves."""
    drawn = _plain_table(header=False)
    drawn.add_column(style="bold", no_wrap=True)
    drawn.add_column(overflow="fold")
    for label, value in fields:
        drawn.add_row(label, _styled(_shown(value)))
    return _rendered(drawn, width())


def moment(instant: object) -> str:
    """Return an instant of the API (RFC 3339) in UTC and whole seconds; anything else as it is."""
    try:
        return f"{datetime.fromisoformat(str(instant)).astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"
    except ValueError:
        return str(instant)


def width() -> int:
    """Return how many columns there are: the terminal's, those of COLUMNS, or as many as needed."""
    if sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdigit():
        return max(20, shutil.get_terminal_size().columns)
    return _UNLIMITED


def in_color() -> bool:
    """Tell whether to use colours: on a terminal that has some, unless NO_COLOR says otherwise."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _plain_table(*, header: bool) -> Table:
    from rich.table import Table

    return Table(box=None, show_header=header, header_style="bold", padding=(0, _GAP, 0, 0), pad_edge=False)


def _titles(columns: Sequence[Column]) -> tuple[str, ...]:
    return tuple(column.title.upper() for column in columns)


def _kept(columns: Sequence[Column], rows: Sequence[Sequence[str]], room: int) -> list[int]:
    """Return which columns are shown: spare ones go, the last one first, until the others fit when they are cut."""
    from rich.cells import cell_len

    shown = [_titles(columns), *rows]
    widths = [max(cell_len(row[index]) for row in shown) for index in range(len(columns))]
    least = [size if column.whole else min(size, _LEAST) for column, size in zip(columns, widths, strict=True)]
    kept = list(range(len(columns)))
    while sum(least[index] + _GAP for index in kept) > room:
        spare = [index for index in kept if columns[index].spare]
        if not spare:
            break
        kept.remove(spare[-1])
    return kept


def _fitted(columns: Sequence[Column], rows: Sequence[Sequence[str]], room: int) -> list[int]:
    """Return the columns' widths: the widest that may be cut give way until all fit, or are at their least.

    Where even that does not fit, the lines are longer than the terminal: better than an id that cannot be copied.
    """
    from rich.cells import cell_len

    widths = [max(cell_len(row[index]) for row in rows) for index in range(len(columns))]
    room -= _GAP * len(columns)
    while sum(widths) > room:
        cut = [index for index, column in enumerate(columns) if not column.whole and widths[index] > _LEAST]
        if not cut:
            break
        widths[max(cut, key=widths.__getitem__)] -= 1
    return widths


def _styled(shown: str) -> RenderableType:
    from rich.text import Text

    return Text(shown, style=_STYLES.get(shown, ""))


def _shown(value: object) -> str:
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, Mapping | list | tuple):
        return printable(json.dumps(value, ensure_ascii=False))
    return printable(str(value))


def _rendered(drawn: Table, columns: int) -> str:
    console = _console(columns)
    with console.capture() as captured:
        console.print(drawn)
    return "".join(_without_padding(captured.get()))


def _without_padding(text: str) -> Iterator[str]:
    for line in text.splitlines():
        yield line.rstrip() + "\n"


def _console(columns: int) -> Console:
    from rich.console import Console

    color = in_color()
    return Console(
        width=columns,
        force_terminal=color,
        color_system="standard" if color else None,
        no_color=not color,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
    )
