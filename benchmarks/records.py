"""Durable records per second: `Store.record` with group commit against aiosqlite with one commit for each record.

Both write the same rows into the same tables, on real files in one directory, in turns.
"""

from __future__ import annotations

import asyncio
import itertools
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Literal

import aiosqlite

from benchmarks.board import Row, at_least, interleave, print_table, row
from hotplane.identity import new_id
from hotplane.records import Execution, ExecutionStatus, now
from hotplane.storage import StorageSettings, Store
from hotplane.storage.tables import executions
from hotplane.storage.writes import execution_row

WRITERS = 256
"""Callers that record at the same time."""
GOAL = 5.0

Level = Literal["FULL", "NORMAL"]


def measure(rounds: int = 5, count: int = 20_000) -> list[Row]:
    """Measure both durability levels.

    Args:
        rounds: How often each side takes its turn; the median of the ratios counts.
        count: Records that `Store.record` stores in one turn; the peer stores a fifth as many.
    """
    return [_level("FULL", rounds, count), _level("NORMAL", rounds, count)]


def _level(level: Level, rounds: int, count: int) -> Row:
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".records-") as directory:
        files = (Path(directory, f"{number}.db") for number in itertools.count())
        ours, peer = interleave(
            rounds,
            lambda: asyncio.run(_ours(next(files), level, count)),
            lambda: asyncio.run(_peer(next(files), level, count // 5)),
        )
    name = f"durable records, {WRITERS} writers, synchronous={level}"
    return row(name, "records/s", ours, "aiosqlite, one per commit", peer, at_least(GOAL))


async def _ours(path: Path, level: Level, count: int) -> float:
    store = await Store.open(StorageSettings(url=str(path), synchronous=level))
    try:

        async def record(execution: Execution) -> None:
            await store.record(execution)

        return await _rate(record, count)
    finally:
        await store.close()


async def _peer(path: Path, level: Level, count: int) -> float:
    await (await Store.open(StorageSettings(url=str(path)))).close()
    names = [column.name for column in executions.columns if column.name != "sequence"]
    columns, marks = ", ".join(names), ", ".join("?" * len(names))
    insert = f"INSERT INTO {executions.name} ({columns}) VALUES ({marks})"
    async with aiosqlite.connect(path) as connection:
        await connection.execute(f"PRAGMA synchronous={level}")
        # One connection has one transaction, so that each record needs the connection for itself.
        alone = asyncio.Lock()

        async def record(execution: Execution) -> None:
            async with alone:
                await connection.execute(insert, execution_row(execution))
                await connection.commit()

        return await _rate(record, count)


async def _rate(record: Callable[[Execution], Awaitable[None]], count: int) -> float:
    waiting = iter(range(count))

    async def writer() -> None:
        for _ in waiting:
            await record(_execution())

    started = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(WRITERS):
            group.create_task(writer())
    return count / (time.perf_counter() - started)


def _execution() -> Execution:
    return Execution(
        id=new_id(),
        task_id="spam-detector",
        program="examples.spam:detect",
        status=ExecutionStatus.SUCCESS,
        input={"text": "Congratulations, you have won a prize. Call now to claim it. " * 4},
        output={"spam": True, "confidence": 0.97},
        latency_ms=1.25,
        started_at=now(),
    )


if __name__ == "__main__":
    print_table(measure())
