"""What a call by Valkyrie costs: beside a bare echo, grpc.aio and HTTP, with few and with many calls in flight.

Run ``python -m benchmarks.valkyrie``. Client and server are two processes on uvloop; for the rows with one call in
flight both are pinned to one core with all their threads, as those of the bare echo and of grpc.aio are. Payloads are
1 KB. The peers take turns with Valkyrie; their server is a process of its own, so that neither disturbs the other.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter

import msgspec
import uvloop

from benchmarks.board import Row, at_least, at_most, print_table, row
from benchmarks.valkyrie_peers import Peers, connected
from hotplane.valkyrie import Call, Connection, connect, serve

PAYLOAD = msgspec.json.encode({"id": 7, "text": "x" * 900, "tags": ["a", "b", "c"], "score": 0.25, "flags": [True] * 8})
DECODED = msgspec.json.decode(PAYLOAD)
ECHOED = b"x" * 1024
DEADLINE_SECONDS = 30.0


# --- the server's process ---


async def serve_decoded(call: Call) -> bytes:
    return msgspec.json.encode(msgspec.json.decode(call.payload))


def serve_opaque(call: Call) -> bytes:
    return call.payload


def handle(call: Call) -> bytes | Awaitable[bytes]:
    return serve_opaque(call) if call.method == "opaque" else serve_decoded(call)


class RawEcho(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)  # pyright: ignore[reportAttributeAccessIssue]


async def run_servers() -> None:
    server = await serve("tcp://127.0.0.1:0", handle)
    echo = await asyncio.get_running_loop().create_server(RawEcho, "127.0.0.1", 0)
    print(server.endpoint.port, echo.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


# --- the client's process ---


@dataclass
class Sample:
    """One round of one row."""

    per_second: float
    p50_us: float
    p99_us: float


class RawClient(asyncio.Protocol):
    """Sends a kilobyte and counts what comes back, without any framing."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.missing = 0
        self.answered: asyncio.Future[None] | None = None

    def data_received(self, data: bytes) -> None:
        self.missing -= len(data)
        if self.missing <= 0 and self.answered is not None:
            self.answered.set_result(None)

    async def echo(self) -> None:
        self.missing = len(ECHOED)
        self.answered = asyncio.get_running_loop().create_future()
        self.transport.write(ECHOED)  # pyright: ignore[reportAttributeAccessIssue]
        await self.answered


async def decoded(connection: Connection) -> None:
    payload = msgspec.json.encode(DECODED)
    msgspec.json.decode(await connection.call("bench:echo", "run", payload, DEADLINE_SECONDS))


async def opaque(connection: Connection) -> None:
    await connection.call("bench:echo", "opaque", PAYLOAD, DEADLINE_SECONDS)


async def sample(once: Callable[[], Awaitable[None]], in_flight: int, seconds: float) -> Sample:
    """Keep so many calls in flight for so long."""
    times: list[float] = []
    end = perf_counter() + seconds

    async def caller() -> None:
        while (began := perf_counter()) < end:
            await once()
            times.append(perf_counter() - began)

    began = perf_counter()
    await asyncio.gather(*(caller() for _ in range(in_flight)))
    spent = perf_counter() - began
    cuts = quantiles(times, n=100)
    return Sample(len(times) / spent, median(times) * 1e6, cuts[98] * 1e6)


@contextmanager
def pinned(*servers: int) -> Generator[None]:
    """Run this process and those on one core."""
    before = os.sched_getaffinity(0)
    processes = (os.getpid(), *servers)
    try:
        for process in processes:
            pin(process, {max(before)})
        yield
    finally:
        for process in processes:
            pin(process, before)


def pin(process: int, cores: set[int]) -> None:
    """Bind every thread: the kernel binds one at a time, and gRPC's calls pass through several."""
    for thread in Path(f"/proc/{process}/task").iterdir():
        with contextlib.suppress(ProcessLookupError):  # it ended meanwhile
            os.sched_setaffinity(int(thread.name), cores)


@dataclass
class Samples:
    """All rounds."""

    echo: list[Sample] = field(default_factory=list)
    single: list[Sample] = field(default_factory=list)
    grpc_single: list[Sample] = field(default_factory=list)
    decoded_64: list[Sample] = field(default_factory=list)
    grpc_64: list[Sample] = field(default_factory=list)
    http_64: list[Sample] = field(default_factory=list)
    opaque_256: list[Sample] = field(default_factory=list)


