"""Batches over HTTP: NDJSON in, results out, every item judged and stored, against single calls on one connection.

The server runs in a process of its own, new ones for each size, so that their peak memory is that of such a batch. It
checks each input against its schema, samples a tenth, validates what is sampled against the output's schema, and
stores everything (SQLite, `synchronous=FULL`). The load uploads and follows the results at the same time. Batches and
single calls take turns, and each batch is compared with the calls right before and after it. Both sides are warm: a
batch goes before, as single calls do.
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
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median, quantiles

import msgspec
import uvloop

from benchmarks.board import Row, at_least, at_most, print_table, row

SIZES = (1_000, 10_000, 100_000)
_ITEM = b'{"input":{"text":"You have won a prize. Call now to claim it.","number":7}}\n'
_CALL = _ITEM.strip()
_PART = 500
"""Items of one write."""
_WARM = 1_000
"""Items of the batch that goes before, as thousands of single calls do."""
_SPACED = 60
"""Calls, 20 a second, that tell how long one takes when nothing else runs."""
_CLEARING_SECONDS = 50e-6
"""For each item: while the rows of a batch that has ended are deleted, single calls are slower."""
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
class Turn:
    """What one batch came to, between single calls."""

    rate: float
    """Items per second."""
    single: float
    """Single calls per second, one after the other on one connection: the mean of those before and after."""
    first_result: float
    """Milliseconds from the first byte of the upload to the first result."""


@dataclass(frozen=True)
class Run:
    """What one server came to."""

    turns: list[Turn]
    peak: float
    """MiB of the server, after its first batch."""
    idle_p99: float
    """Milliseconds of a single call before the batches."""
    busy_p99: float
    """The same while they ran."""


def measure(sizes: tuple[int, ...] = SIZES, seconds: float = 1.0) -> list[Row]:
    """Measure batches of each size, in turns with single calls.

    Args:
        sizes: Items of the batches.
        seconds: How long single calls are made, one after the other, between two batches.
    """
    runs = {size: [_measured(size, seconds) for _ in range(_extent(size)[0])] for size in sizes}
    name = "batch over HTTP, 10 % sampled, validated, stored, FULL"
    rows: list[Row] = []
    firsts: list[Row] = []
    for size, some in runs.items():
        turns = [turn for run in some for turn in run.turns]
        rates, singles = [turn.rate for turn in turns], [turn.single for turn in turns]
        rows.append(
            row(f"{name}: {size} items", "items/s", rates, "single calls, one connection", singles, at_least(5.0))
        )
        firsts.append(row(f"{name}: first result of {size}", "ms", [turn.first_result for turn in turns]))
    peaks = {size: median(run.peak for run in some) for size, some in runs.items()}
    rows += [*firsts, *(_growth(name, peaks, small, large) for small, large in pairwise(sizes) if large == sizes[-1])]
    large = runs[sizes[-1]][0]
    goal = at_most(max(3 * large.idle_p99, 25.0), of="ours")
    rows.append(
        Row(
            f"single call while a batch of {sizes[-1]} runs, 20 a second, p99", "ms", large.busy_p99, "idle",
            large.idle_p99, large.busy_p99 / large.idle_p99, goal=goal,
        )
    )  # fmt: skip
    return rows


def _growth(name: str, peaks: Mapping[int, float], small: int, large: int) -> Row:
    return Row(
        f"{name}: peak memory, {large} items", "MiB", peaks[large], f"{small} items", peaks[small],
        peaks[large] / peaks[small], goal=at_most(1.2),
    )  # fmt: skip


def _measured(size: int, seconds: float) -> Run:
    with (
        tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".batch-") as folder,
        _served(Path(folder)) as (port, pid),
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        return runner.run(_run(port, pid, size, seconds))


def _extent(size: int) -> tuple[int, int]:
    """Return how many servers there are, and turns of each: a batch of 1 000 is over in a tenth of a second."""
    return (3, 5) if size <= 1_000 else (2, 3) if size <= 10_000 else (1, 2)


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
    idle = [await _spaced(caller) for _ in range(_SPACED)]
    busy: list[float] = []
    turns: list[Turn] = []
    peak = 0.0
    for _ in range(_extent(size)[1]):
        beside = await _Connection.open(port)
        calling = asyncio.create_task(_keep_calling(beside, busy))
        first, whole = await _batch(port, size)
        calling.cancel()
        await asyncio.wait({calling})
        beside.writer.close()
        peak = peak or _peak(pid)
        await asyncio.sleep(_CLEARING_SECONDS * size)
        after = await _one_by_one(caller, seconds)
        turns.append(Turn(size / whole, (before + after) / 2, first * 1e3))
        before = after
    return Run(turns, peak, _p99(idle), _p99(busy))


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
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve is not None:
        _serve(options.serve)
    else:
        print_table(measure(tuple(options.sizes), options.seconds))
