"""Durable records per second: `Store.record` with group commit against aiosqlite with one commit for each record.

Both write the same rows into the same tables, on real files in one directory, in turns.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median
from typing import Literal, TypedDict

import aiosqlite

from hotplane.identity import new_id
from hotplane.records import Execution, ExecutionStatus, now
from hotplane.storage import StorageSettings, Store
from hotplane.storage.tables import executions
from hotplane.storage.writes import execution_row

WRITERS = 256
"""Callers that record at the same time."""
GOAL = 5.0

Level = Literal["FULL", "NORMAL"]


class Measurement(TypedDict):
    name: str
    ours: float
    peer: float
    unit: str
    ratio: float
    goal: float


async def measure(rounds: int, count: int) -> list[Measurement]:
    """Measure both durability levels.

    Args:
        rounds: How often each side takes its turn; the median of the ratios counts.
        count: Records that `Store.record` stores in one turn; the peer stores a fifth as many.
    """
    return [await _measure_level("FULL", rounds, count), await _measure_level("NORMAL", rounds, count)]


async def _measure_level(level: Level, rounds: int, count: int) -> Measurement:
    ours: list[float] = []
    peer: list[float] = []
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".records-") as directory:
        for number in range(rounds):
            ours.append(await _ours(Path(directory, f"ours-{number}.db"), level, count))
            peer.append(await _peer(Path(directory, f"peer-{number}.db"), level, count // 5))
    return Measurement(
        name=f"durable records, {WRITERS} writers, synchronous={level}",
        ours=median(ours),
        peer=median(peer),
        unit="records/s",
        ratio=median(a / b for a, b in zip(ours, peer, strict=True)),
        goal=GOAL,
    )


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
    columns = ", ".join(column.name for column in executions.columns if column.name != "sequence")
    insert = f"INSERT INTO {executions.name} ({columns}) VALUES (?,?,?,?,?,?,?,?,?)"
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


def _print(measurements: list[Measurement]) -> None:
    print(f"{'':56}{'ours':>12}{'aiosqlite':>12}{'ratio':>8}{'goal':>8}")
    for row in measurements:
        print(f"{row['name']:56}{row['ours']:>12,.0f}{row['peer']:>12,.0f}{row['ratio']:>8.1f}{row['goal']:>8.1f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--count", type=int, default=20_000)
    options = parser.parse_args()
    _print(asyncio.run(measure(options.rounds, options.count)))
