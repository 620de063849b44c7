"""How cost grows: execute, batch and delivery at 1, 10 and 100 times the work, and with 1, 10 and 50 plugins.

Run ``python -m benchmarks.growth [--write]``, or ``make growth``. Each measurement is a process of its own with a host
on a real file, at ``synchronous=FULL``, so that its memory and its CPU time are its own. `growth_work` is what runs in
it, `growth_page` writes table, JSON and charts.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median

from rich.console import Console

from benchmarks.growth_page import print_figures, write
from benchmarks.growth_work import CASES, Figure, Job

BASE = 1_000
FACTORS = (1, 10, 100)
PLUGINS = (1, 10, 50)
_ROOT = Path(__file__).parents[1]
_LIMIT_SECONDS = 1_800.0


def measured(job: Job, rounds: int) -> Figure:
    """Return the medians of some rounds, each in a process of its own."""
    found = [_once(job) for _ in range(rounds)]
    middle = {name: median(getattr(each, name) for each in found) for name in Figure.numbers}
    return Figure(job=job, **middle)


def measure(
    base: int = BASE, factors: Sequence[int] = FACTORS, plugins: Sequence[int] = PLUGINS, rounds: int = 3
) -> list[Figure]:
    """Measure everything.

    Args:
        base: Units of 1×; 2× for the turns with many plugins, and a fifth of it for deliveries to many.
        factors: Multiples of it.
        plugins: How many validators, or handlers.
        rounds: Of each measurement; what takes long, 100×, is measured once.
    """
    console = Console(stderr=True)
    found: list[Figure] = []
    for job in _jobs(base, factors, plugins):
        with console.status(f"{job.case}, {job.units} units, {job.plugins} plugins …"):
            found.append(measured(job, 1 if job.units >= 50 * base else rounds))
    return found


def _jobs(base: int, factors: Sequence[int], plugins: Sequence[int]) -> Iterable[Job]:
    for case in CASES:
        for factor in factors:
            yield Job(case=case, axis="work", times=factor, units=base * factor, plugins=1)
        units = base // 5 if case == "delivery" else 2 * base
        for count in plugins:
            yield Job(case=case, axis="plugins", times=count, units=units, plugins=count)


def _once(job: Job) -> Figure:
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".growth-") as folder:
        command = [sys.executable, "-m", "benchmarks.growth_work", json.dumps(job.plain()), folder]
        told = subprocess.run(
            command, check=True, stdout=subprocess.PIPE, cwd=_ROOT, timeout=_LIMIT_SECONDS, text=True
        ).stdout
    return Figure(job=job, **json.loads(told.splitlines()[-1]))


def main() -> int:
    """Measure and print; with ``--write`` also write the page's figures, JSON and charts."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__)
    parser.add_argument("--base", type=int, default=BASE, help=f"units of 1× [{BASE}]")
    parser.add_argument("--factors", type=int, nargs="+", default=list(FACTORS), help="multiples of them [1 10 100]")
    parser.add_argument("--plugins", type=int, nargs="+", default=list(PLUGINS), help="how many plugins [1 10 50]")
    parser.add_argument("--rounds", type=int, default=3, help="of each measurement [3]")
    parser.add_argument("--write", action="store_true", help="write docs/explanation: figures of cost.md, JSON, charts")
    options = parser.parse_args()
    figures = measure(options.base, options.factors, options.plugins, options.rounds)
    print_figures(figures)
    if options.write:
        for place in write(figures):
            print(f"wrote {place}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
