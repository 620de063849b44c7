"""The Valkyrie runner beside real workers, as `hotplane worker` starts them."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator

import pytest

from hotplane.plugins import NotExecuted, ProgramFailed
from hotplane.records import Task
from tests.integration.runners.conftest import BOUND, Child, StartRunner, all_connected, until

PROGRAMS = "hotplane.testing.runner_programs"
StartReal = Callable[..., Awaitable[Child]]


def task(function: str) -> Task:
    """Return a task for one of the worker's programs."""
    return Task(id="t", program=f"{PROGRAMS}:{function}")


@pytest.fixture
def start_real() -> Iterator[StartReal]:
    """Start workers by the command, which are killed after the test."""
    children: list[Child] = []

    async def start(endpoint: str = "tcp://127.0.0.1:0") -> Child:
        command = [sys.executable, "-m", "hotplane", "worker", "--listen", endpoint, "--programs", PROGRAMS]
        process = subprocess.Popen(  # noqa: ASYNC220 - it returns at once
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert process.stdout is not None
        line = await asyncio.to_thread(process.stdout.readline)
        child = Child(process, line.split()[-1] if line else "")
        children.append(child)
        return child

    yield start
    for child in children:
        child.kill()
        if child.process.stdout is not None:
            child.process.stdout.close()


@pytest.mark.usefixtures("unwatched")
async def test_runner_and_worker_speak_the_same_language(start_real: StartReal, start_runner: StartRunner):
    """Success, a program's own error, and a program that the worker does not allow."""
    runner = await start_runner((await start_real()).endpoint)
    assert await runner.run(task("echo_async"), {"ü": [1.5, None]}, BOUND) == {"ü": [1.5, None]}
    with pytest.raises(ProgramFailed) as failed:
        await runner.run(task("fail"), 1, BOUND)
    assert failed.value.failure.type == "LookupError"
    assert "runner_programs.py" in (failed.value.failure.traceback or "")
    with pytest.raises(NotExecuted) as refused:
        await runner.run(Task(id="t", program="os:getcwd"), 1, BOUND)
    assert (refused.value.code, refused.value.counts) == ("unknown-program", False)


@pytest.mark.usefixtures("unwatched")
async def test_workers_are_replaced_one_by_one_without_a_failed_call(start_real: StartReal, start_runner: StartRunner):
    """SIGTERM to one worker after the other, each started again, while calls go on: none fails."""
    workers = list(await asyncio.gather(start_real(), start_real()))
    runner = await start_runner(*(worker.endpoint for worker in workers), reconnect_max_ms=50)
    await all_connected(runner)
    done = asyncio.Event()

    async def caller() -> int:
        made = 0
        while not done.is_set():
            assert await runner.run(task("pause"), 0.01, BOUND) == 0.01
            made += 1
        return made

    callers = [asyncio.ensure_future(caller()) for _ in range(10)]
    for number, worker in enumerate(workers):
        worker.signal(signal.SIGTERM)
        assert await asyncio.to_thread(worker.process.wait) == 0
        await start_real(worker.endpoint)
        await until(lambda number=number: bool(runner._pool and len(runner._pool.stations[number].lanes) == 2))
    done.set()
    assert sum(await asyncio.gather(*callers)) > 100
