"""What a run leaves behind: the figures as JSON, as a page of the documentation, and as a picture of the ratios."""

from __future__ import annotations

import os
import platform
import sqlite3
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.board import Row, figure

__all__ = ["FOLDER", "machine", "write"]

FOLDER = Path(__file__).parents[1] / "docs" / "reference"
_PEERS = (
    "aiohttp", "aiosqlite", "fastapi", "grpcio", "jsonschema", "jsonschema-rs", "msgspec", "pluggy", "purgatory",
    "pybreaker", "stevedore", "uvicorn", "uvloop",
)  # fmt: skip
_INTRODUCTION = (
    "Written by `make bench`. Each row is the median of several rounds; where there is a peer, both were measured in",
    "turns in the same run, and the ratio is the median of the rounds' ratios. The spread is the lowest and highest",
    "ratio. Ratios hold from machine to machine, absolute figures do not.",
)
_WORDS = {True: "yes", False: "**missed**", None: ""}


def machine() -> dict[str, Any]:
    """Return what the figures depend on: processor, kernel, interpreter, libraries."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "libraries": {name: found for name in _PEERS if (found := _version(name))},
    }


def write(rows: Sequence[Row], folder: Path = FOLDER) -> tuple[Path, ...]:
    """Write ``benchmarks.json``, ``benchmarks.md`` and ``benchmarks.svg`` into a folder, and return their paths."""
    at, about = datetime.now(UTC), machine()
    places = tuple(folder / f"benchmarks.{kind}" for kind in ("json", "md", "svg"))
    figures = {"measured_at": at, "machine": about, "rows": [_plain(row) for row in rows]}
    places[0].write_bytes(msgspec.json.format(msgspec.json.encode(figures), indent=1) + b"\n")
    places[1].write_text(_page(rows, at, about), encoding="utf-8")
    _picture(rows, places[2])
    return places


def _plain(row: Row) -> dict[str, Any]:
    plain = msgspec.to_builtins(row)
    plain["met"] = row.met
    return plain


def _page(rows: Iterable[Row], at: datetime, about: dict[str, Any]) -> str:
    rows = tuple(rows)
    missed = [row.name for row in rows if row.met is False]
    libraries = ", ".join(f"{name} {found}" for name, found in about["libraries"].items())
    lines = [
        "# Benchmarks",
        "",
        *_INTRODUCTION,
        "",
        f"Measured on {at:%Y-%m-%d} with {about['cores']} cores ({about['processor']}), {about['system']},",
        f"Python {about['python']}, SQLite {about['sqlite']}; {libraries}.",
        "",
        f"{len(rows)} rows, {len(missed)} missed their goal{': ' + '; '.join(missed) if missed else ''}.",
        "",
        "![The ratios and their spread, with the goals](benchmarks.svg)",
        "",
        "| What | Ours | Peer | | Unit | Ratio | Spread | Goal | Met |",
        "|---|--:|--:|---|---|--:|--:|--:|---|",
        *(_line(row) for row in rows),
    ]
    return "\n".join(lines) + "\n"


def _line(row: Row) -> str:
    spread = " – ".join(figure(value) for value in row.spread) if row.spread else ""
    cells = (
        row.name, figure(row.ours), figure(row.peer), row.peer_name, row.unit, figure(row.ratio), spread,
        str(row.goal or ""), _WORDS[row.met],
    )  # fmt: skip
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def _picture(rows: Iterable[Row], place: Path) -> None:
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams.update({"svg.hashsalt": "hotplane", "font.size": 8})
    from matplotlib import pyplot as plt

    shown = [(row, row.ratio) for row in rows if row.ratio is not None][::-1]
    chart, axes = plt.subplots(figsize=(11, 0.9 + 0.27 * len(shown)), layout="constrained")
    for height, (row, ratio) in enumerate(shown):
        low, high = row.spread or (ratio, ratio)
        colour = {True: "#2a7f4f", False: "#b3261e", None: "#5f6368"}[row.met]
        axes.plot((low, high), (height, height), color=colour, linewidth=4, alpha=0.35, solid_capstyle="round")
        axes.plot(ratio, height, "o", color=colour, markersize=5)
        if row.goal is not None and row.goal.of == "ratio":
            axes.plot(row.goal.limit, height, "<" if row.goal.sign == "≤" else ">", color="black", markersize=4)
    axes.set_yticks(range(len(shown)), [f"{row.name} / {row.peer_name}" for row, _ in shown])
    axes.set_xscale("log")
    axes.axvline(1, color="#5f6368", linewidth=0.6)
    axes.set_xlabel("ours ÷ peer\ndot: median, bar: spread, triangle: the goal, pointing where it is met")
    axes.grid(axis="x", which="both", alpha=0.25)
    chart.savefig(place, metadata={"Date": None})
    plt.close(chart)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
