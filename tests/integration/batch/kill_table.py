"""Prints what kills in mid-batch cost: ``python -m tests.integration.batch.kill_table``."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from tests.integration.batch.killing import Outcome, kill_and_finish

_COLUMNS = ("task", "kills", "accepted", "items", "finished", "interrupted", "began twice", "run again", "lost")


def main() -> int:
    """Kill hosts and print the table; the exit code tells whether anything was lost or run again."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=4, help="batches of each kind")
    parser.add_argument("--items", type=int, default=3_000, help="items of each batch")
    options = parser.parse_args()
    outcomes = [
        _round(seed, idempotent=idempotent, items=options.items)
        for idempotent in (True, False)
        for seed in range(options.rounds)
    ]
    table = Table(*_COLUMNS, box=box.SIMPLE_HEAD, caption="SIGKILL at random moments, SQLite, synchronous=FULL")
    for each in outcomes:
        table.add_row(*_cells(each))
    Console(width=130).print(table)
    return int(any(each.lost or each.rerun or (each.repeated and not each.idempotent) for each in outcomes))


def _round(seed: int, *, idempotent: bool, items: int) -> Outcome:
    with tempfile.TemporaryDirectory(prefix="hotplane-kill-") as folder:
        url = f"sqlite:///{folder}/store.db"
        return kill_and_finish(Path(folder), url, idempotent=idempotent, count=items, kills=2 + seed, seed=seed)


def _cells(outcome: Outcome) -> list[str]:
    kind = "idempotent" if outcome.idempotent else "not idempotent"
    figures = (
        outcome.kills,
        outcome.accepted,
        outcome.items,
        outcome.finished,
        outcome.interrupted,
        outcome.repeated,
        outcome.rerun,
        outcome.lost,
    )
    return [kind, *map(str, figures)]


if __name__ == "__main__":
    raise SystemExit(main())
