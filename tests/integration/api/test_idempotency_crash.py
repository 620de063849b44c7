"""Killing a host while it works on a request with a key: the key gets its outcome, whatever that was."""

from __future__ import annotations

import asyncio
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest

from tests.integration.api.conftest import FOREVER

KEY = {"idempotency-key": "a"}
PATIENT = "/api/tasks/patient/execute"
CRASH = """
import asyncio, os, sys, msgspec
from hotplane.api import serve
from hotplane.app import Hotplane
from hotplane.storage import StoredKeys
StoredKeys.{where} = lambda *arguments, **named: os.kill(os.getpid(), 9)
host = Hotplane.from_config(msgspec.json.decode(sys.argv[1]))
asyncio.run(serve(host, on_ready=lambda url: print(url, flush=True)))
"""


async def crashing(settings: Callable[..., dict[str, Any]], where: str) -> tuple[asyncio.subprocess.Process, str]:
    """Serve a host that kills itself where it calls a method of the store's keys."""
    config = msgspec.json.encode(settings()).decode()
    code = CRASH.format(where=where)
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, config, stdout=PIPE)
    assert process.stdout is not None
    return process, (await asyncio.wait_for(process.stdout.readline(), 60)).decode().strip()


async def ask(url: str, path: str, body: object, headers: dict[str, str] = KEY) -> httpx2.Response:
    """Send a request and return its answer."""
    async with httpx2.AsyncClient(base_url=url, trust_env=False, timeout=60) as client:
        return await client.post(path, json=body, headers=headers)


async def running(url: str, count: int) -> None:
    """Wait until so many executions run."""
    async with httpx2.AsyncClient(base_url=url, trust_env=False, timeout=60) as client:
        while (await client.get("/api/plugins/system/stats")).json()["in_flight"] != count:  # noqa: ASYNC110 - nobody tells of it
            await asyncio.sleep(0.02)


async def killed(process: asyncio.subprocess.Process, url: str, path: str, body: object) -> None:
    """Send a request and kill the host while it runs."""
    lost = asyncio.create_task(ask(url, path, body))
    await asyncio.wait_for(running(url, 1), 60)
    process.send_signal(signal.SIGKILL)
    await process.wait()
    with pytest.raises(httpx2.TransportError):
        await lost


async def executions(url: str) -> list[dict[str, Any]]:
    """Return what is stored."""
    async with httpx2.AsyncClient(base_url=url, trust_env=False, timeout=60) as client:
        return (await client.get("/api/executions")).json()["items"]


async def test_what_was_committed_is_the_answer(settings: Any, spawn: Any) -> None:
    """The host dies between the commit of the record and the answer: the repeat gets the record."""
    process, url = await crashing(settings, "finish_soon")
    with pytest.raises(httpx2.TransportError):
        await ask(url, "/api/tasks/echo/execute", {"input": 7})
    assert await process.wait() == -signal.SIGKILL
    _, url = await spawn()
    again = await ask(url, "/api/tasks/echo/execute", {"input": 7})
    stored = await executions(url)
    assert (again.status_code, again.headers["idempotent-replayed"]) == (200, "true")
    assert [again.json()] == stored
    assert (await ask(url, "/api/tasks/echo/execute", {"input": 8})).status_code == 422


async def test_a_rejected_input_is_still_rejected(settings: Any, spawn: Any) -> None:
    """The record makes the same answer as the route did."""
    process, url = await crashing(settings, "finish")
    with pytest.raises(httpx2.TransportError):
        await ask(url, "/api/tasks/strict/execute", {"input": {"n": "x"}})
    await process.wait()
    _, url = await spawn()
    again = await ask(url, "/api/tasks/strict/execute", {"input": {"n": "x"}})
    fresh = await ask(url, "/api/tasks/strict/execute", {"input": {"n": "x"}}, {})
    differs = {"execution_id": None}
    assert (again.status_code, {**again.json(), **differs}) == (422, {**fresh.json(), **differs})
    assert [each["id"] for each in await executions(url)] == [
        fresh.json()["execution_id"],
        again.json()["execution_id"],
    ]


async def test_what_may_have_run_is_interrupted(spawn: Any) -> None:
    """The host dies while it runs: a task that is not idempotent is not run again, and the key says so for good."""
    process, url = await spawn()
    await killed(process, url, PATIENT, {"input": FOREVER})
    _, url = await spawn()
    other = await ask(url, PATIENT, {"input": FOREVER + 1})
    again = await ask(url, PATIENT, {"input": FOREVER})
    assert (other.status_code, other.json()["code"]) == (422, "idempotency-key-reused")
    assert (again.status_code, again.json()["status"]) == (200, "interrupted")
    assert "not idempotent" in again.json()["error"]["message"]
    assert (await ask(url, PATIENT, {"input": FOREVER})).content == again.content
    assert [each["id"] for each in await executions(url)] == [again.json()["id"]]


async def test_what_may_be_repeated_is_run_again(spawn: Any, tmp_path: Path) -> None:
    """The host dies while it runs: a task that is idempotent runs once more, under the same id."""
    process, url = await spawn()
    gate = tmp_path / "gate"
    body = {"input": str(gate)}
    task = {"id": "twice", "program": "edge_programs:held", "idempotent": True}
    assert (await ask(url, "/api/tasks", task, {})).status_code == 201
    await killed(process, url, "/api/tasks/twice/execute", body)
    gate.touch()
    _, url = await spawn()
    again = await ask(url, "/api/tasks/twice/execute", body)
    assert (again.status_code, again.json()["output"]) == (200, "let-go")
    assert (await ask(url, "/api/tasks/twice/execute", body)).content == again.content
    assert len(await executions(url)) == 1


async def test_a_task_that_was_made_is_the_answer(settings: Any, spawn: Any) -> None:
    """The host dies after it made a task, before that was answered: the repeat is no conflict with itself."""
    process, url = await crashing(settings, "finish")
    task = {"id": "new", "program": "edge_programs:echo"}
    with pytest.raises(httpx2.TransportError):
        await ask(url, "/api/tasks", task)
    await process.wait()
    _, url = await spawn()
    again = await ask(url, "/api/tasks", task)
    assert (again.status_code, again.headers["location"]) == (201, "/api/tasks/new")
    async with httpx2.AsyncClient(base_url=url, trust_env=False, timeout=60) as client:
        assert again.json() == (await client.get("/api/tasks/new")).json()


async def test_a_change_is_made_again(settings: Any, spawn: Any) -> None:
    """The host dies before the answer to a change is stored: the repeat makes it, which does no harm."""
    process, url = await crashing(settings, "finish")
    with pytest.raises(httpx2.TransportError):
        await ask(url, "/api/plugins/percentage-sampler/disable", None)
    await process.wait()
    _, url = await spawn()
    again = await ask(url, "/api/plugins/percentage-sampler/disable", None)
    assert (again.status_code, again.json()["enabled"]) == (200, False)
    assert (await ask(url, "/api/plugins/percentage-sampler/disable", None)).content == again.content
