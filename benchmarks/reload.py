"""From a plugin's file saved to its new generation serving, beside what the watcher alone needs.

Run ``python -m benchmarks.reload``. The host runs on a real directory with the real watcher and default settings.
"""

from __future__ import annotations

import asyncio
import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

from benchmarks.board import Row, at_most, print_table, row
from hotplane import Hotplane
from hotplane.host import Reload
from hotplane.host.watching import Watch
from hotplane.plugins import Validator

LIMIT_MS = 300.0
TEXT = """
from hotplane.plugins import Validator
from hotplane.records import PluginMetadata, ValidationResult

class Marking(Validator):
    metadata = PluginMetadata(name="marking", version="1.{number}")

    def validate(self, execution, context):
        return ValidationResult(valid=True)
"""


async def saved_to_serving(folder: Path, rounds: int) -> tuple[list[float], list[float]]:
    """Return the milliseconds from each save to the first call that the new generation would take, and the steps'."""
    directory = folder / "plugins"
    directory.mkdir()
    file = directory / "marking.py"
    file.write_text(TEXT.format(number=0))
    tree = {"storage": {"url": str(folder / "host.db")}, "plugins": {"directories": [str(directory)]}}
    whole: list[float] = []
    steps: list[float] = []
    async with Hotplane.from_config(tree) as host:
        await asyncio.sleep(0.5)  # the watch begins
        news = host.plugins.subscribe()
        for number in range(1, rounds + 1):
            started = perf_counter()
            file.write_text(TEXT.format(number=number))
            reload = await anext(each async for each in news if isinstance(each, Reload))
            served = host.registry.chain(Validator).links[0].version
            whole.append((perf_counter() - started) * 1e3)
            steps.append(reload.duration_ms)
            if served != f"1.{number}":
                raise RuntimeError(f"version {served} serves instead of 1.{number}")
            await asyncio.sleep(0.02 + 0.007 * (number % 8))  # saves fall anywhere in the watcher's rhythm
    return whole, steps


async def watcher_alone(folder: Path, rounds: int) -> list[float]:
    """Return the milliseconds from each save until the watcher tells of it, with the same debounce time."""
    told: asyncio.Queue[set[Path]] = asyncio.Queue()
    watch = Watch([folder], changed=told.put_nowait, troubled=print)
    watch.start()
    await told.get()
    taken: list[float] = []
    for number in range(rounds):
        await asyncio.sleep(0.02 + 0.007 * (number % 8))
        started = perf_counter()
        (folder / "file.py").write_text(str(number))
        await told.get()
        taken.append((perf_counter() - started) * 1e3)
    await watch.stop()
    return taken


def measure(rounds: int = 40) -> list[Row]:
    """Return the rows of the board."""
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as name:
        whole, steps = asyncio.run(saved_to_serving(Path(name), rounds))
    with tempfile.TemporaryDirectory() as name:
        alone = asyncio.run(watcher_alone(Path(name), rounds))
    logging.disable(logging.NOTSET)
    return [
        row("file saved to new generation serving", "ms", whole, "the watcher alone", alone, at_most(LIMIT_MS, "ours")),
        row("of that: read, import, check, start, swap", "ms", steps),
        row("its 95th percentile, saved to serving", "ms", [percentile(whole, 0.95)]),
    ]


def percentile(values: Sequence[float], q: float) -> float:
    """Return the value below which the fraction `q` lies."""
    return sorted(values)[min(len(values) - 1, int(q * len(values)))]


if __name__ == "__main__":
    print_table(measure())
