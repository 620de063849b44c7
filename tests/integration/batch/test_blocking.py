"""Batches of programs that block: their items wait for a thread, and that is no part of their time."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from hotplane import Hotplane
from hotplane.execution.batch import BatchOptions, BatchState, NewItem
from hotplane.records import ExecutionStatus
from tests.integration.batch.conftest import submit, until

PROGRAMS = """
import threading

began = []
opened = threading.Event()


def quick(value):
    return value


def gated(value):
    began.append(value)
    opened.wait(120)
    return value
"""


@pytest.fixture
def module(tmp_path: Path) -> Iterator[Callable[[], ModuleType]]:
    """Write a module of programs that block, and return a function that returns it once it was imported."""
    name = f"blocking_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text(PROGRAMS)
    yield lambda: sys.modules[name]
    if name in sys.modules:
        sys.modules.pop(name).opened.set()
    sys.path[:] = [entry for entry in sys.path if entry != str(tmp_path)]


@pytest.fixture
def build(tmp_path: Path, module: Callable[[], ModuleType]) -> Callable[..., Hotplane]:
    """Return a function that builds a host with so many threads, and a task for both programs."""
    [source] = tmp_path.glob("blocking_*.py")

    def made(threads: int, timeout_ms: int, *, idempotent: bool = True) -> Hotplane:
        options = {"timeout_ms": timeout_ms, "idempotent": idempotent}
        programs = {"allow": [source.stem], "paths": [str(tmp_path)], "max_threads": threads}
        tasks = [{"id": name, "program": f"{source.stem}:{name}", **options} for name in ("quick", "gated")]
        storage = {"url": f"sqlite:///{tmp_path / 'store.db'}"}
        return Hotplane.from_config({"storage": storage, "programs": programs, "tasks": tasks})

    return made


async def test_waiting_for_a_thread_is_no_part_of_an_items_time(build, module):
    """No thread is free for 2.7 s: 22 items that may take 2.5 s wait for so long, and all succeed."""
    async with build(2, 120_000) as host:
        batch = await host.batches.create(BatchOptions(task_id="gated", max_concurrency=24))
        limits = [None, None, *[2_500] * 22]
        new = [NewItem(position=n, item_id=str(n), input=n, timeout_ms=each) for n, each in enumerate(limits, 1)]
        await host.batches.add(batch.id, new)
        await host.batches.seal(batch.id)
        await until(lambda: module().began)
        await asyncio.sleep(2.7)
        module().opened.set()
        assert (await host.batches.wait(batch.id, 60)).counts.succeeded == 24


async def test_a_single_call_finds_a_thread_beside_a_batch(build, module):
    """Items of a batch leave one thread in eight."""
    async with build(4, 120_000) as host:
        batch = await submit(host, "gated", 10, max_concurrency=10)
        await until(lambda: len(module().began) == 3)
        call = await host.execute("quick", 1)
        assert (call.status, len(module().began)) == (ExecutionStatus.SUCCESS, 3)
        module().opened.set()
        assert (await host.batches.wait(batch.id, 60)).counts.succeeded == 10


async def test_what_waits_for_a_thread_does_not_begin_in_a_pause(build, module):
    """Of ten items at once one runs; the nine go back, and run when the batch goes on."""
    async with build(1, 120_000) as host:
        batch = await submit(host, "gated", 10, max_concurrency=10)
        await until(lambda: len(module().began) == 1)
        await host.batches.pause(batch.id)
        module().opened.set()
        await until(lambda: host.batches._running.live[batch.id].tally.done == 1)
        await asyncio.sleep(0.05)
        assert len(module().began) == 1
        await host.batches.resume(batch.id)
        assert (await host.batches.wait(batch.id, 60)).counts.succeeded == 10


async def test_cancelled_items_that_waited_for_a_thread_have_not_run(build, module):
    """All ten are cancelled, and one program was called."""
    async with build(1, 120_000) as host:
        batch = await submit(host, "gated", 10, max_concurrency=10)
        await until(lambda: len(module().began) == 1)
        await host.batches.cancel(batch.id)
        ended = await host.batches.wait(batch.id, 60)
        assert (ended.state, ended.counts.cancelled) == (BatchState.CANCELLED, 10)
        assert len(module().began) == 1


async def test_what_waited_for_a_thread_when_the_host_stopped_simply_runs(build, module):
    """Of a task that is not idempotent the one that ran is interrupted; the nine that waited run after the restart."""
    host = build(1, 120_000, idempotent=False)
    await host.start()
    batch = await submit(host, "gated", 10, max_concurrency=10)
    await until(lambda: len(module().began) == 1)
    await host.stop(grace=0.0)
    module().opened.set()
    async with build(1, 120_000, idempotent=False) as again:
        ended = await again.batches.wait(batch.id, 60)
    assert (ended.counts.interrupted, ended.counts.succeeded) == (1, 9)
