"""Batches over HTTP: NDJSON in, results out, every item judged and stored, against single calls on one connection.

The server runs in a process of its own, a new one for each size, so that its peak memory is that of this batch. It
checks each input against its schema, samples a tenth, validates what is sampled against the output's schema, and
stores everything (SQLite, `synchronous=FULL`). The load uploads and follows the results at the same time. Both sides
are warm: a small batch goes before, as single calls do.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles

import msgspec
import uvloop

from benchmarks.board import Row, at_least, at_most, print_table

SIZES = (1_000, 10_000, 100_000)
_ITEM = b'{"input":{"text":"You have won a prize. Call now to claim it.","number":7}}\n'
_CALL = _ITEM.strip()
_PART = 500
"""Items of one write."""
_WARM = 200
"""Items of the batch that goes before: more than are answered at once."""
_HEAD = b"%b HTTP/1.1\r\nhost: 127.0.0.1\r\n%b\r\n"
_SCHEMA = {
    "type": "object",
    "properties": {"text": {"type": "string"}, "number": {"type": "integer"}},
    "required": ["text", "number"],
}
_CONFIG = {
    "server": {"port": 0},
    "storage": {"synchronous": "FULL"},
    "log": {"level": "warning"},
    "programs": {"allow": ["benchmarks.batch_http"], "paths": [str(Path(__file__).parents[1])]},
    "tasks": {
        "echo": {
            "program": "benchmarks.batch_http:echo",
            "input_schema": _SCHEMA,
            "output_schema": _SCHEMA,
            "idempotent": True,
            "sampling_rate": 0.1,
        }
    },
    "plugins": {
        "validators": [{"name": "json-schema-validator"}],
        "samplers": [{"name": "percentage-sampler", "configuration": {"sampling_rate": 0.1}}],
    },
}


async def echo(input: object) -> object:
    """Return the input: the program of the task."""
    return input


@dataclass(frozen=True)
class Run:
    """What one batch came to."""

    items: int
    seconds: float
    single: float
    """Single calls per second, one after the other on one connection, before and after the batch."""
    first_result: float
    """Seconds from the first byte of the upload to the first result."""
    peak: float
    """MiB of the server."""
    idle_p99: float
    """Milliseconds of a single call before the batch."""
    busy_p99: float
    """The same while it ran."""

    @property
    def rate(self) -> float:
        return self.items / self.seconds


def measure(sizes: tuple[int, ...] = SIZES, seconds: float = 3.0) -> list[Row]:
    """Measure a batch of each size, and single calls right before and after it.

    Args:
        sizes: Items of the batches.
        seconds: How long single calls are made, one after the other, each time.
    """
    turns = [sorted((_measured(size, seconds) for _ in range(_rounds(size))), key=_ratio) for size in sizes]
    runs = [taken[len(taken) // 2] for taken in turns]
    name = "batch over HTTP, 10 % sampled, validated, stored, FULL"
    rows = [
        Row(
            f"{name}: {run.items} items", "items/s", run.rate, "single calls, one connection",
            run.single, _ratio(run), (_ratio(taken[0]), _ratio(taken[-1])) if len(taken) > 1 else None, at_least(5.0),
        )
        for run, taken in zip(runs, turns, strict=True)
    ]  # fmt: skip
    rows += [Row(f"{name}: first result of {run.items}", "ms", run.first_result * 1e3) for run in runs]
    large = runs[-1]
    rows += [_growth(name, small, large) for small in runs[-2:-1]]
    goal = at_most(max(3 * large.idle_p99, 25.0), of="ours")
    rows.append(
        Row(
            f"single call while a batch of {large.items} runs, 20 a second, p99", "ms", large.busy_p99, "idle",
            large.idle_p99, large.busy_p99 / large.idle_p99, goal=goal,
        )
    )  # fmt: skip
    return rows


def _growth(name: str, small: Run, large: Run) -> Row:
    return Row(
        f"{name}: peak memory, {large.items} items", "MiB", large.peak, f"{small.items} items", small.peak,
        large.peak / small.peak, goal=at_most(1.2),
    )  # fmt: skip


def _measured(size: int, seconds: float) -> Run:
    with (
        tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".batch-") as folder,
        _served(Path(folder)) as (port, pid),
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        return runner.run(_run(port, pid, size, seconds))


def _ratio(run: Run) -> float:
    return run.rate / run.single


def _rounds(size: int) -> int:
    """Return how many rounds it takes: a batch of 1 000 is over in a tenth of a second."""
    return 5 if size <= 1_000 else 3 if size <= 10_000 else 1


_MARK = b'"sequence":'
"""What each result has once."""


# --- the load ----------------------------------------------------------------------------------------------------


class _Connection:
    """A connection that is kept."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def open(cls, port: int) -> _Connection:
        return cls(*await asyncio.open_connection("127.0.0.1", port, limit=2**20))

    def begin(self, line: str, *fields: str) -> None:
        self.writer.write(_HEAD % (line.encode(), "".join(f"{field}\r\n" for field in fields).encode()))

    async def head(self) -> bytes:
        head = await self.reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 20"):
            raise RuntimeError((head + await self.reader.read(4096)).decode(errors="replace"))
        return head

    async def answer(self) -> bytes:
        found = re.search(rb"content-length: (\d+)", await self.head())
        assert found is not None
        return await self.reader.readexactly(int(found[1]))

    async def call(self) -> float:
        """Execute once, and return the milliseconds that it took."""
        began = time.perf_counter()
        self.begin("POST /api/tasks/echo/execute", "content-type: application/json", f"content-length: {len(_CALL)}")
        self.writer.write(_CALL)
        await self.answer()
        return (time.perf_counter() - began) * 1e3


