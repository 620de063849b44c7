"""`make coverage`: how much of each room its tests run through, by lines and by branches; fails below the goal.

Only the rooms that everything else rests on are measured, and only the tests that are about them are run.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOMS = ("registry", "host", "routing", "valkyrie", "execution", "events")
GOAL = 95.0
"""Percent of the lines of a room, and percent of its branches: both, for lines are many and hide them."""
ROOT = Path(__file__).parents[1]
SETTINGS = Path(__file__).with_name("coverage.toml")
TESTS = (
    *(f"tests/unit/{room}" for room in ROOMS),
    "tests/unit/testing",
    "tests/contract",
    *(f"tests/integration/{part}" for part in ("host", "reload", "valkyrie", "runners", "batch", "events", "storage")),
    "tests/integration/api",
    "tests/integration/testing",
    "tests/acceptance/test_cli_plugins.py",
    "tests/acceptance/test_cli_quality.py",
)


@dataclass
class Room:
    """The counts of one room."""

    name: str
    lines: int = 0
    lines_run: int = 0
    branches: int = 0
    branches_run: int = 0

    def add(self, counts: Mapping[str, int]) -> None:
        """Count a file in."""
        self.lines += counts["num_statements"]
        self.lines_run += counts["covered_lines"]
        self.branches += counts["num_branches"]
        self.branches_run += counts["covered_branches"]

    @property
    def covered(self) -> tuple[float, float]:
        """Percent of the lines, and of the branches."""
        return percent(self.lines_run, self.lines), percent(self.branches_run, self.branches)

    @property
    def reaches_goal(self) -> bool:
        """Whether both are enough."""
        return min(self.covered) >= GOAL

    def __str__(self) -> str:
        lines, branches = self.covered
        verdict = "" if self.reaches_goal else "  below the goal"
        return f"{self.name:<10} {lines:>7.1f} % {branches:>8.1f} %{verdict}"


def percent(part: int, whole: int) -> float:
    """Return a share in percent; of nothing all is covered."""
    return 100.0 * part / whole if whole else 100.0


def measured(report: Mapping[str, Any]) -> list[Room]:
    """Return the rooms of a report."""
    rooms = {name: Room(name) for name in ROOMS}
    for path, file in report["files"].items():
        rooms[Path(path).parts[2]].add(file["summary"])
    return list(rooms.values())


def missing(report: Mapping[str, Any]) -> Iterator[str]:
    """Yield what was not run, file by file."""
    for path, file in report["files"].items():
        lines = set(file["missing_lines"])
        jumps = [f"{start}->{end}" for start, end in file["missing_branches"] if lines.isdisjoint((start, abs(end)))]
        if lines or jumps:
            yield f"{path}: {', '.join([*map(str, sorted(lines)), *jumps])}"


def run(folder: Path) -> tuple[int, dict[str, Any]]:
    """Run the tests; return pytest's code and the report."""
    environment = {**os.environ, "COVERAGE_FILE": str(folder / "data")}
    report = folder / "report.json"
    options = ["-q", "-p", "no:cacheprovider", "--cov", f"--cov-config={SETTINGS}", f"--cov-report=json:{report}"]
    command = [sys.executable, "-m", "pytest", *options, *TESTS]
    code = subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
    return code, json.loads(report.read_text("utf-8"))


def main() -> int:
    """Run the tests, print the table, and tell whether every room reaches the goal; `--missing` lists the rest."""
    with tempfile.TemporaryDirectory() as folder:
        code, report = run(Path(folder))
    rooms = measured(report)
    if "--missing" in sys.argv:
        print(*missing(report), sep="\n")
    print(f"\n{'room':<10} {'lines':>9} {'branches':>10}   (goal: each at least {GOAL:g} %)")
    print(*rooms, sep="\n")
    return code or int(any(not room.reaches_goal for room in rooms))


if __name__ == "__main__":
    sys.exit(main())
