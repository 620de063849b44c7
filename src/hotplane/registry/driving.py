"""Awaiting a plugin's coroutine with a time limit that costs nothing unless the coroutine suspends.

Imports only `limits`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Coroutine, Generator
from inspect import iscoroutine
from types import coroutine
from typing import Any, TypeVar, cast

from hotplane.limits import TimeLimit

__all__ = ["CLEANUP_SECONDS", "LimitExceededError", "finish", "within"]

T = TypeVar("T")

CLEANUP_SECONDS = 0.05
"""What a cancelled coroutine may still take for cleaning up before it is abandoned."""


class LimitExceededError(Exception):
    """The time limit of `finish` passed first."""


async def within(limit: float | None, awaitable: Awaitable[T]) -> T:
    """Await `awaitable` for at most `limit` seconds; see `finish`.

    Raises:
        LimitExceededError: The limit passed.
    """
    running = awaitable if iscoroutine(awaitable) else _awaiting(awaitable)
    try:
        waiting_for = running.send(None)
    except StopIteration as done:
        return cast("T", done.value)
    return await finish(running, waiting_for, limit)


async def _awaiting(awaitable: Awaitable[T]) -> T:
    return await awaitable


async def finish(running: Coroutine[Any, Any, T], waiting_for: object, limit: float | None) -> T:
    """Await the rest of a coroutine that has suspended, for at most `limit` seconds.

    The caller makes the first step, since most plugin calls never suspend and even `TimeLimit` costs a
    microsecond. A coroutine that goes on waiting although it was cancelled is closed after
    `CLEANUP_SECONDS`, so that the caller gets its answer in any case.

    Args:
        running: The coroutine.
        waiting_for: What its first step yielded.
        limit: Seconds; None for no limit.

    Raises:
        LimitExceededError: The limit passed; `running` was cancelled.
    """
    if limit is None:
        return await _resume(running, waiting_for)
    scope = TimeLimit(limit)
    try:
        with scope:
            return await _resume(running, waiting_for)
    except TimeoutError:
        if scope.expired:
            raise LimitExceededError from None
        raise


@coroutine
def _resume(running: Coroutine[Any, Any, T], waiting_for: object) -> Generator[Any, Any, T]:
    """Drive a started coroutine by hand: pass its futures up and what comes back down.

    Whoever cancels the task from outside wants the coroutine to end, which it may take `CLEANUP_SECONDS` for. A
    cancellation of its own, such as that of an `asyncio.timeout` inside it, is its own business: it takes that back
    as it leaves the timeout, and goes on.
    """
    task = cast("asyncio.Task[Any]", asyncio.current_task())
    asked = task.cancelling()
    try:
        while True:
            try:
                sent: object = yield waiting_for
            except BaseException as error:
                waiting_for = running.throw(error)
                ends_at = task.get_loop().time() + CLEANUP_SECONDS
                while isinstance(error, asyncio.CancelledError) and task.cancelling() > asked:
                    if task.get_loop().time() >= ends_at:
                        _leave_behind(running)
                        if task.cancelling() <= asked:
                            raise TimeoutError("it took too long to clean up after a timeout of its own") from None
                        raise
                    if (yield from _is_ready(waiting_for, ends_at)):
                        waiting_for = running.send(None)
            else:
                waiting_for = running.send(sent)
    except StopIteration as done:
        return cast("T", done.value)


def _is_ready(waiting_for: object, ends_at: float) -> Generator[Any, Any, bool]:
    """Wait for what a cancelled coroutine waits for, until `ends_at`; tell whether it has come."""
    if not asyncio.isfuture(waiting_for):
        yield None
        return True
    # The coroutine's own future is only watched: the task waits on the gate, which also time opens.
    waiting_for._asyncio_future_blocking = False  # noqa: SLF001 - the protocol between futures and tasks
    loop = asyncio.get_running_loop()
    gate: asyncio.Future[None] = loop.create_future()
    timer = loop.call_at(ends_at, _open, gate)
    waiting_for.add_done_callback(lambda _: _open(gate))
    try:
        yield from gate
    finally:
        timer.cancel()
    return waiting_for.done()


def _leave_behind(running: Coroutine[Any, Any, object]) -> None:
    with contextlib.suppress(BaseException):  # it ignored its cancellation; whatever it says now is too late
        running.close()


def _open(gate: asyncio.Future[None]) -> None:
    if not gate.done():
        gate.set_result(None)
