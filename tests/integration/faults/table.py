"""Play every fault and print what came of it: ``python -m tests.integration.faults.table [PART OF A NAME …]``."""

from __future__ import annotations

import asyncio
import logging
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import structlog

from tests.integration.faults.cases import CASES
from tests.integration.faults.results import Result
from tests.integration.faults.scene import BREAKER, DEADLINE_SECONDS
from tests.integration.faults.site import open_site

__all__ = ["HEAD", "line", "lines"]

HEAD = (
    "| fault | executions | failed, idempotent | failed, others | double, others | repeated, idempotent "
    "| moved after ms | back after ms | longest wait ms | what callers were told |\n"
    "|---|--:|--:|--:|--:|--:|--:|--:|--:|---|"
)


def line(result: Result) -> str:
    """Return one case as a line of the table."""
    told = ", ".join(f"{why} ({count})" for why, count in sorted(result.reasons.items()))
    cells = (
        result.case, result.executions, result.failed, result.given_up, result.doubled, result.repeated,
        _figure(result.over_ms), _figure(result.back_ms), _figure(result.slowest_ms), told,
    )  # fmt: skip
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def lines(results: Iterable[Result]) -> Iterator[str]:
    """Yield the table, line by line."""
    yield HEAD
    for result in results:
        yield line(result)


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.0f}"


def _play(parts: list[str]) -> Iterator[Result]:
    with tempfile.TemporaryDirectory() as folder, open_site(Path(folder)) as site:
        for name, case in CASES.items():
            if not parts or any(part in name for part in parts):
                yield asyncio.run(case.play(site.of_its_own()))


def main() -> None:
    """Print a Markdown table."""
    logging.disable(logging.CRITICAL)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    print(f"Task deadline {DEADLINE_SECONDS:g} s, breakers open for {BREAKER.open_seconds:g} s at first.\n")
    began = time.perf_counter()
    for text in lines(_play(sys.argv[1:])):
        print(text, flush=True)
    print(f"\n{time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
