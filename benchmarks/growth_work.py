"""One measurement of `growth`, in a process of its own: a host does some work, and its costs are taken.

Run with the job as JSON and a folder; the last line of the output is the figures as JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
import threading
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import uvloop
from sqlalchemy.engine import Connection

from hotplane import Hotplane
from hotplane.execution.batch import BatchOptions, NewItem
from hotplane.identity import new_id
from hotplane.plugins import Validator
from hotplane.records import Event, EventType, PluginMetadata, ValidationResult, now
from tests.integration.events.scene import QUICK, SECRET, ReceiverProcess

__all__ = ["CASES", "Case", "Figure", "Job"]

Case = Literal["execute", "batch", "delivery"]
CASES: tuple[Case, ...] = ("execute", "batch", "delivery")
CALLERS = 64
AT_ONCE = 32
"""Deliveries under way at once, all handlers together as far as each has one."""
WARM = 300
_PART = 500
_INPUT = {"text": "You have won a prize. Call now to claim it.", "number": 7}
_SCHEMA = {
    "type": "object",
    "properties": {"text": {"type": "string"}, "number": {"type": "integer"}},
    "required": ["text", "number"],
}
_PROGRAM = "async def work(value):\n    return value\n"


@dataclass(frozen=True)
class Job:
    """What is measured."""

    case: Case
    axis: Literal["work", "plugins"]
    times: int
    """Where it stands on its axis: the factor, or how many plugins."""
    units: int
    """Executions, items or events."""
    plugins: int
    """Validators that judge every execution; for deliveries, handlers that get every event."""

    def plain(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Figure:
    """What it came to."""

    numbers: ClassVar[tuple[str, ...]] = ("microseconds", "cpu", "memory", "loop", "writer", "commit", "queued")

    job: Job
    microseconds: float
    """Of one unit; of one delivery, where there are several handlers."""
    cpu: float
    """CPU time of one unit in microseconds, all threads; steadier than the time that goes by on a busy machine."""
    memory: float
    """MB at most, above the host at rest."""
    loop: float
    """CPU time of the event loop's thread, in percent of the time that went by."""
    writer: float
    """The same of the storage's thread."""
    commit: float
    """Time that thread was within COMMIT and not on a CPU: it waits for the disk."""
    queued: float
    """Time the event loop's thread could have run and had no core: the machine had other work."""


class _Judge(Validator):
    metadata = PluginMetadata(name="judge", version="1")

    def validate(self, execution: Any, context: Any) -> ValidationResult:
        return ValidationResult(valid=True)


class _Costs:
    """Takes what passes between `begin` and `end`."""

    def __init__(self) -> None:
        self._committing = 0.0
        commit = Connection.commit

        def timed(connection: Connection) -> None:
            wall, cpu = time.perf_counter(), time.thread_time()
            commit(connection)
            self._committing += time.perf_counter() - wall - (time.thread_time() - cpu)

        Connection.commit = timed  # type: ignore[method-assign] - nothing else tells a commit's time

    def begin(self) -> None:
        Path("/proc/self/clear_refs").write_text("5", "ascii")  # the highest memory is counted anew
        self._rest = _memory("VmRSS")
        self._committing = 0.0
        self._at = self._now()

    def end(self, units: int) -> dict[str, float]:
        wall, cpu, loop, writer, queued = (after - before for after, before in zip(self._now(), self._at, strict=True))
        return {
            "microseconds": wall / units * 1e6,
            "cpu": cpu / units * 1e6,
            "memory": _memory("VmHWM") - self._rest,
            "loop": loop / wall * 100,
            "writer": writer / wall * 100,
            "commit": self._committing / wall * 100,
            "queued": queued / wall * 100,
        }

    @staticmethod
    def _now() -> tuple[float, ...]:
        return time.perf_counter(), time.process_time(), time.thread_time(), _writer_seconds(), _queued_seconds()


def _memory(field: str) -> float:
    found = re.search(rf"{field}:\s+(\d+) kB", Path("/proc/self/status").read_text("ascii"))
    assert found is not None
    return int(found[1]) / 1e3


def _writer_seconds() -> float:
    writers = [each for each in threading.enumerate() if each.name == "hotplane-storage-writer"]
    return sum(time.clock_gettime(time.pthread_getcpuclockid(each.ident)) for each in writers if each.ident)


def _queued_seconds() -> float:
    """Return how long this thread, that of the event loop, has waited for a core; 0 where the system does not tell."""
    try:
        return int(Path("/proc/thread-self/schedstat").read_text("ascii").split()[1]) / 1e9
    except (OSError, IndexError):
        return 0.0


