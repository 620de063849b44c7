"""Mixed load on a real host with reloads, worker kills, receiver outages and batches at once; the accounts at the end.

Run ``python -m benchmarks.soak [--minutes N] [--kill-host]``, or ``make soak MINUTES=N``. The exit code is 1 when a
promise was broken; the folder is kept then, and named.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.soak.accounting import account
from benchmarks.soak.course import Course, Seen
from benchmarks.soak.notes import Notes
from benchmarks.soak.scene import Scene
from benchmarks.soak.summary import kept, promises_of, show
from tests.integration.faults.processes import read_ledger

_HOST_KILLS_EVERY = 120.0


async def soaked(folder: Path, options: argparse.Namespace) -> tuple[Seen, Notes]:
    """Play a soak in a folder; the host has ended afterwards."""
    notes = Notes(folder)
    seconds = options.minutes * 60
    kills = min(_HOST_KILLS_EVERY, seconds / 4) if options.kill_host else None
    async with Scene(folder) as scene:
        seen = await Course(scene, notes, rate=options.rate, seed=options.seed).play(seconds, kills)
    return seen, notes


def main() -> int:
    """Soak, print the accounts, and tell whether every promise was kept."""
    options = _options()
    folder = Path(tempfile.mkdtemp(dir=Path.cwd(), prefix=".soak-"))
    began = time.monotonic()
    good = False
    try:
        seen, notes = asyncio.run(soaked(folder, options))
        received = seen.received
        found = account(folder / "host.db", notes, runs=read_ledger(folder / "ledger"), received=received)
        promises = (*found.promises, *promises_of(seen))
        show(promises, found, seen, minutes=(time.monotonic() - began) / 60)
        good = kept(promises)
    finally:
        if good and not options.keep:
            shutil.rmtree(folder)
        else:
            print(f"Everything is in {folder}", file=sys.stderr)
    return 0 if good else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=2.0, help="how long everything breaks [2]")
    parser.add_argument("--rate", type=float, default=100.0, help="single calls per second, 64 connections [100]")
    parser.add_argument("--kill-host", action="store_true", help="also kill the host (SIGKILL) about every two minutes")
    parser.add_argument("--seed", type=int, default=1, help="of all that is random")
    parser.add_argument("--keep", action="store_true", help="keep the folder")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