Turn = tuple[list[Sample], Callable[[], Awaitable[None]]]


async def take_turns(number: int, turns: list[Turn], in_flight: int, seconds: float) -> None:
    """Sample each; every second round goes backwards."""
    for taken, once in turns if number % 2 == 0 else reversed(turns):
        taken.append(await sample(once, in_flight, seconds))


async def take_rounds(
    rounds: int, seconds: float, servers: tuple[int, int], connection: Connection, raw: RawClient, peers: Peers
) -> Samples:
    samples = Samples()
    single: list[Turn] = [
        (samples.echo, raw.echo),
        (samples.single, lambda: opaque(connection)),
        (samples.grpc_single, peers.grpc_opaque),
    ]
    many: list[Turn] = [
        (samples.grpc_64, peers.grpc_decoded),
        (samples.decoded_64, lambda: decoded(connection)),
        (samples.http_64, peers.http_decoded),
    ]
    for _, once in many:  # opens the connections
        await sample(once, 64, 0.2)
    for number in range(rounds):
        with pinned(*servers):
            await take_turns(number, single, 1, seconds)
        await take_turns(number, many, 64, seconds)
        samples.opaque_256.append(await sample(lambda: opaque(connection), 256, seconds))
    return samples


async def take_samples(rounds: int, seconds: float, ours: Serving, peers: Serving) -> Samples:
    connection = await connect(f"tcp://127.0.0.1:{ours.ports[0]}")
    _, raw = await asyncio.get_running_loop().create_connection(RawClient, "127.0.0.1", ours.ports[1])
    try:
        async with connected(peers.ports, PAYLOAD, DEADLINE_SECONDS) as calls:
            return await take_rounds(rounds, seconds, (ours.pid, peers.pid), connection, raw, calls)
    finally:
        connection.close()


@dataclass(frozen=True)
class Serving:
    """A process with two servers."""

    pid: int
    ports: tuple[int, int]


@contextmanager
def serving(*arguments: str) -> Generator[Serving]:
    """Run a module that prints its two ports and ends with its standard input."""
    command = [sys.executable, "-m", *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            first, second = process.stdout.readline().split()
            yield Serving(process.pid, (int(first), int(second)))
        finally:
            process.stdin.close()


def measure(rounds: int = 7, seconds: float = 1.0) -> list[Row]:
    """Return the rows: round trips in µs, throughput in calls per second."""
    with serving("benchmarks.valkyrie", "--serve") as ours, serving("benchmarks.valkyrie_peers") as peers:
        taken = uvloop.run(take_samples(rounds, seconds, ours, peers))
    name, unit, single = "valkyrie: one in flight, p50", "µs", [each.p50_us for each in taken.single]
    return [
        row(name, unit, single, "uvloop echo", [each.p50_us for each in taken.echo], at_most(3)),
        row(name, unit, single, "grpc.aio", [each.p50_us for each in taken.grpc_single], at_most(1 / 7)),
        row("valkyrie: one in flight, p99", "µs", [each.p99_us for each in taken.single]),
        beside("grpc.aio", taken.decoded_64, taken.grpc_64, 8),
        beside("HTTP, aiohttp", taken.decoded_64, taken.http_64, 3),
        *throughput("valkyrie: 64 in flight, decoded", taken.decoded_64, 45_000),
        *throughput("valkyrie: 256 in flight, opaque", taken.opaque_256, 150_000),
    ]


def beside(peer: str, ours: list[Sample], theirs: list[Sample], goal: float) -> Row:
    rates = [each.per_second for each in theirs]
    name = "valkyrie: 64 in flight, decoded"
    return row(name, "calls/s", [each.per_second for each in ours], peer, rates, at_least(goal))


def throughput(name: str, taken: list[Sample], goal: float) -> list[Row]:
    return [
        row(name, "calls/s", [each.per_second for each in taken], goal=at_least(goal, "ours")),
        row(f"{name}, p50", "µs", [each.p50_us for each in taken]),
        row(f"{name}, p99", "µs", [each.p99_us for each in taken]),
    ]


if __name__ == "__main__":
    if "--serve" in sys.argv:
        uvloop.run(run_servers())
    else:
        print_table(measure())
