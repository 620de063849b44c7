"""What a run of `growth` leaves behind: a table, the figures of ``docs/explanation/cost.md``, JSON and charts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.board import figure
from benchmarks.growth_work import CASES, Case, Figure
from benchmarks.report import machine

__all__ = ["FOLDER", "fill", "knee", "limit_of", "print_figures", "write"]

FOLDER = Path(__file__).parents[1] / "docs" / "explanation"
_HEADINGS = (
    "path",
    "times",
    "units",
    "plugins",
    "µs a unit",
    "CPU µs",
    "MB over idle",
    "loop %",
    "writer %",
    "disk %",
    "queued %",
)
_KNEE = 1.25
"""A step that makes a unit so many times as dear as the cheapest before it."""
_BUSY = 75.0
"""Percent of the time from which something is what limits."""
_CROWDED = 10.0
"""Percent of the time that the loop waited for a core from which times say more of the machine than of the host."""
_UNITS = {"execute": "an execution", "batch": "an item", "delivery": "a delivery"}


def knee(figures: Sequence[Figure]) -> int | None:
    """Return the first place on the axis where a unit costs a quarter more than at its cheapest before, if any."""
    cheapest = figures[0].microseconds
    for each in figures[1:]:
        if each.microseconds > _KNEE * cheapest:
            return each.job.times
        cheapest = min(cheapest, each.microseconds)
    return None


def limit_of(found: Figure) -> str:
    """Return what keeps a measurement from being faster."""
    busy = {
        "the CPU time of the event loop": found.loop,
        "the CPU time of the storage thread": found.writer,
        "the disk, in COMMIT": found.commit,
    }
    name = max(busy, key=lambda each: busy[each])
    words = f"{name} ({busy[name]:.0f} %)"
    return words if busy[name] >= _BUSY else f"nothing alone, most of all {words}"


def print_figures(figures: Iterable[Figure]) -> None:
    """Print the table, and where the knees are."""
    figures = tuple(figures)
    table = Table(*_HEADINGS, box=box.SIMPLE_HEAD)
    for each in figures:
        table.add_row(*_cells(each))
    console = Console(width=130)
    console.print(table)
    for line in _sentences(figures):
        console.print(line)


def write(figures: Sequence[Figure], folder: Path = FOLDER) -> tuple[Path, ...]:
    """Write everything into a folder, whose ``cost.md`` has a place for the figures, and return the paths."""
    page, data = folder / "cost.md", folder / "growth.json"
    fill(page, "figures", _page(figures))
    plain = {"measured_at": datetime.now(UTC), "machine": machine(), "figures": [_plain(each) for each in figures]}
    data.write_bytes(msgspec.json.format(msgspec.json.encode(plain), indent=1) + b"\n")
    charts = [_chart(case, figures, folder / f"growth-{case}.svg") for case in CASES if _of(figures, case, "work")]
    return page, data, *charts


def fill(page: Path, name: str, text: str) -> None:
    """Put text into the place of a page that has this name; what was there goes, everything else stays.

    Raises:
        ValueError: The page has no such place.
    """
    begin, end = f"<!-- {name}: written by `make growth` -->", f"<!-- end of the {name} -->"
    whole = page.read_text("utf-8")
    before, _, rest = whole.partition(begin)
    _, found, after = rest.partition(end)
    if not found:
        raise ValueError(f"{page} has no place for the {name}")
    page.write_text(f"{before}{begin}\n\n{text.strip()}\n\n{end}{after}", "utf-8")


def _page(figures: Sequence[Figure]) -> str:
    about = machine()
    lines = [
        f"Measured on {datetime.now(UTC):%Y-%m-%d} with {about['cores']} cores ({about['processor']}),",
        f"{about['system']}, Python {about['python']}, SQLite {about['sqlite']}.",
        "",
    ]
    for case in CASES:
        chosen = [each for each in figures if each.job.case == case]
        if not chosen:
            continue
        lines += [f"### {case.capitalize()}", "", *(f"- {line}" for line in _sentences(chosen)), ""]
        lines += [f"![{case}: time and memory against work and plugins](growth-{case}.svg)", ""]
        lines += [f"| {' | '.join(_HEADINGS[1:])} |", "|" + "--:|" * (len(_HEADINGS) - 1)]
        lines += [f"| {' | '.join(_cells(each)[1:])} |" for each in chosen]
        lines.append("")
    return "\n".join(lines)


def _sentences(figures: Sequence[Figure]) -> Iterable[str]:
    for case in CASES:
        for axis, what in (("work", "times the work"), ("plugins", "plugins")):
            chosen = _of(figures, case, axis)
            if len(chosen) < 2:
                continue
            first, last, found = chosen[0], chosen[-1], knee(chosen)
            where = f"the knee is at {found}" if found is not None else f"no knee up to {last.job.times}"
            yield (
                f"{case}, {first.job.times} to {last.job.times} {what}: {first.microseconds:.0f} to "
                f"{last.microseconds:.0f} µs {_UNITS[case]} ({first.cpu:.0f} to {last.cpu:.0f} µs of CPU), {where}; "
                f"limited by {limit_of(last)}.{_crowd(chosen)}"
            )


def _crowd(figures: Sequence[Figure]) -> str:
    most = max(each.queued for each in figures)
    return (
        f" The machine was busy: the loop waited for a core up to {most:.0f} % of the time." if most > _CROWDED else ""
    )


def _of(figures: Iterable[Figure], case: Case, axis: str) -> list[Figure]:
    return [each for each in figures if each.job.case == case and each.job.axis == axis]


def _cells(each: Figure) -> tuple[str, ...]:
    job = each.job
    times = f"{job.times}×" if job.axis == "work" else ""
    numbers = (getattr(each, name) for name in Figure.numbers)
    return (job.case, times, f"{job.units}", f"{job.plugins}", *(figure(number) for number in numbers))


def _plain(each: Figure) -> dict[str, object]:
    return {**each.job.plain(), **{name: round(getattr(each, name), 2) for name in Figure.numbers}}


def _chart(case: Case, figures: Sequence[Figure], place: Path) -> Path:
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams.update({"svg.hashsalt": "hotplane", "font.size": 8})
    from matplotlib import pyplot as plt

    chart, panels = plt.subplots(1, 2, figsize=(9, 3), layout="constrained")
    for axes, axis, label in zip(panels, ("work", "plugins"), ("times the work", "plugins"), strict=True):
        chosen = _of(figures, case, axis)
        places = range(len(chosen))
        beside = axes.twinx()
        beside.bar(places, [max(0.0, each.memory) for each in chosen], width=0.35, color="#5f6368", alpha=0.3)
        beside.set_ylabel("MB over idle (bars)")
        axes.plot(places, [each.microseconds for each in chosen], "o-", color="#2a7f4f")
        axes.set_ylim(0, 1.15 * max((each.microseconds for each in chosen), default=1.0))
        axes.set_xticks(places, [str(each.job.times) for each in chosen])
        axes.set_xlabel(label)
        axes.set_ylabel(f"µs {_UNITS[case]} (line)")
        axes.grid(axis="y", alpha=0.25)
    chart.savefig(place, metadata={"Date": None})
    plt.close(chart)
    return place
