"""Play every fault and print what came of it: ``python -m tests.integration.events.table [PART OF A NAME …]``."""

from __future__ import annotations

import asyncio
import logging
import sys
import tempfile
import time
from collections.abc import Awaitable, Iterator
from pathlib import Path

import structlog

from tests.integration.events.cases import CASES
from tests.integration.events.scene import Tally

__all__ = ["HEAD", "line"]

HEAD = "| fault | sent | received | lost | duplicated | what was seen |\n|---|--:|--:|--:|--:|---|"


def line(tally: Tally) -> str:
    """Return one case as a line of the table."""
    cells = (tally.case, tally.sent, tally.received, tally.lost, tally.duplicated, tally.note.replace("|", "/"))
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def _play(parts: list[str]) -> Iterator[Tally]:
    for name, play in CASES.items():
        if not parts or any(part in name for part in parts):
            with tempfile.TemporaryDirectory() as folder:
                yield asyncio.run(_awaited(play(name, Path(folder))))


async def _awaited(play: Awaitable[Tally]) -> Tally:
    return await play


def main() -> None:
    """Print a Markdown table."""
    logging.disable(logging.CRITICAL)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    print(HEAD)
    began = time.perf_counter()
    for tally in _play(sys.argv[1:]):
        print(line(tally), flush=True)
    print(f"\n{time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
