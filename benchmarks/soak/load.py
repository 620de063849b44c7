"""What clients do in a soak: single calls, batches, streams and readers that come and go. Notes what they see."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from benchmarks.soak.notes import Notes
from hotplane.client import AsyncBatchHandle, AsyncClient, ItemResult, RetryPolicy

__all__ = ["CONNECTIONS", "Load"]

CONNECTIONS = 64
_TASKS = ("safe", "safe", "once", "sync")
_BATCH_LOOPS, _STREAM_LOOPS, _READER_LOOPS = 2, 2, 6
_ITEMS = (50, 400)
_STREAMED = (10, 80)
_PATIENCE = 120.0
"""Seconds that a client gives anything: a batch, a stream, a call that is repeated."""
_GONE = (aiohttp.ClientError, ConnectionError, TimeoutError)
_AGAIN = frozenset({409, 425, 429, 500, 502, 503, 504, 507})
"""Answers to a request with a key that its client repeats."""
_FOLLOWED = ("/api/events", "/api/plugins/events")


@dataclass
class Load:
    """Clients of one host.

    Args:
        url: The host.
        ledger: The file that programs note their runs in.
        notes: What clients see.
        rate: Single calls per second, all connections together.
        patient: Whether each call has an `Idempotency-Key` and is repeated until it is answered, as a client does
            whose host may be killed; otherwise every fourth is one of these, and any failure counts.
        seed: Of all that is random.
    """

    url: str
    ledger: str
    notes: Notes
    rate: float
    patient: bool = False
    seed: int = 1
    done: asyncio.Event = field(default_factory=asyncio.Event)
    """Set: nothing new is begun, and what is under way ends."""
    _count: int = 0
    _batch: str = ""

    def __post_init__(self) -> None:
        self._dice = random.Random(self.seed)

    async def run(self) -> None:
        """Keep everything going until `done` is set, and what was begun has ended."""
        retry = RetryPolicy(attempts=1_000, total_seconds=_PATIENCE)
        connector = aiohttp.TCPConnector(limit=0)
        timeout = aiohttp.ClientTimeout(total=30.0)
        async with (
            aiohttp.ClientSession(self.url, connector=connector, timeout=timeout) as session,
            AsyncClient(self.url, retry=retry, resume=retry, on_retry=lambda _: self._note("retry", "")) as client,
            asyncio.TaskGroup() as group,
        ):
            loops: list[tuple[int, Callable[[], Awaitable[None]]]] = [
                (CONNECTIONS, lambda: self._call(session)),
                (_BATCH_LOOPS, lambda: self._run_batch(client)),
                (_STREAM_LOOPS, lambda: self._run_stream(client)),
                (_READER_LOOPS, lambda: self._read(session)),
            ]
            for times, once in loops:
                for _ in range(times):
                    group.create_task(self._again_and_again(once))

    async def _again_and_again(self, once: Callable[[], Awaitable[None]]) -> None:
        while not self.done.is_set():
            await once()

    # --- single calls --------------------------------------------------------------------------------------------

    async def _call(self, session: aiohttp.ClientSession) -> None:
        await self._pause(CONNECTIONS / self.rate * self._dice.uniform(0.5, 1.5))
        if self.done.is_set():
            return
        name, task = self._name()
        keyed = self.patient or self._count % 4 == 0
        ends_at = asyncio.get_running_loop().time() + _PATIENCE
        value = self._input(name)
        while (why := await self._ask(session, value, task, keyed=keyed)) is not None:
            if not keyed or asyncio.get_running_loop().time() > ends_at:
                self.notes.add("failures", name, task, why)
                return
            self._note("repeated", why)
            await asyncio.sleep(0.5)

    async def _ask(
        self, session: aiohttp.ClientSession, value: dict[str, Any], task: str, *, keyed: bool
    ) -> str | None:
        """Call once; return None when that is all, or why it may be repeated."""
        name = value["id"]
        body = {"id": name, "input": value}
        headers = {"Idempotency-Key": name} if keyed else {}
        try:
            async with session.post(f"/api/tasks/{task}/execute", json=body, headers=headers) as answer:
                found: dict[str, Any] = await answer.json(content_type=None)
        except _GONE as error:
            return type(error).__name__
        if answer.status == 200:
            self.notes.add("answers", found["id"], task, found["status"])
            return None
        why = f"{answer.status}-{found.get('code')}"
        if answer.status in _AGAIN:
            return why
        self.notes.add("failures", name, task, why)
        return None

    # --- batches and streams -------------------------------------------------------------------------------------

    async def _run_batch(self, client: AsyncClient) -> None:
        await self._pause(self._dice.uniform(0.5, 3.0))
        if self.done.is_set():
            return
        task, size = self._dice.choice(_TASKS), self._dice.randint(*_ITEMS)
        try:
            async with asyncio.timeout(_PATIENCE):
                handle = await client.batch(
                    task, [self._input(self._name(task)[0]) for _ in range(size)], max_concurrency=16
                )
                self.notes.add("batches", handle.id, size)
                self._batch = handle.id
                await self._steer(handle)
                async with aclosing(handle.results()) as results:
                    async for result in results:
                        self._saw(task, result)
        except Exception as error:
            self._note("batch", error)

    async def _steer(self, handle: AsyncBatchHandle) -> None:
        """Pause a third of the batches for a while, and cancel a sixth."""
        chance = self._dice.random()
        if chance < 1 / 2:
            return
        await asyncio.sleep(self._dice.uniform(0.0, 0.5))
        if (await handle.status()).ended:
            return
        try:
            if chance < 5 / 6:
                await handle.pause()
                await asyncio.sleep(self._dice.uniform(0.1, 2.0))
                await handle.resume()
            else:
                await handle.cancel()
        except Exception as error:
            if not (await handle.status()).ended:  # it was over before it was asked to pause
                raise error from None

    async def _run_stream(self, client: AsyncClient) -> None:
        await self._pause(self._dice.uniform(0.5, 3.0))
        if self.done.is_set():
            return
        task, size = self._dice.choice(_TASKS), self._dice.randint(*_STREAMED)
        enough = size if self._dice.random() < 2 / 3 else self._dice.randint(1, size)  # a third is left early
        try:
            async with asyncio.timeout(_PATIENCE), client.stream(task, self._items(task, size)) as stream:
                async for result in stream:
                    self._saw(task, result)
                    enough -= 1
                    if not enough:
                        break
        except Exception as error:
            self._note("stream", error)

    async def _items(self, task: str, size: int) -> AsyncGenerator[dict[str, Any]]:
        for _ in range(size):
            await asyncio.sleep(self._dice.uniform(0.0, 0.05))
            yield self._input(self._name(task)[0])

    def _saw(self, task: str, result: ItemResult) -> None:
        if result.execution_id is not None:
            self.notes.add("answers", result.execution_id, task, result.status)

    # --- readers -------------------------------------------------------------------------------------------------

    async def _read(self, session: aiohttp.ClientSession) -> None:
        await self._pause(self._dice.uniform(0.1, 2.0))
        paths = (*_FOLLOWED, f"/api/batch/{self._batch}/events") if self._batch else _FOLLOWED
        path = self._dice.choice(paths)
        try:
            async with asyncio.timeout(self._dice.uniform(0.3, 4.0)):
                async with session.get(path, headers={"Accept": "text/event-stream"}) as answer:
                    await _drain(answer.content.iter_any())
        except TimeoutError:
            self.notes.counts["read"] += 1  # it leaves when it has seen enough
        except _GONE as error:
            self._note("reader", error)

    # --- what all of them do -------------------------------------------------------------------------------------

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self.done.wait()
        except TimeoutError:
            return

    def _name(self, task: str | None = None) -> tuple[str, str]:
        task = task or self._dice.choice(_TASKS)
        self._count += 1
        return f"{task}-{self.seed}-{self._count}", task

    def _input(self, name: str) -> dict[str, Any]:
        return {"id": name, "ledger": self.ledger, "seconds": self._dice.uniform(0.0, 0.02)}

    def _note(self, where: str, what: object) -> None:
        name = f"{type(what).__name__} {getattr(what, 'code', '')}" if isinstance(what, Exception) else what
        self.notes.add("trouble", where, str(name).strip())


async def _drain(parts: AsyncIterator[bytes]) -> None:
    async for _ in parts:
        pass
