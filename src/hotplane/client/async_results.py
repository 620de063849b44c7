"""Batches and streams of the `AsyncClient`. Imports only its own room."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, aclosing
from types import TracebackType
from typing import Self

from hotplane.client import calls
from hotplane.client.async_wire import AsyncWire, Going
from hotplane.client.calls import Call, Submitted
from hotplane.client.failures import ClientError
from hotplane.client.following import ResultLines, StreamProgress
from hotplane.client.items import Upload
from hotplane.client.pace import poll_pause
from hotplane.client.results import Batch, ItemResult
from hotplane.client.retries import Schedule

__all__ = ["AsyncBatchHandle", "AsyncResultStream"]


class AsyncBatchHandle:
    """A batch of the server. It goes on whether or not anybody holds this.

    Args:
        wire: The server.
        batch: How it stood when it was last asked for.
    """

    def __init__(self, wire: AsyncWire, batch: Batch) -> None:
        self._wire = wire
        self.last = batch
        """How it stood when it was last asked for."""

    @property
    def id(self) -> str:
        """Its id, with which `AsyncClient.open_batch` finds it again."""
        return self.last.id

    async def status(self) -> Batch:
        """Ask how it stands."""
        return await self._ask(calls.batch("batch", self.id))

    async def pause(self) -> Batch:
        """Begin no more items; those that run end."""
        return await self._ask(calls.batch_action("batch", self.id, "pause"))

    async def resume(self) -> Batch:
        """Go on after a pause."""
        return await self._ask(calls.batch_action("batch", self.id, "resume"))

    async def cancel(self) -> Batch:
        """Run no more items: what has not begun counts as cancelled."""
        return await self._ask(calls.batch_action("batch", self.id, "cancel"))

    async def delete(self) -> None:
        """Forget it and its results once it has ended; the executions stay."""
        await self._wire.send(calls.delete_batch(self.id))

    async def wait(self, timeout: float | None = None) -> Batch:
        """Wait until it has ended.

        Raises:
            TimeoutError: It has not, after `timeout` seconds.
        """
        async with asyncio.timeout(timeout):
            while not (batch := await self.status()).ended:  # noqa: ASYNC110 - the event is in another process
                await asyncio.sleep(poll_pause(batch))
        return batch

    async def results(self, *, after: int = 0) -> AsyncGenerator[ItemResult]:
        """Yield every result once, in the order in which they ended, until the batch has.

        A lost connection, also by a restart of the host, is resumed where it was.

        Args:
            after: The `sequence` of the last result that is known already.
        """
        lines = ResultLines(self._wire.address, after)
        schedule = _resuming(self._wire, f"GET results of {self.id}")
        while True:
            try:
                async with aclosing(self._more(lines)) as more:
                    async for result in more:
                        schedule.begin_anew()
                        yield result
                batch = await self.status()
            except ClientError as error:
                await asyncio.sleep(schedule.wait_after(error))
                continue
            if batch.ended and lines.after >= batch.last_sequence:
                return
            await asyncio.sleep(poll_pause(batch))

    async def _more(self, lines: ResultLines) -> AsyncGenerator[ItemResult]:
        lines.begin()
        async with self._wire.open(calls.results(self.id, lines.after, follow=True)) as going:
            if going.parts is None:
                return
            async for part in going.parts:
                for result in lines.feed(part):
                    yield result

    async def _ask(self, call: Call[Batch]) -> Batch:
        self.last = await self._wire.send(call)
        return self.last


class AsyncResultStream:
    """The results of a stream, each once, in the order in which they ended; an asynchronous iterator.

    Leave it through ``async with``: when it has not ended by then, the items that are left are cancelled, unless it
    is detached.

    Args:
        wire: The server.
        begin: The request that uploads, and what; null for a stream that exists already.
        progress: How far it has come.
        detach: Whether the stream goes on without its reader.
    """

    def __init__(
        self, wire: AsyncWire, begin: tuple[Call[Submitted], Upload] | None, progress: StreamProgress, *, detach: bool
    ) -> None:
        self._wire = wire
        self._begin = begin
        self._progress = progress
        self._detach = detach
        self._results = self._run()

    @property
    def id(self) -> str | None:
        """The stream's id; null until the server has told it, which is before the first result."""
        return self._progress.id

    @property
    def status(self) -> Batch | None:
        """How the stream stood when the server last told, at most once a second."""
        return self._progress.batch

    @property
    def cursor(self) -> int:
        """The `sequence` of the last result; with the id it lets another program go on here."""
        return self._progress.after

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ItemResult:
        return await anext(self._results)

    async def aclose(self) -> None:
        """Leave the stream."""
        await self._results.aclose()

    async def cancel(self) -> Batch | None:
        """Cancel the items that are left; their results still come."""
        if self.id is None:
            return None
        return await self._wire.send(calls.batch_action("stream", self.id, "cancel"))

    async def _run(self) -> AsyncGenerator[ItemResult]:
        try:
            async with aclosing(self._each()) as each:
                async for result in each:
                    yield result
        finally:
            if not self._progress.ended and not self._detach:
                await self._cancel_quickly()
        self._progress.check_upload()

    async def _cancel_quickly(self) -> None:
        if self.id is not None:
            with contextlib.suppress(ClientError):  # it may have ended by itself, or the host is gone
                await self._wire.once(calls.leave_stream(self.id))

    async def _each(self) -> AsyncGenerator[ItemResult]:
        schedule = _resuming(self._wire, "POST /api/stream/execute")
        while True:
            try:
                async with aclosing(self._some()) as some:
                    async for result in some:
                        schedule.begin_anew()
                        yield result
                if self._progress.ended:
                    return
                raise self._progress.broken_off()
            except ClientError as error:
                if self.id is None and self._begin is not None and not self._begin[1].repeatable_after(error):
                    raise
                wait = schedule.wait_after(error)
            await asyncio.sleep(wait)

    async def _some(self) -> AsyncGenerator[ItemResult]:
        self._progress.begin()
        async with self._connected() as going:
            if going.parts is None:  # the last event had come already
                self._progress.ended = True
                return
            self._progress.located(going.location)
            async for part in going.parts:
                for result in self._progress.feed(part):
                    yield result
                if self._progress.ended:
                    return

    def _connected(self) -> AbstractAsyncContextManager[Going]:
        if self.id is None and self._begin is not None:
            return self._wire.converse(*self._begin)
        return self._wire.open(calls.events(self.id or "", self._progress.last_event_id))


def _resuming(wire: AsyncWire, what: str) -> Schedule:
    return Schedule(wire.settings.resume, what, wire.settings.on_retry)
