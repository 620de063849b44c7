"""How a worker ends, and what it does when it has too much to do."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest

from hotplane.valkyrie import ConnectionLost, PeerOverloaded, PeerShuttingDown
from tests.integration.worker.conftest import Running, is_alive, state_of, until
from tests.pace import kept

Start = Callable[..., Running]
CPU_BOUND = ("--programs", "heavy", "--cpu-bound", "heavy", "--processes", "2")


def children(pid: int) -> list[int]:
    """Return the processes that a process started."""
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return [int(line) for line in found.stdout.split()]


def forget(*marks: dict[str, str]) -> None:
    """Remove the marks of an earlier run."""
    for each in marks:
        Path(each["begun"]).unlink(missing_ok=True)


async def time_to_end(worker: Running) -> float:
    """Return how many seconds a worker takes from SIGTERM to its end, which has to be a good one."""
    began = time.monotonic()
    worker.process.send_signal(signal.SIGTERM)
    assert await worker.ended(40) == 0
    return time.monotonic() - began


async def test_sigterm_lets_calls_of_both_doors_finish(start: Start):
    """Meanwhile new calls are refused as not executed, readiness is off, and the process ends with 0 by itself."""
    worker = start("--drain-grace", "60")
    http_marks = {**worker.marks, "begun": str(worker.folder / "begun-http")}
    async with worker.client() as client:
        by_valkyrie = asyncio.create_task(worker.call("light:wait_for", worker.marks))
        by_http = asyncio.create_task(worker.post("light:wait_for", http_marks))
        await until(lambda: worker.marked("begun") and Path(http_marks["begun"]).exists())
        worker.process.send_signal(signal.SIGTERM)
        await until(lambda: client.draining)
        ready = await worker.get("/readyz")
        refused = await worker.post("light:echo", 1)
        with pytest.raises((PeerShuttingDown, ConnectionLost)) as late:
            await client.call("light:echo", "run", b"1", 30)
        worker.let_go()
        assert await by_valkyrie == "finished"
        assert (await by_http).json() == {"output": "finished"}
    assert (ready.status_code, ready.text) == (503, "draining\n")
    assert (refused.status_code, refused.json()["error"]["type"]) == (503, "shutting-down")
    assert float(refused.headers["retry-after"]) > 0
    assert late.value.executed == "no"
    assert await worker.ended(40) == 0


@pytest.mark.parametrize("program", ["light:hang", "heavy:spin"])
async def test_what_hangs_does_not_keep_a_worker_beyond_its_grace_and_a_second(start: Start, program: str):
    """Neither a stuck thread nor a process: callers are told that it may have run, and the worker ends with 0."""

    async def run() -> float:
        worker = start("--drain-grace", "0.3", *(CPU_BOUND if program.startswith("heavy") else ()))
        http_marks = {**worker.marks, "begun": str(worker.folder / "begun-http")}
        forget(worker.marks, http_marks)
        by_valkyrie = asyncio.create_task(worker.call(program, worker.marks, 60))
        by_http = asyncio.create_task(worker.post(program, http_marks, deadline_ms=60_000))
        await until(lambda: worker.marked("begun") and Path(http_marks["begun"]).exists())
        took = await time_to_end(worker)
        with pytest.raises(PeerShuttingDown) as interrupted:
            await by_valkyrie
        answer = await by_http
        assert interrupted.value.executed == "maybe"
        assert (answer.status_code, answer.json()["error"]["type"]) == (500, "interrupted")
        return took

    assert await kept(1.3, run)


@pytest.mark.parametrize("program", ["light:block", "light:hang_in_an_executor"])
async def test_neither_a_blocked_loop_nor_a_standard_executor_keeps_the_process(start: Start, program: str):
    """The first cannot even answer, the second is joined by Python at the end: the process ends in time and with 0."""

    async def run() -> float:
        worker = start("--drain-grace", "0.2")
        forget(worker.marks)
        call = asyncio.create_task(worker.call(program, worker.marks, 60))
        await until(lambda: worker.marked("begun"))
        took = await time_to_end(worker)
        with pytest.raises((PeerShuttingDown, ConnectionLost)):
            await call
        return took

    assert await kept(1.2, run)


async def test_a_second_signal_does_not_wait_for_the_grace(start: Start):
    """The worker ends at once, although a program hangs and the grace is a minute."""
    worker = start("--drain-grace", "60")
    async with worker.client() as client:
        call = asyncio.create_task(worker.call("light:hang", worker.marks, 60))
        await until(lambda: worker.marked("begun"))
        worker.process.send_signal(signal.SIGINT)
        await until(lambda: client.draining)
        worker.process.send_signal(signal.SIGINT)
        assert await worker.ended(40) == 0
        with pytest.raises((PeerShuttingDown, ConnectionLost)):
            await call


async def test_a_killed_worker_leaves_no_process_behind(start: Start):
    """SIGKILL gives it no time to say anything; its processes end all the same, the busy one included."""
    worker = start(*CPU_BOUND)
    call = asyncio.create_task(worker.call("heavy:spin", worker.marks, 60))
    await until(lambda: worker.marked("begun"))
    left = children(worker.process.pid)
    worker.process.kill()
    assert len(left) == 2
    await until(lambda: not any(map(is_alive, left)))
    with pytest.raises(ConnectionLost):
        await call


async def test_signals_to_the_whole_group_leave_the_processes_to_the_worker(start: Start):
    """A service manager sends SIGTERM to every process; a call in one of them finishes nevertheless."""
    worker = start("--programs", "heavy", "--cpu-bound", "light:wait_for", "--processes", "1")
    call = asyncio.create_task(worker.call("light:wait_for", worker.marks))
    await until(lambda: worker.marked("begun"))
    for pid in (*children(worker.process.pid), worker.process.pid):
        os.kill(pid, signal.SIGTERM)
    worker.let_go()
    assert await call == "finished"
    assert await worker.ended(40) == 0


async def test_an_overloaded_worker_refuses_at_both_doors(start: Start):
    """One call fills this worker, whichever door it came by; refusals say that nothing was executed, a ping why."""
    worker = start("--max-concurrency", "1")
    call = asyncio.create_task(worker.post("light:wait_for", worker.marks))
    await until(lambda: worker.marked("begun"))
    async with worker.client() as client:
        with pytest.raises(PeerOverloaded) as overloaded:
            await client.call("light:echo", "run", b"1", 30)
        load = await client.ping(30)
    refused = await worker.post("light:echo", 1)
    ready = await worker.get("/readyz")
    worker.let_go()
    assert (await call).json() == {"output": "finished"}
    assert (overloaded.value.executed, load.running, load.limit) == ("no", 1, 1)
    assert (refused.status_code, refused.json()["error"]["type"]) == (503, "overloaded")
    assert float(refused.headers["retry-after"]) > 0
    assert ready.text == "overloaded\n"
    assert (await worker.get("/readyz")).status_code == 200


async def test_processes_that_die_while_they_are_idle_are_replaced(start: Start):
    """Nobody notices but the log: the next call runs in a new one."""
    worker = start(*CPU_BOUND)
    before = children(worker.process.pid)
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    await until(lambda: worker.log.count("process-ended") == 2)
    assert await worker.call("heavy:pid", None) not in before


async def test_a_worker_that_is_frozen_and_continued_goes_on(start: Start):
    """SIGSTOP and SIGCONT cost the callers' connections at most, never the worker."""
    worker = start()
    worker.process.send_signal(signal.SIGSTOP)
    await until(lambda: state_of(worker.process.pid) == "T")
    call = asyncio.create_task(worker.post("light:echo", 1))
    await asyncio.wait({call}, timeout=0.1)
    assert not call.done()
    worker.process.send_signal(signal.SIGCONT)
    assert (await call).json() == {"output": 1}


async def test_too_many_stuck_threads_make_a_worker_unready(start: Start):
    """It refuses what needs a thread, and says so to its balancer, its metrics and its callers."""
    worker = start("--max-stuck", "1")
    await worker.post("light:aecho", 1)  # loading a program takes a thread, too
    while not worker.marked("begun"):  # else its deadline was over before it had a thread
        await worker.post("light:hang", worker.marks, deadline_ms=100)
    refused = await worker.post("light:echo", 1)
    ready = await worker.get("/readyz")
    metrics = await worker.get("/metrics")
    assert refused.status_code == 503
    assert (ready.status_code, ready.text) == (503, "too many stuck threads\n")
    assert "hotplane_worker_stuck_threads 1\n" in metrics.text
    assert (await worker.post("light:aecho", 1)).json() == {"output": 1}


async def test_idle_clients_do_not_keep_a_draining_worker(start: Start):
    """Open connections on which nothing happens are closed, and the worker ends long before its grace."""
    worker = start("--drain-grace", "3600")
    async with httpx2.AsyncClient(base_url=worker.url, trust_env=False, timeout=30) as http, worker.client():
        await http.get("/livez")
        worker.process.send_signal(signal.SIGTERM)
        assert await worker.ended(40) == 0
