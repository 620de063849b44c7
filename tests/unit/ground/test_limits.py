"""A time limit does what `asyncio.timeout` does, with one timer for all."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from itertools import product
from typing import Any

import pytest

from hotplane.limits import TimeLimit, left_of

LONG = 3600.0
Scope = Callable[[float, Awaitable[object]], Awaitable[object]]


@pytest.fixture
async def own_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the loop's clock stand while something runs, and jump to the next timer where nothing does."""
    loop: Any = asyncio.get_running_loop()
    now, select = [loop.time()], loop._selector.select

    def idle(seconds: float | None = None) -> object:
        ready = select(0)
        now[0] += 0.0 if ready else seconds or 0.0
        return ready

    monkeypatch.setattr(loop, "time", lambda: now[0])
    monkeypatch.setattr(loop._selector, "select", idle)


async def asyncios(seconds: float, block: Awaitable[object]) -> object:
    """Await `block` under the library's limit."""
    async with asyncio.timeout(seconds):
        return await block


async def ours(seconds: float, block: Awaitable[object]) -> object:
    """Await `block` under ours."""
    with TimeLimit(seconds):
        return await block


async def stubborn() -> str:
    """Go on to the end although it is cancelled."""
    try:
        await asyncio.sleep(LONG)
    except asyncio.CancelledError:
        return "stayed"
    return "slept"


async def failing() -> None:
    """Answer a cancellation with an error of its own."""
    try:
        await asyncio.sleep(LONG)
    except asyncio.CancelledError:
        raise LookupError from None


async def outcome(scope: Scope, outer: float, inner: float, block: Callable[[], Awaitable[object]], kill: bool) -> str:
    """Play two nested limits, perhaps with a cancellation from outside, and say how it ended."""
    task = asyncio.ensure_future(scope(outer, scope(inner, block())))
    await asyncio.sleep(0)
    if kill:
        task.cancel()
    await asyncio.wait({task}, timeout=30.0)
    if task.cancelled():
        return f"cancelled {task.cancelling()}"
    error = task.exception()
    return f"{task.result() if error is None else type(error).__name__} {task.cancelling()}"


@pytest.mark.usefixtures("own_time")
@pytest.mark.parametrize(("outer", "inner", "kill"), list(product((0.0, 0.02, LONG), (0.0, 0.02, LONG), (False, True))))
async def test_it_ends_as_under_asyncio(outer: float, inner: float, kill: bool) -> None:
    """Nested, cancelled from outside, with blocks that end, stay or fail: the same result and the same count."""
    waiting = () if not kill and min(outer, inner) == LONG else (stubborn, failing, lambda: asyncio.sleep(LONG))
    for block in (*waiting, lambda: asyncio.sleep(0, "done")):
        assert await outcome(ours, outer, inner, block, kill) == await outcome(asyncios, outer, inner, block, kill)


async def test_it_says_whether_the_time_was_over() -> None:
    """As opposed to a time-out of the block's own."""
    over, own = TimeLimit(0.01), TimeLimit(LONG)
    with pytest.raises(TimeoutError), over:
        await asyncio.sleep(LONG)
    with pytest.raises(TimeoutError), own:
        raise TimeoutError
    assert (over.expired, own.expired) == (True, False)


@pytest.mark.usefixtures("own_time")
async def test_a_later_limit_may_be_due_earlier() -> None:
    """The timer is set anew for it, and still serves the longer one."""

    async def waiting(seconds: float) -> float:
        loop = asyncio.get_running_loop()
        began = loop.time()
        with pytest.raises(TimeoutError), TimeLimit(seconds):
            await asyncio.sleep(LONG)
        return loop.time() - began

    limits = (4.0, 0.1, 0.05, 2.0)
    assert await asyncio.gather(*map(waiting, limits)) == pytest.approx(limits, abs=0.002)


async def test_a_thousand_calls_set_one_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    """One after the other and side by side."""
    loop = asyncio.get_running_loop()
    with TimeLimit(LONG):  # whose timer may stay
        await asyncio.sleep(0)
    timers: list[float] = []
    monkeypatch.setattr(loop, "call_at", lambda when, *_: timers.append(when))

    async def caller() -> None:
        for _ in range(100):
            with TimeLimit(LONG):
                await asyncio.sleep(0)

    await asyncio.gather(*(caller() for _ in range(10)))
    assert len(timers) <= 1


def test_loops_that_take_turns_in_one_thread_keep_their_limits() -> None:
    """Each has a timer of its own."""

    async def over() -> None:
        with pytest.raises(TimeoutError), TimeLimit(0.02):
            await asyncio.sleep(LONG)

    with asyncio.Runner() as first, asyncio.Runner() as second:
        waiting = first.get_loop().create_task(over())
        first.run(asyncio.sleep(0))
        second.run(over())
        first.run(asyncio.wait_for(waiting, 30.0))


async def test_it_needs_a_task() -> None:
    """There is nothing else to cancel."""
    refused: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()

    def callback() -> None:
        try:
            with TimeLimit(LONG):
                pass
        except RuntimeError as error:
            refused.set_result(error)

    asyncio.get_running_loop().call_soon(callback)
    assert "in a task" in str(await refused)


async def test_a_machine_that_stands_still_leaves_time_to_end(monkeypatch: pytest.MonkeyPatch):
    """What still needs a few turns of the loop is waited for, however late it is; what goes on is left."""
    loop = asyncio.get_running_loop()

    async def stands_still() -> None:
        monkeypatch.setattr(loop, "time", lambda: time.monotonic() + 1_000)
        for _ in range(10):
            await asyncio.sleep(0)

    goes_on = asyncio.create_task(asyncio.Event().wait())
    assert await left_of([asyncio.create_task(stands_still()), goes_on], 0.1) == {goes_on}
    goes_on.cancel()


async def test_what_has_ended_is_not_left():
    """Not even where there was no time to wait."""
    ended = asyncio.create_task(asyncio.sleep(0))
    await ended
    assert await left_of([ended], 0.0) == set()