async def _run(port: int, pid: int, size: int, seconds: float) -> Run:
    caller = await _Connection.open(port)
    await _batch(port, _WARM)
    before = await _one_by_one(caller, seconds)
    idle = [await _spaced(caller) for _ in range(100)]
    busy: list[float] = []
    calling = asyncio.create_task(_keep_calling(caller, busy))
    first, whole = await _batch(port, size)
    peak = _peak(pid)
    calling.cancel()
    await asyncio.wait({calling})
    caller.writer.close()
    after = await _one_by_one(await _Connection.open(port), seconds)
    return Run(size, whole, (before + after) / 2, first, peak, _p99(idle), _p99(busy))


async def _batch(port: int, size: int) -> tuple[float, float]:
    """Return the seconds from the first byte of the upload to the first result, and to the last."""
    known = await _newest(port)
    began = time.perf_counter()
    uploading = asyncio.create_task(_upload(port, size))
    while (batch := await _newest(port)) is None or batch == known:  # noqa: ASYNC110 - nothing tells of a new batch
        await asyncio.sleep(0.002)
    first, last = await _follow(port, batch, size)
    await uploading
    return first - began, last - began


async def _one_by_one(caller: _Connection, seconds: float) -> float:
    """Return calls per second."""
    calls, began = 0, time.perf_counter()
    while (took := time.perf_counter() - began) < seconds:
        await caller.call()
        calls += 1
    return calls / took


async def _upload(port: int, size: int) -> None:
    connection = await _Connection.open(port)
    connection.begin(
        "POST /api/batch/execute?task=echo", "content-type: application/x-ndjson", "prefer: respond-async",
        f"content-length: {size * len(_ITEM)}",
    )  # fmt: skip
    for start in range(0, size, _PART):
        connection.writer.write(_ITEM * min(_PART, size - start))
        await connection.writer.drain()
    await connection.answer()
    connection.writer.close()


async def _newest(port: int) -> str | None:
    connection = await _Connection.open(port)
    connection.begin("GET /api/batch?limit=1")
    found = msgspec.json.decode(await connection.answer())["items"]
    connection.writer.close()
    return found[0]["id"] if found else None


async def _follow(port: int, batch: str, count: int) -> tuple[float, float]:
    """Read so many results, and return when the first of them came, and when the last."""
    connection = await _Connection.open(port)
    connection.begin(f"GET /api/batch/{batch}/results?follow=true&limit={count}")
    await connection.head()
    seen, rest, first = 0, b"", 0.0
    while seen < count:
        part = await connection.reader.read(2**18)
        if not part:
            raise RuntimeError(f"the results ended after {seen} of {count}")
        seen += (rest + part).count(_MARK)
        rest = part[1 - len(_MARK) :]  # a mark may come in two parts
        if seen and not first:
            first = time.perf_counter()
    connection.writer.close()
    return first, time.perf_counter()


async def _spaced(caller: _Connection) -> float:
    await asyncio.sleep(0.05)
    return await caller.call()


async def _keep_calling(caller: _Connection, took: list[float]) -> None:
    """Call 20 times a second; what a call takes counts from when it was due, also when the one before was late."""
    due = time.perf_counter()
    while True:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        late = time.perf_counter() - due
        took.append(await caller.call() + late * 1e3)
        due += 0.05


def _p99(values: list[float]) -> float:
    return quantiles(values, n=100, method="inclusive")[98] if len(values) > 1 else 0.0


def _peak(pid: int) -> float:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text("ascii"))
    assert found is not None
    return int(found[1]) / 1024


# --- the server --------------------------------------------------------------------------------------------------


@contextmanager
def _served(folder: Path) -> Generator[tuple[int, int]]:
    arguments = [sys.executable, "-m", "benchmarks.batch_http", "--serve", str(folder)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, cwd=Path(__file__).parents[1], text=True) as server:
        assert server.stdout is not None
        try:
            yield int(server.stdout.readline()), server.pid
        finally:
            os.kill(server.pid, signal.SIGTERM)


def _serve(folder: Path) -> None:
    from hotplane.api import serve
    from hotplane.app import Hotplane

    host = Hotplane.from_config(_CONFIG, overrides={"storage.url": str(folder / "batch.db")})
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(host, on_ready=lambda url: print(url.rpartition(":")[2], flush=True)))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve is not None:
        _serve(options.serve)
    else:
        print_table(measure(tuple(options.sizes), options.seconds))