# --- the cases ---------------------------------------------------------------------------------------------------


async def _executed(folder: Path, job: Job, costs: _Costs) -> dict[str, float]:
    async with _judging(folder, job) as host:
        await _call(host, WARM)
        costs.begin()
        await _call(host, job.units)
        return costs.end(job.units)


async def _call(host: Hotplane, count: int) -> None:
    waiting = iter(range(count))

    async def caller() -> None:
        for _ in waiting:
            await host.execute("work", _INPUT)

    await asyncio.gather(*(caller() for _ in range(CALLERS)))


async def _batched(folder: Path, job: Job, costs: _Costs) -> dict[str, float]:
    async with _judging(folder, job) as host:
        await _batch(host, WARM)
        costs.begin()
        await _batch(host, job.units)
        return costs.end(job.units)


async def _batch(host: Hotplane, count: int) -> None:
    batch = await host.batches.create(BatchOptions(task_id="work"))
    for start in range(0, count, _PART):
        numbers = range(start + 1, min(start + _PART, count) + 1)
        items = [NewItem(position=number, item_id=str(number), input=_INPUT) for number in numbers]
        await host.batches.add(batch.id, items)
    await host.batches.seal(batch.id)
    await host.batches.wait(batch.id)


async def _delivered(folder: Path, job: Job, costs: _Costs) -> dict[str, float]:
    receiver = ReceiverProcess(folder)
    names = [f"hook-{number}" for number in range(job.plugins)]
    entries = [_handler(name, receiver.url, max(1, AT_ONCE // job.plugins)) for name in names]
    tree = {"storage": {"url": str(folder / "host.db")}, "plugins": {"webhook_handlers": entries}}
    try:
        async with Hotplane.from_config(tree) as host:
            await _publish(host, 50, names)
            await host.outbox.stop(0.0)  # the lanes rest while events queue up
            made = [_event(number) for number in range(job.units)]
            costs.begin()
            for start in range(0, job.units, _PART):
                await host.store.append_events(made[start : start + _PART])
            del made
            begun = {name: host.outbox.delivered(name) for name in names}
            host.outbox.start()
            await _until_delivered(host, {name: count + job.units for name, count in begun.items()})
            return costs.end(job.units * job.plugins)
    finally:
        receiver.stop()


async def _publish(host: Hotplane, count: int, names: list[str]) -> None:
    await host.store.append_events([_event(number) for number in range(count)])
    await _until_delivered(host, dict.fromkeys(names, count))


async def _until_delivered(host: Hotplane, wanted: dict[str, int]) -> None:
    while any(host.outbox.delivered(name) < count for name, count in wanted.items()):  # noqa: ASYNC110 - nothing tells of every delivery
        await asyncio.sleep(0.005)


def _event(number: int) -> Event:
    return Event(id=new_id(), type=EventType.TASK_CREATED, time=now(), payload={"n": number})


def _handler(name: str, url: str, concurrency: int) -> dict[str, Any]:
    return {
        "name": name,
        "type": "http-webhook-handler",
        "configuration": {"url": url, "secrets": [SECRET], "events": ["task.created"]},
        "delivery": {**QUICK, "concurrency": concurrency},
    }


@asynccontextmanager
async def _judging(folder: Path, job: Job) -> AsyncGenerator[Hotplane]:
    """Run a host whose validators judge every execution; input and output have schemas."""
    (folder / "grown.py").write_text(_PROGRAM, "utf-8")
    tree = {
        "storage": {"url": str(folder / "host.db"), "synchronous": "FULL"},
        "programs": {"allow": ["grown"], "paths": [str(folder)]},
        "plugins": {"samplers": [{"name": "percentage-sampler"}]},
        "tasks": {
            "work": {
                "program": "grown:work", "input_schema": _SCHEMA, "output_schema": _SCHEMA, "sampling_rate": 1.0,
                "idempotent": True,
            }
        },
    }  # fmt: skip
    host = Hotplane.from_config(tree)
    for number in range(job.plugins):
        host.register(_Judge, id=f"judge-{number}")
    async with host:
        yield host


_WORK = {"execute": _executed, "batch": _batched, "delivery": _delivered}


def main(plain: str, folder: str) -> None:
    """Measure once."""
    os.environ.pop("HOTPLANE_TOKEN", None)
    job = Job(**json.loads(plain))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(runner.run(_WORK[job.case](Path(folder), job, _Costs()))))


if __name__ == "__main__":
    main(*sys.argv[1:3])
