"""A server under load that is stopped, and one that is killed: what was answered is stored."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from hotplane.records import Execution, ExecutionStatus
from hotplane.storage import Store
from hotplane.storage.settings import StorageSettings
from tests.pace import in_time

GRACE = 1.0
CONNECTIONS = 24


class Load:
    """Clients that execute tasks until the server is gone, and note what was answered."""

    def __init__(self, url: str, task: str) -> None:
        self.answered: dict[str, str] = {}
        """Status by id of every execution whose answer arrived."""
        self.sent: set[str] = set()
        self.refused = 0
        self._url = url
        self._task = task
        self._progress = asyncio.Condition()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Keep the clients going; at the end wait until all have lost the server."""
        async with asyncio.TaskGroup() as clients:
            for number in range(CONNECTIONS):
                clients.create_task(self._client(number))
            yield

    async def until_answered(self, count: int) -> None:
        """Wait, at most 100 s, until so many answers have arrived."""
        async with asyncio.timeout(100), self._progress:
            await self._progress.wait_for(lambda: len(self.answered) >= count)

    async def _client(self, number: int) -> None:
        limits = httpx2.Timeout(120.0)
        with contextlib.suppress(httpx2.TransportError):  # the server is gone, which is how a client ends
            async with httpx2.AsyncClient(base_url=self._url, timeout=limits, trust_env=False) as client:
                for turn in range(100_000):
                    await self._execute(client, f"{number}-{turn}")

    async def _execute(self, client: httpx2.AsyncClient, id: str) -> None:
        self.sent.add(id)
        answer = await client.post(f"/api/tasks/{self._task}/execute", json={"input": id, "id": id})
        if answer.status_code != 200:
            self.refused += 1
            return
        body: dict[str, Any] = answer.json()
        async with self._progress:
            self.answered[body["id"]] = body["status"]
            self._progress.notify_all()


async def stored(path: Path) -> dict[str, Execution]:
    """Return every execution of a store that is opened anew, by id."""
    store = await Store.open(StorageSettings(url=str(path)))
    found: dict[str, Execution] = {}
    cursor: str | None = None
    try:
        while True:
            page = await store.list_executions(limit=1000, cursor=cursor)
            found.update((each.id, each) for each in page.items)
            cursor = page.next_cursor
            if cursor is None:
                return found
    finally:
        await store.close()


async def ended(process: subprocess.Popen[str]) -> float:
    """Return how many seconds the process still took to end, at most 30."""
    began = time.monotonic()
    await asyncio.to_thread(process.wait, 30)
    return time.monotonic() - began


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait, at most 60 s, until the other process is so far."""
    async with asyncio.timeout(60):
        while not await condition():  # noqa: ASYNC110 - another process has no event to wait for
            await asyncio.sleep(0.02)


async def is_executing(client: httpx2.AsyncClient) -> bool:
    """Tell whether the server has an execution in flight."""
    answer = await client.get("/api/plugins/system/stats")
    return answer.json()["in_flight"] > 0


async def is_gone(url: str) -> bool:
    """Tell whether the server takes no new connections."""
    try:
        async with httpx2.AsyncClient(base_url=url, trust_env=False) as client:
            await client.get("/livez")
    except httpx2.TransportError:
        return True
    return False


async def test_a_server_killed_under_load_has_lost_nothing_that_it_answered(serve: Callable[..., Any]):
    """Every id that a client got an answer for is in the store that is opened after `kill -9`."""
    server = serve("--log-level", "error")
    load = Load(server.url, "echo")
    async with load.running():
        await load.until_answered(1000)
        server.process.kill()
    await ended(server.process)
    found = await stored(server.store)
    lost = load.answered.keys() - found.keys()
    print(f"kill -9: {len(load.answered)} answered, {len(found)} stored, {len(lost)} lost")
    assert len(load.answered) >= 1000
    assert not lost
    assert {found[each].status for each in load.answered} == {ExecutionStatus.SUCCESS}


async def test_a_server_stopped_under_load_answers_what_runs_and_ends_in_time(serve: Callable[..., Any]):
    """After SIGTERM what is in flight is answered, all of it is stored, and the process ends with 0 by itself."""
    server = serve("--log-level", "error", HOTPLANE_SERVER__SHUTDOWN_GRACE_SECONDS="120")
    load = Load(server.url, "slow")
    file = server.folder / "go-on"
    async with httpx2.AsyncClient(base_url=server.url, timeout=120, trust_env=False) as client:
        asked = {"input": str(file), "id": "in-flight"}
        call = asyncio.create_task(client.post("/api/tasks/until-there-is-a-file/execute", json=asked))
        await until(lambda: is_executing(client))
        async with load.running():
            await load.until_answered(2 * CONNECTIONS)
            server.process.send_signal(signal.SIGTERM)
            await until(lambda: is_gone(server.url))
            file.touch()
            took = await ended(server.process)
        assert (await call).json()["status"] == "success"
    found = await stored(server.store)
    print(f"SIGTERM: {len(load.answered)} answered, {len(found)} stored, ended after {took:.2f} s")
    assert server.process.returncode == 0
    assert took < 30, "it waited for the grace"
    assert {*load.answered, "in-flight"} <= found.keys()
    assert set(load.answered.values()) == {"success"}
    assert "Traceback" not in server.log


@pytest.mark.parametrize("task", ["hang", "hang-in-an-executor"])
async def test_a_program_that_hangs_is_recorded_as_interrupted_and_keeps_nobody(serve: Callable[..., Any], task: str):
    """Its caller is answered, its record says so, and the process ends within its grace and a second.

    Python joins the threads of standard executors before it ends: one that hangs must not keep the process either.
    """
    tries = [await interrupted(serve("--log-level", "error"), task)]
    while not in_time(tries[-1], GRACE + 1):
        assert len(tries) < 3, tries
        tries.append(await interrupted(serve("--log-level", "error"), task))


async def interrupted(server: Any, task: str) -> float:
    """Stop a server in which a program hangs; return how long that took."""
    async with httpx2.AsyncClient(base_url=server.url, timeout=120, trust_env=False) as client:
        name = f"stuck-{server.process.pid}"
        call = asyncio.create_task(client.post(f"/api/tasks/{task}/execute", json={"input": 1, "id": name}))
        await until(lambda: is_executing(client))
        server.process.send_signal(signal.SIGTERM)
        took = await ended(server.process)
        answer = await call
    assert server.process.returncode == 0
    assert answer.json()["status"] == "interrupted"
    assert (await stored(server.store))[name].status is ExecutionStatus.INTERRUPTED
    return took


async def test_ctrl_c_twice_does_not_wait_for_the_grace(serve: Callable[..., Any]):
    """The second SIGINT ends the server at once although a program hangs."""
    server = serve("--log-level", "error", HOTPLANE_SERVER__SHUTDOWN_GRACE_SECONDS="60")
    async with httpx2.AsyncClient(base_url=server.url, timeout=120, trust_env=False) as client:
        call = asyncio.create_task(client.post("/api/tasks/hang/execute", json={"input": 1, "id": "stuck"}))
        await until(lambda: is_executing(client))
        server.process.send_signal(signal.SIGINT)
        await until(lambda: is_gone(server.url))
        server.process.send_signal(signal.SIGINT)
        took = await ended(server.process)
        await asyncio.gather(call, return_exceptions=True)
    assert took < 20, "it waited for the grace"
    assert server.process.returncode == 0
