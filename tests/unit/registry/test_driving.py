"""Awaiting a plugin's call for at most some seconds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Generator
from contextlib import suppress
from typing import Any

import pytest

from hotplane.registry import driving
from hotplane.registry.driving import LimitExceededError, within


class Promise:
    """Something that can be awaited and is no coroutine."""

    def __init__(self, future: asyncio.Future[int]) -> None:
        self.future = future

    def __await__(self) -> Generator[Any, Any, int]:
        return self.future.__await__()


async def test_what_never_suspends_is_done_at_once() -> None:
    """Without a timer."""

    async def at_once() -> int:
        return 7

    assert await within(0.0, at_once()) == 7


async def test_anything_that_can_be_awaited_will_do() -> None:
    """A future of somebody else's, with a limit and without."""
    loop = asyncio.get_running_loop()
    for limit in (60.0, None):
        future: asyncio.Future[int] = loop.create_future()
        loop.call_soon(future.set_result, 7)
        assert await within(limit, Promise(future)) == 7


async def test_the_limit_is_told_from_the_coroutines_own_timeout() -> None:
    """Only the one is an overrun."""

    async def gives_up() -> None:
        await asyncio.sleep(0)
        raise TimeoutError

    with pytest.raises(TimeoutError):
        await within(60.0, gives_up())
    with pytest.raises(LimitExceededError):
        await within(0.01, asyncio.sleep(60))


async def test_a_coroutine_that_ignores_its_end_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller has its answer after a moment, whether it sleeps, spins or waits for what never comes."""
    monkeypatch.setattr(driving, "CLEANUP_SECONDS", 0.05)

    async def waits() -> None:
        while True:
            try:
                await asyncio.get_running_loop().create_future()
            except asyncio.CancelledError:
                continue

    async def spins() -> None:
        while True:
            try:
                await asyncio.sleep(0)
            except asyncio.CancelledError:
                continue

    for stubborn in (waits, spins):
        with pytest.raises(LimitExceededError):
            await within(0.01, stubborn())


async def test_a_coroutine_may_clean_up_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it waits for while it ends is waited for."""
    monkeypatch.setattr(driving, "CLEANUP_SECONDS", 60.0)
    cleaned: list[str] = []

    async def tidy() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.01)
            cleaned.append("up")

    with pytest.raises(LimitExceededError):
        await within(0.01, tidy())
    assert cleaned == ["up"]


async def test_a_timeout_inside_a_coroutine_is_its_own_business() -> None:
    """It goes on behind it for as long as it needs, and so does the task."""

    async def asks_twice() -> str:
        try:
            async with asyncio.timeout(0.01):
                await asyncio.sleep(60)
        except TimeoutError:
            await asyncio.sleep(3 * driving.CLEANUP_SECONDS)
        return "the second answered"

    for limit in (30.0, None):
        assert await within(limit, asks_twice()) == "the second answered"


async def test_a_timeout_inside_a_coroutine_may_clean_up_before_it_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits within the timeout ends in its own time; the answer is the coroutine's."""
    monkeypatch.setattr(driving, "CLEANUP_SECONDS", 20.0)

    async def tidies_and_goes_on() -> str:
        with suppress(TimeoutError):
            async with asyncio.timeout(0.01):
                try:
                    await asyncio.sleep(60)
                finally:
                    await asyncio.sleep(0.001)
        await asyncio.sleep(0.01)
        return "done"

    assert await within(30.0, tidies_and_goes_on()) == "done"


async def test_a_timeout_inside_that_never_ends_is_no_cancellation_of_the_caller() -> None:
    """The caller sees a time-out: nobody has cancelled it."""

    async def never_tidies() -> None:
        async with asyncio.timeout(0.01):
            try:
                await asyncio.sleep(60)
            finally:
                await asyncio.sleep(60)

    with pytest.raises(TimeoutError):
        await within(30.0, never_tidies())


async def test_what_a_cancelled_coroutine_returns_in_the_end_is_its_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with any limit: what is done in spite of it is done."""
    monkeypatch.setattr(driving, "CLEANUP_SECONDS", 20.0)

    async def finishes() -> str:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            await asyncio.sleep(0)
        return "saved"

    assert await within(0.01, finishes()) == "saved"


async def test_a_second_cancellation_while_it_cleans_up_ends_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waits twice as impatiently waits no longer than that."""
    monkeypatch.setattr(driving, "CLEANUP_SECONDS", 50.0)
    cleaning = asyncio.Event()

    async def slow_to_end() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            cleaning.set()
            await asyncio.sleep(60)

    task = asyncio.create_task(within(None, slow_to_end()))
    await asyncio.sleep(0)
    task.cancel()
    await cleaning.wait()
    task.cancel()
    async with asyncio.timeout(20):
        await asyncio.wait({task})
    assert task.cancelled()


async def test_what_comes_as_the_time_for_its_end_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """A coroutine that cleans up has its answer in the very turn in which it would be left behind: it ends."""
    monkeypatch.setattr(driving, "CLEANUP_SECONDS", 3600.0)
    loop, mishaps, passed = asyncio.get_running_loop(), list[object](), [0.0]
    loop.set_exception_handler(lambda _, context: mishaps.append(context))
    monkeypatch.setattr(loop, "time", lambda: time.monotonic() + passed[0])
    ended = list[str]()

    def answer_late(answer: asyncio.Future[str]) -> None:
        """Let the time be over as the answer comes, so that both are due in the same turn."""
        passed[0] += 3600.0
        answer.set_result("cleaned up")

    async def cleans_up() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            answer: asyncio.Future[str] = loop.create_future()
            loop.call_soon(answer_late, answer)
            ended.append(await answer)
            raise

    with pytest.raises(LimitExceededError):
        await within(0.01, cleans_up())
    await asyncio.sleep(0)
    assert (ended, mishaps) == (["cleaned up"], [])
