"""Ending a server under load: what was answered is stored, whatever the way it ends."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Any

import httpx2
import pytest

from hotplane.storage import StorageSettings, Store
from tests.pace import in_time

CLIENTS = 8
GRACE = 120.0
END_SECONDS = 3.0
"""What ending may take when no program runs any more, however long the grace is."""


async def load(url: str, answered: list[str], enough: asyncio.Event) -> None:
    """Execute until the server goes away, and keep the ids of what it answered."""
    async with httpx2.AsyncClient(base_url=url, trust_env=False, timeout=60) as client:
        with suppress(httpx2.TransportError):
            while True:
                answer = await client.post("/api/tasks/echo/execute", json={"input": len(answered)})
                answered.append(answer.json()["id"])
                if len(answered) >= 200:
                    enough.set()


async def stored(path: Path) -> set[str]:
    """Return the ids of what is stored."""
    store = await Store.open(StorageSettings(url=str(path)))
    found: set[str] = set()
    cursor: str | None = None
    while True:
        page = await store.list_executions(limit=1000, cursor=cursor)
        found |= {each.id for each in page.items}
        cursor = page.next_cursor
        if cursor is None:
            await store.close()
            return found


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
async def test_nothing_that_was_answered_is_lost(spawn: Any, tmp_path: Path, end: signal.Signals) -> None:
    """Every execution whose answer was sent is there afterwards; SIGTERM ends with 0, and waits for no grace."""
    process, url = await spawn(shutdown_grace_seconds=GRACE)
    answered: list[str] = []
    enough = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for _ in range(CLIENTS):
            group.create_task(load(url, answered, enough))
        await asyncio.wait_for(enough.wait(), 60)
        process.send_signal(end)
        began = monotonic()
        await asyncio.wait_for(process.wait(), 90)
        ended = monotonic()
    assert in_time(ended - began, END_SECONDS, ended=ended)
    assert process.returncode == (0 if end is signal.SIGTERM else -signal.SIGKILL)
    assert len(answered) >= 200
    assert set(answered) <= await stored(tmp_path / "edge.db")
