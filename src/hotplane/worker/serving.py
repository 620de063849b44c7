"""A worker's life in a process of its own, from its start to the signal that ends it. Imports only `service`."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Generator
from contextlib import contextmanager

from hotplane.worker.service import Worker
from hotplane.worker.settings import WorkerSettings

__all__ = ["serve"]

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


async def serve(settings: WorkerSettings, *, on_ready: Callable[[tuple[str, ...]], None] | None = None) -> None:
    """Run a worker until SIGTERM or SIGINT; a second signal does not wait for anything.

    Returns within the grace and a second of the first signal.

    Args:
        settings: Everything about it.
        on_ready: Called with `Worker.addresses` once calls are served.

    Raises:
        HotplaneError: What `Worker.start` raises.
    """
    worker = Worker(settings)
    asked, insisted = asyncio.Event(), asyncio.Event()
    with _signals(asked, insisted):
        starting = asyncio.create_task(worker.start())
        if not await _done_before(asked, starting):
            starting.cancel()
            await asyncio.wait((starting,))
            return
        starting.result()
        if on_ready is not None:
            on_ready(worker.addresses)
        await asked.wait()
        draining = asyncio.create_task(worker.drain())
        if await _done_before(insisted, draining):
            draining.result()
            return
        draining.cancel()
        await asyncio.wait((draining,))
        await worker.stop(0)


async def _done_before(event: asyncio.Event, task: asyncio.Task[None]) -> bool:
    """Wait for the event or the task's end; tell whether the task is done."""
    waiting = asyncio.create_task(event.wait())
    await asyncio.wait((task, waiting), return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    return task.done()


@contextmanager
def _signals(asked: asyncio.Event, insisted: asyncio.Event) -> Generator[None]:
    """Set `asked` on the first signal and `insisted` on the second; a third one ends the process as it always does."""
    loop = asyncio.get_running_loop()

    def handle() -> None:
        if asked.is_set():
            insisted.set()
            restore()
        asked.set()

    def restore() -> None:
        for each in _SIGNALS:
            loop.remove_signal_handler(each)

    for each in _SIGNALS:
        loop.add_signal_handler(each, handle)
    try:
        yield
    finally:
        restore()
