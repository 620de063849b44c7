"""Batches: the scheduler alone against semaphore and gather, the pipeline's stages, and single calls beside a batch.

Each measurement of the scheduler runs in a process of its own, so that resident memory is its own.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import gc
import json
import pstats
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from statistics import quantiles

from msgspec.structs import replace

from benchmarks.board import Row, at_least, at_most, interleave, print_table, row
from hotplane import Hotplane
from hotplane.execution.batch import BatchOptions, NewItem
from hotplane.execution.batch.scheduler import Scheduler
from hotplane.records import Event, Execution
from hotplane.storage import Place

CONCURRENCY = 64
CALLS_PER_SECOND = 20
_STAGES = {
    "routing and the runner": ("/routing/", "/programs/", "/builtin/runners/"),
    "sampling": ("execution/sampling", "/samplers/", "identity.py"),
    "validation": ("execution/validation", "execution/gating", "execution/verdict", "/validators/", "schemas.py"),
    "the batch's own": ("/execution/batch/",),
}


def measure(rounds: int = 5, count: int = 100_000, seconds: float = 10.0) -> list[Row]:
    """Measure all of it.

    Args:
        rounds: How often each side of the scheduler takes its turn.
        count: Bare async calls of one turn.
        seconds: How long single calls are made, idle and beside a batch.
    """
    sides = {"ours": list[dict[str, float]](), "peer": list[dict[str, float]]()}
    interleave(
        rounds,
        lambda: _child("ours", count, sides["ours"]),
        lambda: _child("peer", count, sides["peer"]),
    )

    def of(side: str, name: str) -> list[float]:
        return [each[name] for each in sides[side]]

    peer = "semaphore + gather"
    what = f"{count} bare async calls, {CONCURRENCY} at a time"
    return [
        row(f"scheduler: {what}", "calls/s", of("ours", "rate"), peer, of("peer", "rate"), at_least(4)),
        row("… resident memory grows by", "MB", of("ours", "grown"), peer, of("peer", "grown"), at_most(0.2)),
        row("… loop lag, p99", "ms", of("ours", "lag"), peer, of("peer", "lag"), at_most(10, of="ours")),
        *asyncio.run(_pipeline(count // 10)),
        *asyncio.run(_beside(seconds)),
    ]


# --- the scheduler alone -------------------------------------------------------------------------------------


def _child(side: str, count: int, into: list[dict[str, float]]) -> float:
    command = [sys.executable, "-m", "benchmarks.batch_scheduler", "--side", side, "--count", str(count)]
    told = subprocess.run(command, check=True, capture_output=True, cwd=Path(__file__).parents[1])
    into.append(json.loads(told.stdout))
    return into[-1]["rate"]


async def _alone(side: str, count: int) -> dict[str, float]:
    lags: list[float] = []
    watching = asyncio.create_task(_watch(lags))
    await asyncio.sleep(0.05)
    lags.clear()
    before = _resident()
    started = time.perf_counter()
    await (_ours(count) if side == "ours" else _peer(count))
    taken = time.perf_counter() - started
    await asyncio.sleep(0.01)
    watching.cancel()
    return {"rate": count / taken, "grown": max(0.1, _resident() - before), "lag": _p99(lags)}


async def _call(item: int) -> int:
    return item


async def _ours(count: int) -> None:
    await Scheduler().run(range(1, count + 1), _call, concurrency=CONCURRENCY)


async def _peer(count: int) -> None:
    room = asyncio.Semaphore(CONCURRENCY)

    async def one(item: int) -> None:
        async with room:
            await _call(item)

    await asyncio.gather(*(one(item) for item in range(1, count + 1)))


async def _watch(lags: list[float]) -> None:
    """Note by how many milliseconds the loop comes late."""
    while True:
        due = time.perf_counter() + 0.001
        await asyncio.sleep(0.001)
        lags.append(max(0.0, time.perf_counter() - due) * 1e3)


def _resident() -> float:
    """Return the most megabytes that this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _p99(values: Sequence[float]) -> float:
    return quantiles(values, n=100, method="inclusive")[98] if len(values) > 1 else max(values, default=0.0)


# --- the pipeline, without storing -----------------------------------------------------------------------------


async def echo(value: object) -> object:
    """The trivial program."""
    return value


class _Nowhere:
    """Stands before the store and keeps nothing of executions."""

    def __init__(self) -> None:
        self._sequence = 0

    async def record(
        self, execution: Execution, events: Sequence[Event], *, limit: float | None, place: Place | None
    ) -> Execution:
        del events, limit, place
        self._sequence += 1
        return replace(execution, sequence=self._sequence)


