"""Every benchmark in one process tree: ``python -m benchmarks [--quick] [--write] [NAME …]``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.board import Row, print_table
from benchmarks.report import write

# Each module's `measure`, with what makes it quick; the order is that of the house, ground floor first.
BENCHMARKS: Mapping[str, Mapping[str, Any]] = {
    "chain": {"rounds": 21},
    "records": {"rounds": 3, "count": 5_000},
    "batch_scheduler": {"rounds": 3, "seconds": 5.0},
    "rest_execute": {"rounds": 3, "seconds": 1.0},
    "batch_http": {"sizes": (1_000, 10_000), "seconds": 0.5},
    "breaker": {"rounds": 5},
    "route": {"rounds": 5},
    "plugins": {"rounds": 9},
    "judgement": {"rounds": 5},
    "reload": {"rounds": 15},
    "events": {"rounds": 5, "count": 3_000, "backlog": 20_000},
    "idle": {"seconds": 3.0},
    "valkyrie": {"rounds": 3, "seconds": 0.5},
    "availability": {"seconds": 10.0},
}


def measured(name: str, quick: bool) -> list[Row]:
    measure: Callable[..., list[Row]] = import_module(f"benchmarks.{name}").measure
    return measure(**BENCHMARKS[name]) if quick else measure()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}; all by default")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    parser.add_argument("--write", action="store_true", help="write the page of the documentation, JSON and a picture")
    options = parser.parse_args()
    unknown = set(options.names) - set(BENCHMARKS)
    if unknown:
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}")
    console = Console(stderr=True)
    rows: list[Row] = []
    for name in options.names or BENCHMARKS:
        with console.status(f"measuring {name} …"):
            rows += measured(name, options.quick)
    print_table(rows)
    missed = sum(row.met is False for row in rows)
    console.print(f"{len(rows)} rows, {missed} missed their goal")
    if options.write:
        for place in write(rows):
            console.print(f"wrote {place.relative_to(Path.cwd()) if place.is_relative_to(Path.cwd()) else place}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
