"""Events: what committing one costs an execution, deliveries beside a bare loop, memory and recovery with a backlog.

Run ``python -m benchmarks.events``; with ``outage [COUNT]`` it plays a long outage alone. Receivers,
and the hosts whose memory and recovery are measured, are processes of their own. Stores are on real files, at
``synchronous=FULL`` where nothing else is said.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.board import Row, at_least, at_most, interleave, print_table, row
from hotplane import Hotplane
from hotplane.events.envelope import standard_body
from hotplane.execution import pipeline
from hotplane.identity import new_id
from hotplane.records import Event, EventType, Execution, Task, now
from hotplane.storage import Told
from tests.integration.events.scene import HANDLER, ReceiverProcess, config_of

CALLERS = 64
AT_ONCE = 32
"""Deliveries at a time, of both sides."""
BACKLOG = 100_000
_TURNS = 8
"""Turns that the executions of one round are split into."""
PROGRAM = "async def work(value):\n    return value\n"
events_of = pipeline.events_of


def measure(rounds: int = 9, count: int = 4_000, backlog: int = BACKLOG) -> list[Row]:
    """Measure everything.

    Args:
        rounds: Rounds of the comparisons; the median of the ratios counts.
        count: Half of the executions, and of the deliveries, of each side in one round.
        backlog: Pending deliveries for memory and recovery.
    """
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".events-") as name:
        folder = Path(name)
        (folder / "eventful.py").write_text(PROGRAM)
        sys.path.insert(0, name)
        try:
            delivered = _delivering(folder, rounds, 2 * count)
            return [*_committing(folder, rounds, 2 * count), delivered, *_backlog(folder, backlog)]
        finally:
            sys.path.remove(name)


# --- committing ----------------------------------------------------------------------------------------------


def _committing(folder: Path, rounds: int, count: int) -> list[Row]:
    """Measure executions with their event and a delivery row; and, for information, with the delivery itself."""
    entry: dict[str, Any] = {"name": "sink", "type": "file-webhook-handler", "configuration": {}}
    (folder / "sink").mkdir()
    taken = {**entry, "configuration": {"directory": str(folder / "sink")}}
    # A handler that does not start for want of its directory: its deliveries are stored, and wait.
    stored, sent, alone = _Side([entry], eventful=True), _Side([taken], eventful=True), _Side([], eventful=False)
    with_row, without = zip(*(asyncio.run(_turns(folder, count, (stored, alone))) for _ in range(rounds)), strict=True)
    # By itself, since what it delivers goes on beside whatever comes next.
    delivered = [asyncio.run(_turns(folder, count // 2, (sent,)))[0] for _ in range(rounds)]
    peer = "without events"
    return [
        row("execution with its event and one delivery stored", "µs", with_row, peer, without, at_most(1.15)),
        row("the same while the delivery goes to a file", "µs", delivered, peer, without),
    ]


@dataclass(frozen=True)
class _Side:
    """What is compared: a host with these handlers, whose executions have their event or none."""

    handlers: list[dict[str, Any]]
    eventful: bool


async def _turns(folder: Path, count: int, sides: Sequence[_Side]) -> list[float]:
    """Let a host of each side execute so often in short turns, one after the other; return µs of an execution.

    A machine that is slower for half a second is so for all of them.
    """
    async with AsyncExitStack() as stack:
        hosts = [await stack.enter_async_context(_host(folder, side.handlers)) for side in sides]
        seconds = [0.0] * len(sides)
        for turn in range(_TURNS):
            order = range(len(sides)) if turn % 2 == 0 else reversed(range(len(sides)))
            for index in order:
                pipeline.events_of = events_of if sides[index].eventful else _no_events
                try:
                    seconds[index] += await _executions(hosts[index], count // _TURNS)
                finally:
                    pipeline.events_of = events_of
    return [each / (count // _TURNS * _TURNS) * 1e6 for each in seconds]


@asynccontextmanager
async def _host(folder: Path, handlers: list[dict[str, Any]]) -> AsyncGenerator[Hotplane]:
    with tempfile.TemporaryDirectory(dir=folder) as place:
        config = {
            "storage": {"url": f"sqlite:///{place}/host.db"},
            "programs": {"allow": ["eventful"]},
            "plugins": {"webhook_handlers": handlers},
        }
        async with Hotplane.from_config(config) as host:
            await host.tasks.create(Task(id="work", program="eventful:work"))
            yield host


async def _executions(host: Hotplane, count: int) -> float:
    waiting = iter(range(count))

    async def caller() -> None:
        for number in waiting:
            await host.execute("work", {"number": number})

    # A collection of everything takes 80 ms, 20 µs an execution. Where the next one falls depends on what the start
    # allocated: a host with a handler that got no event had it in here, one without had it at its end.
    gc.collect()
    started = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(CALLERS)))
    return time.perf_counter() - started


def _no_events(execution: Execution) -> tuple[Told, ...]:
    return ()


# --- delivering ----------------------------------------------------------------------------------------------


def _delivering(folder: Path, rounds: int, count: int) -> Row:
    place = Path(tempfile.mkdtemp(dir=folder))
    receiver = ReceiverProcess(place)
    try:
        made = _events(count)
        ours, bare = interleave(
            rounds,
            lambda: asyncio.run(_outbox(folder, receiver, made)),
            lambda: asyncio.run(_bare(receiver.url, made)),
        )
    finally:
        receiver.stop()
    name = f"deliveries to a local receiver, {AT_ONCE} at a time"
    return row(name, "events/s", ours, "aiohttp, the same bodies, unsigned and not stored", bare, at_least(0.5))


def _events(count: int) -> list[Event]:
    return [Event(id=new_id(), type=EventType.TASK_CREATED, time=now(), payload={"n": n}) for n in range(count)]


async def _outbox(folder: Path, receiver: ReceiverProcess, made: Sequence[Event]) -> float:
    with tempfile.TemporaryDirectory(dir=folder) as place:
        config = config_of(Path(place), receiver.url, concurrency=AT_ONCE)
        config["storage"]["synchronous"] = "FULL"
        async with Hotplane.from_config(config) as host:
            await host.outbox.stop(0.0)  # the lanes rest while events queue up
            await _store(host, made)
            gc.collect()  # as above
            started = time.perf_counter()
            host.outbox.start()
            while host.outbox.delivered(HANDLER) < len(made):  # noqa: ASYNC110 - nothing tells of every delivery
                await asyncio.sleep(0.005)
            return len(made) / (time.perf_counter() - started)


async def _bare(url: str, made: Sequence[Event]) -> float:
    bodies = [standard_body(event) for event in made]
    waiting = iter(bodies)
    async with aiohttp.ClientSession() as session:

        async def sender() -> None:
            for body in waiting:
                async with session.post(url, data=body, headers={"Content-Type": "application/json"}) as answer:
                    await answer.read()
                    answer.raise_for_status()

        gc.collect()
        started = time.perf_counter()
        await asyncio.gather(*(sender() for _ in range(AT_ONCE)))
        return len(bodies) / (time.perf_counter() - started)


async def _store(host: Hotplane, made: Sequence[Event]) -> None:
    for start in range(0, len(made), 500):
        await host.store.append_events(made[start : start + 500])


# --- a backlog -----------------------------------------------------------------------------------------------


def _backlog(folder: Path, backlog: int) -> list[Row]:
    place = Path(tempfile.mkdtemp(dir=folder))
    receiver = ReceiverProcess(place)
    receiver.stop()
    try:
        first = _Child(place, receiver.url, backlog)
        idle = int(first.line())
        full = int(first.line())
        os.kill(first.process.pid, signal.SIGKILL)
        first.end()
        receiver.start()
        started = time.perf_counter()
        second = _Child(place, receiver.url, 0)
        while not receiver.received():
            time.sleep(0.005)
        recovered = time.perf_counter() - started
        second.process.kill()
        second.end()
    finally:
        receiver.stop()
    return [
        row(f"memory with {backlog} pending, over idle", "MB", [(full - idle) / 1e6], goal=at_most(100, "ours")),
        row("start after SIGKILL to the first delivery", "s", [recovered], goal=at_most(2.0, "ours")),
    ]


class _Child:
    """A host in a process of its own, which tells its memory before and after events queued up."""

    def __init__(self, place: Path, url: str, count: int) -> None:
        command = [sys.executable, "-m", "benchmarks.events", "child", str(place), url, str(count)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def end(self) -> None:
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


async def _child(place: Path, url: str, count: int) -> None:
    config = config_of(place, url)
    async with Hotplane.from_config(config) as host:
        await asyncio.sleep(0.5 if count else 0)
        print(_resident(), flush=True)
        for _ in range(count // 500):
            await _store(host, _events(500))
        await asyncio.sleep(1.0)
        print(_resident(), flush=True)
        await asyncio.Event().wait()


def _resident() -> int:
    """Return the bytes of this process that are in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


