"""A worker's life in a process of its own, from its start to the signal that ends it. Imports only `service`."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable
from types import TracebackType

from hotplane.worker.service import Worker
from hotplane.worker.settings import WorkerSettings

__all__ = ["serve"]

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_LAST_SECONDS = 0.6
"""What ending may take beyond the grace: interrupting, answering and closing."""


async def serve(settings: WorkerSettings, *, on_ready: Callable[[tuple[str, ...]], None] | None = None) -> None:
    """Run a worker until SIGTERM or SIGINT; a second signal does not wait for anything.

    It is for a process that does nothing else: should it not return within the grace and a second of the first
    signal, because an async program blocks the event loop, the process ends without it, with exit code 0.

    Args:
        settings: Everything about it.
        on_ready: Called with `Worker.addresses` once calls are served.

    Raises:
        HotplaneError: What `Worker.start` raises.
    """
    worker = Worker(settings)
    with _Ending(settings.drain_grace_seconds) as ending:
        starting = asyncio.create_task(worker.start())
        if not await _done_before(ending.asked, starting):
            starting.cancel()
            await asyncio.wait((starting,))
            return
        starting.result()
        if on_ready is not None:
            on_ready(worker.addresses)
        await ending.asked.wait()
        draining = asyncio.create_task(worker.drain())
        if await _done_before(ending.insisted, draining):
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


class _Ending:
    """Turns the first signal into `asked` and the second into `insisted`; a third ends the process as it always does.

    The handlers are Python's own and not the event loop's, which run only while nothing blocks it.
    """

    def __init__(self, grace_seconds: float) -> None:
        self.asked = asyncio.Event()
        self.insisted = asyncio.Event()
        self._grace = grace_seconds
        self._loop = asyncio.get_running_loop()
        self._signals = 0
        self._last_resort: threading.Timer | None = None

    def __enter__(self) -> _Ending:
        for each in _SIGNALS:
            signal.signal(each, self._handle)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._restore()
        if self._last_resort is not None:
            self._last_resort.cancel()

    def _handle(self, number: int, frame: object) -> None:
        del number, frame
        self._signals += 1
        if self._signals == 1:
            self._leave_within(self._grace + _LAST_SECONDS)
            self._loop.call_soon_threadsafe(self.asked.set)
        else:
            self._restore()
            self._leave_within(_LAST_SECONDS)
            self._loop.call_soon_threadsafe(self.insisted.set)

    def _restore(self) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    def _leave_within(self, seconds: float) -> None:
        if self._last_resort is not None:
            self._last_resort.cancel()
        self._last_resort = threading.Timer(seconds, _leave)
        self._last_resort.daemon = True
        self._last_resort.start()


def _leave() -> None:
    sys.stderr.flush()
    os._exit(0)
