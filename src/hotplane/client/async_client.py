"""The asynchronous client. Imports only `records`, `values` and its own room."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime
from types import TracebackType
from typing import Self, Unpack

from msgspec import UNSET, UnsetType

from hotplane.client import calls
from hotplane.client.answers import converted, ended_operation, submitted
from hotplane.client.async_results import AsyncBatchHandle, AsyncResultStream
from hotplane.client.async_wire import AsyncWire
from hotplane.client.calls import BatchOptions
from hotplane.client.following import StreamProgress
from hotplane.client.items import AsyncItems, Upload
from hotplane.client.pace import OPERATION_PAUSE
from hotplane.client.quality import Quality
from hotplane.client.results import (
    Batch,
    BatchState,
    HealthSummary,
    ItemResult,
    Plugin,
    PluginHealth,
    Readiness,
    TaskInfo,
)
from hotplane.client.retries import OnRetry, RetryPolicy, log_retry
from hotplane.client.settings import Settings
from hotplane.records import Execution
from hotplane.values import Json

__all__ = ["AsyncClient"]

_PAGE = 200


class AsyncClient:
    """A client of one Hotplane server, for asyncio; use it as an asynchronous context manager.

    Every method raises a `ClientError`: `ApiError` with the server's own words, `ConnectionFailed`, `ConnectionLost`
    or `NotHotplane`. Requests that fail for a moment are repeated; each POST has an idempotency key, so that nothing
    is done twice.

    Args:
        address: The server's URL, ``http://host:port``; the environment variable HOTPLANE_SERVER when it is left away,
            and ``http://127.0.0.1:3000`` without that.
        token: The bearer token; the environment variable HOTPLANE_TOKEN when it is left away.
        connect_seconds: How long a connection may take.
        answer_seconds: How long an answer may take.
        retry: How often requests are repeated.
        resume: How long results are followed over lost connections; every result begins it anew.
        on_retry: Told of every retry; logs it by default.
        verify: How certificates are checked; the system's authorities by default.

    Raises:
        BadAddress, BadToken: The arguments cannot be used.
    """

    def __init__(
        self,
        address: str | None = None,
        *,
        token: str | None = None,
        connect_seconds: float = 5.0,
        answer_seconds: float = 120.0,
        retry: RetryPolicy | None = None,
        resume: RetryPolicy | None = None,
        on_retry: OnRetry = log_retry,
        verify: ssl.SSLContext | None = None,
    ) -> None:
        self._wire = AsyncWire(
            Settings.checked(
                address,
                token=token,
                connect_seconds=connect_seconds,
                answer_seconds=answer_seconds,
                retry=retry,
                resume=resume,
                on_retry=on_retry,
                verify=verify,
            )
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._wire.address}>"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._wire.close()

    # --- executions --------------------------------------------------------------------------------------

    async def execute(
        self,
        task_id: str,
        input: Json,
        *,
        expected: Json | UnsetType = UNSET,
        id: str | None = None,
        sample: bool = False,
        timeout: float | None = None,
        idempotency_key: str | None = None,
    ) -> Execution:
        """Execute a task once and return its record, whatever its status.

        Args:
            task_id: The task.
            input: Its input, a JSON value.
            expected: What the output should be, where that is known.
            id: The execution's id; the host mints one by default.
            sample: Whether it is sampled, and so judged, whatever the samplers say.
            timeout: Seconds that the answer to one try may take; the client's `answer_seconds` by default.
            idempotency_key: Names the request, 1 to 255 printable ASCII characters: with the same key it is done once,
                also over several calls. By default each call has a new one.

        Raises:
            ApiInvalid: The input was refused; `problems` tells where, `execution_id` what was recorded.
            NotJson: The input is no JSON value.
        """
        call = calls.execute(
            task_id,
            input,
            expected=expected,
            id=id,
            sample=sample,
            timeout=timeout,
            idempotency_key=idempotency_key,
        )
        return await self._wire.send(call)

    # --- batches and streams -----------------------------------------------------------------------------

    async def batch(
        self, task_id: str, items: AsyncItems, *, idempotency_key: str | None = None, **options: Unpack[BatchOptions]
    ) -> AsyncBatchHandle:
        """Upload items as a batch; it goes on by itself, also when this program ends.

        Items are sent while they are made and never held all together. The server begins while they arrive; to read
        results before the last item is sent, use `stream`.

        Args:
            task_id: The task.
            items: Inputs and `Item` objects, or a path with one item a line.
            idempotency_key: As for `execute`.
            **options: `max_concurrency`, `stop_on_first_error`, `item_timeout_ms`, `priority`.
        """
        call = calls.submit("batch", task_id, options, idempotency_key=idempotency_key)
        found = await self._wire.send(call, Upload(items))
        return AsyncBatchHandle(self._wire, submitted(self._wire.address, found))

    async def run_batch(
        self, task_id: str, items: AsyncItems, **options: Unpack[BatchOptions]
    ) -> AsyncGenerator[ItemResult]:
        """Upload items as a batch and yield the results, in the order in which items end."""
        handle = await self.batch(task_id, items, **options)
        async with aclosing(handle.results()) as results:
            async for result in results:
                yield result

    async def open_batch(self, batch_id: str) -> AsyncBatchHandle:
        """Return a batch that exists already."""
        return AsyncBatchHandle(self._wire, await self._wire.send(calls.batch("batch", batch_id)))

    async def batches(self, *, task_id: str | None = None, state: BatchState | None = None) -> AsyncGenerator[Batch]:
        """Yield batches and streams, newest first.

        Args:
            task_id: Only those of this task.
            state: Only those in this state.
        """
        cursor: str | None = None
        while True:
            page = await self._wire.send(calls.batches(task_id, state, _PAGE, cursor))
            for each in page.items:
                yield each
            if (cursor := page.next_cursor) is None:
                return

    def stream(
        self,
        task_id: str,
        items: AsyncItems,
        *,
        detach: bool = False,
        idempotency_key: str | None = None,
        **options: Unpack[BatchOptions],
    ) -> AsyncResultStream:
        """Send items and read their results at the same time.

        A lost connection, also by a restart of the host, is resumed without loss or repetition. When it breaks while
        items are still being sent, what has arrived is run, its results come, and then `UploadIncomplete` is raised.

        Args:
            task_id: The task.
            items: Inputs and `Item` objects, each sent when it comes, or a path with one item a line.
            detach: Whether the items run on when the results are no longer read.
            idempotency_key: As for `execute`.
            **options: As for `batch`.
        """
        call = calls.submit("stream", task_id, options, idempotency_key=idempotency_key)
        progress = StreamProgress(self._wire.address)
        return AsyncResultStream(self._wire, (call, Upload(items, chunk=1)), progress, detach=detach)

    def open_stream(self, stream_id: str, *, after: int = 0, detach: bool = True) -> AsyncResultStream:
        """Follow a stream that exists already, behind the result with the `sequence` `after`."""
        progress = StreamProgress(self._wire.address, stream_id, after)
        return AsyncResultStream(self._wire, None, progress, detach=detach)

    # --- tasks, plugins, health --------------------------------------------------------------------------

    async def tasks(self) -> tuple[TaskInfo, ...]:
        """Return every task."""
        return (await self._wire.send(calls.tasks())).items

    async def quality(
        self, task_id: str, *, since: datetime | str | None = None, until: datetime | str | None = None
    ) -> Quality:
        """Return what is estimated of a task's executions, from those that were sampled.

        Args:
            task_id: The task.
            since: Only executions that started at or after this instant; a text is RFC 3339 with its offset.
            until: Only executions that started before this instant.
        """
        return await self._wire.send(calls.quality(task_id, since, until))

    async def plugins(self) -> tuple[Plugin, ...]:
        """Return every plugin, loaded or not."""
        return (await self._wire.send(calls.plugins())).items

    async def plugin(self, plugin_id: str) -> Plugin:
        """Return a plugin."""
        return await self._wire.send(calls.plugin(plugin_id))

    async def plugin_start(self, plugin_id: str) -> Plugin:
        """Start a plugin, and return it once it has started."""
        return await self._operate(calls.plugin_action(plugin_id, "start"))

    async def plugin_stop(self, plugin_id: str, *, cascade: bool = False) -> Plugin:
        """Stop a plugin; with `cascade` also those that need it."""
        return await self._operate(calls.plugin_action(plugin_id, "stop", cascade=cascade))

    async def plugin_restart(self, plugin_id: str) -> Plugin:
        """Stop a plugin and start it anew."""
        return await self._operate(calls.plugin_action(plugin_id, "restart"))

    async def plugin_reload(self, plugin_id: str) -> Plugin:
        """Put a new generation of a plugin in the place of the one that serves."""
        return await self._operate(calls.plugin_action(plugin_id, "reload"))

    async def plugin_health(self, plugin_id: str) -> PluginHealth:
        """Return a plugin's health."""
        return await self._wire.send(calls.plugin_health(plugin_id))

    async def health(self) -> HealthSummary:
        """Return the health of all plugins together."""
        return await self._wire.send(calls.health())

    async def ready(self) -> Readiness:
        """Return whether the server takes work, and why not."""
        return await self._wire.send(calls.ready())

    async def _operate(self, call: calls.Call[dict[str, Json]]) -> Plugin:
        found = await self._wire.send(call)
        if found.get("state") != "running":  # no plugin is ever in this state: this is an operation
            return converted(self._wire.address, found, Plugin)
        while found.get("state") == "running":
            await asyncio.sleep(OPERATION_PAUSE)
            found = await self._wire.send(calls.operation(str(found["id"])))
        return ended_operation(self._wire.address, found, Plugin)