async def outage(count: int, receivers: int = 2) -> None:
    """Queue events while every receiver is down, let all of them up, and print what came."""
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".outage-") as name:
        places = [Path(name, str(number)) for number in range(receivers)]
        for place in places:
            place.mkdir()
        there = [ReceiverProcess(place) for place in places]
        config = config_of(Path(name), there[0].url, concurrency=AT_ONCE)
        entry = config["plugins"]["webhook_handlers"][0]
        config["plugins"]["webhook_handlers"] = [
            {**entry, "name": f"{HANDLER}-{index}", "configuration": {**entry["configuration"], "url": each.url}}
            for index, each in enumerate(there)
        ]
        for each in there:
            each.stop()
        async with Hotplane.from_config(config) as host:
            made = _events(count)
            await _store(host, made)
            queued = _resident()
            for each in there:
                await asyncio.to_thread(each.start)
            started = time.perf_counter()
            wanted = {event.id for event in made}
            patience = started + 900
            while any(len(each.received()) < count for each in there) and time.perf_counter() < patience:  # noqa: ASYNC110
                await asyncio.sleep(1.0)
            seconds = time.perf_counter() - started
        print(f"{count} events, {receivers} receivers down, then up; {queued / 1e6:.0f} MB with everything queued")
        for index, each in enumerate(there):
            each.stop()
            came = each.received()
            print(
                f"receiver {index}: received {len(wanted & set(came))}, lost {len(wanted - set(came))}, "
                f"duplicated {came.total() - len(came)}, {count / seconds:.0f} events/s"
            )


def main(arguments: Sequence[str]) -> None:
    if arguments[:1] == ["outage"]:
        asyncio.run(outage(int(arguments[1]) if arguments[1:] else BACKLOG))
    elif arguments[:1] == ["child"]:
        asyncio.run(_child(Path(arguments[1]), arguments[2], int(arguments[3])))
    else:
        print_table(measure())


if __name__ == "__main__":
    main(sys.argv[1:])