async def _pipeline(count: int) -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="hotplane-bench-") as folder:
        async with _host(folder) as host:
            pipeline, plan = host._pipeline, host.tasks.plan("echo")  # noqa: SLF001 - the store is taken out of it
            pipeline._store = _Nowhere()  # noqa: SLF001  # pyright: ignore[reportAttributeAccessIssue]

            async def one(item: int) -> None:
                await pipeline.execute(plan, {"number": item})

            rate = await _rate(one, count)
            profile = cProfile.Profile()
            profile.enable()
            await _rate(one, count // 4)
            profile.disable()
    return [row("pipeline without storing, through the scheduler", "items/s", [rate]), *_shares(profile)]


async def _rate(one: Callable[[int], Awaitable[object]], count: int) -> float:
    started = time.perf_counter()
    await Scheduler().run(range(1, count + 1), one, concurrency=CONCURRENCY)
    return count / (time.perf_counter() - started)


def _shares(profile: cProfile.Profile) -> list[Row]:
    """Return each stage's share of the time spent in its own files, by a profile."""
    stats: dict[tuple[str, int, str], tuple[int, int, float, float, object]] = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    total = sum(entry[2] for entry in stats.values())
    rows: list[Row] = []
    for stage, files in _STAGES.items():
        own = sum(entry[2] for (file, _, _), entry in stats.items() if any(part in file for part in files))
        rows.append(row(f"… share of {stage}", "%", [100 * own / total]))
    return rows


# --- single calls beside a batch -------------------------------------------------------------------------------


def _host(folder: str) -> Hotplane:
    return Hotplane.from_config(
        {
            "storage": {"url": f"sqlite:///{folder}/store.db"},
            "programs": {"allow": ["benchmarks.batch_scheduler"]},
            "plugins": {
                "samplers": [{"name": "percentage-sampler"}],
                "validators": [{"name": "json-schema-validator"}],
            },
            "tasks": [
                {
                    "id": "echo",
                    "program": "benchmarks.batch_scheduler:echo",
                    "sampling_rate": 0.1,
                    "idempotent": True,
                    "output_schema": {"type": "object"},
                }
            ],
        }
    )


async def _beside(seconds: float) -> list[Row]:
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".batch-") as folder:
        async with _host(folder) as host:
            # As the server does once it is up; a full collection of a host's objects takes 100 ms.
            gc.collect()
            gc.freeze()
            idle = await _singles(host, seconds / 2)
            made = await host.batches.create(BatchOptions(task_id="echo", max_concurrency=CONCURRENCY))
            filling = asyncio.create_task(_fill(host, made.id))
            started, busy = time.perf_counter(), await _singles(host, seconds)
            done = (await host.batches.get(made.id)).done
            rate = done / (time.perf_counter() - started)
            filling.cancel()
            await host.batches.cancel(made.id)
            await host.batches.wait(made.id)
            gc.unfreeze()
    limit = max(3 * _p99(idle), 25.0)
    name = f"{CALLS_PER_SECOND} single calls/s beside a durable batch, p99"
    return [
        Row(name, "ms", _p99(busy), "idle", _p99(idle), _p99(busy) / _p99(idle), goal=at_most(round(limit, 1), "ours")),
        row("… items of that batch", "items/s", [rate]),
    ]


async def _singles(host: Hotplane, seconds: float) -> list[float]:
    """Return the milliseconds of calls that are due at fixed times, waiting for their turn included."""
    taken: list[float] = []
    started = time.perf_counter()
    for number in range(int(seconds * CALLS_PER_SECOND)):
        due = started + number / CALLS_PER_SECOND
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        await host.execute("echo", {"number": number})
        taken.append((time.perf_counter() - due) * 1e3)
    return taken


async def _fill(host: Hotplane, batch: str) -> None:
    for first in range(1, 100_000, 500):
        items = [NewItem(position=n, item_id=str(n), input={"number": n}) for n in range(first, first + 500)]
        await host.batches.add(batch, items)


def main() -> None:
    """Print the table, or, in a child, one measurement as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--side", choices=("ours", "peer"))
    parser.add_argument("--count", type=int, default=100_000)
    options = parser.parse_args()
    if options.side is None:
        print_table(measure())
        return
    json.dump(asyncio.run(_alone(options.side, options.count)), sys.stdout)


if __name__ == "__main__":
    main()
