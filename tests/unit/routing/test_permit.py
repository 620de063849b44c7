"""Permits as context managers, and `call`: which ends of a block count as what."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from hotplane.errors import BreakerOpen
from hotplane.plugins import ProgramFailed
from hotplane.records import ExecutionFailure
from hotplane.routing import Breaker, BreakerSettings, BreakerState


def counted(breaker: Breaker) -> tuple[int, int, int]:
    """Return how many calls succeeded, failed and were cancelled."""
    counters = breaker.snapshot().counters
    return counters.succeeded, counters.failed, counters.cancelled


def raise_in_block(breaker: Breaker, error: BaseException) -> None:
    """Raise `error` out of a block of the breaker and catch it."""
    with pytest.raises(type(error)), breaker.acquire():
        raise error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ConnectionResetError(), (0, 1, 0)),
        (TimeoutError(), (0, 1, 0)),
        (ProgramFailed(ExecutionFailure(type="ValueError", message="no eggs")), (1, 0, 0)),
        (asyncio.CancelledError(), (0, 0, 1)),
        (KeyboardInterrupt(), (0, 0, 1)),
        (GeneratorExit(), (0, 0, 1)),
    ],
)
def test_how_a_block_ends_decides_what_counts(error: BaseException, expected: tuple[int, int, int]) -> None:
    """Errors fail, a program's own failure does not, and what tears the block down counts as neither."""
    breaker = Breaker("engine")
    raise_in_block(breaker, error)
    assert counted(breaker) == expected


def test_a_program_that_always_fails_never_trips_its_runner() -> None:
    """A thousand failures of the program leave the breaker closed."""
    breaker = Breaker("engine")
    for _ in range(1000):
        raise_in_block(breaker, ProgramFailed(ExecutionFailure(type="ValueError", message="no eggs")))
    assert breaker.state is BreakerState.CLOSED


def test_a_block_that_ends_well_is_a_success() -> None:
    """Nothing needs to be reported by hand."""
    breaker = Breaker("engine")
    with breaker.acquire():
        pass
    assert counted(breaker) == (1, 0, 0)


def test_a_block_may_report_by_itself() -> None:
    """What the block reported stands; its end adds nothing."""
    breaker = Breaker("engine")
    with breaker.acquire() as permit:
        permit.failure(0.5)
    assert counted(breaker) == (0, 1, 0)


def test_the_caller_decides_which_errors_count() -> None:
    """`failure_if` says that a LookupError is an answer."""
    breaker = Breaker("engine", failure_if=lambda error: not isinstance(error, LookupError))
    raise_in_block(breaker, KeyError("spam"))
    raise_in_block(breaker, OSError())
    assert counted(breaker) == (1, 1, 0)


def test_a_predicate_that_raises_counts_as_failure(caplog: pytest.LogCaptureFixture) -> None:
    """The block's own error goes on to the caller, the permit is settled, and the log tells."""

    def broken(_: Exception) -> bool:
        raise AttributeError("status")

    breaker = Breaker("engine", failure_if=broken)
    raise_in_block(breaker, OSError())
    assert counted(breaker) == (0, 1, 0)
    assert "could not judge a OSError" in caplog.text


async def test_call_returns_what_the_function_returned() -> None:
    """Arguments go through, and the success is reported."""

    async def add(left: int, *, right: int) -> int:
        return left + right

    breaker = Breaker("engine")
    assert await breaker.call(add, 1, right=2) == 3
    assert counted(breaker) == (1, 0, 0)


async def test_call_raises_without_calling_when_open() -> None:
    """A refused function is not even called."""
    called = asyncio.Event()

    async def function() -> None:
        called.set()

    breaker = Breaker("engine")
    breaker.force_open()
    with pytest.raises(BreakerOpen):
        await breaker.call(function)
    assert not called.is_set()


async def test_a_timeout_inside_the_block_counts_as_failure() -> None:
    """The deadline belongs inside: there an overrun speaks against the runner."""
    breaker = Breaker("engine")
    with pytest.raises(TimeoutError):
        async with breaker.acquire(), asyncio.timeout(0):
            await asyncio.sleep(30)
    assert counted(breaker) == (0, 1, 0)


async def test_cancelled_tasks_give_their_probes_back(bench: Callable[..., Any]) -> None:
    """Three probes cancelled in mid-call: half-open goes on, and three others decide."""
    b = bench()
    b.trip()
    b.clock.advance(5.0)
    started = asyncio.Semaphore(0)

    async def hang() -> None:
        started.release()
        await asyncio.Event().wait()

    tasks = [asyncio.create_task(b.breaker.call(hang)) for _ in range(3)]
    for _ in tasks:
        await asyncio.wait_for(started.acquire(), 20)
    assert not b.breaker.admit()
    for task in tasks:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(result, asyncio.CancelledError) for result in results)
    assert (b.breaker.snapshot().counters.cancelled, b.breaker.snapshot().probes) == (3, 0)
    b.succeed(3)
    assert b.breaker.state is BreakerState.CLOSED


async def test_tasks_that_finish_in_any_order_settle_their_own_permits() -> None:
    """Overlapping calls of one breaker are timed and counted each by itself."""
    breaker = Breaker("engine", BreakerSettings(minimum_calls=100))
    gates = [asyncio.Event() for _ in range(10)]

    async def wait(index: int) -> None:
        await gates[index].wait()
        if index % 2:
            raise OSError

    async with asyncio.timeout(20):
        tasks = [asyncio.create_task(breaker.call(wait, index)) for index in range(10)]
        for index in (3, 9, 0, 1, 8, 2, 7, 5, 4, 6):
            gates[index].set()
            await asyncio.wait([tasks[index]])
    assert counted(breaker) == (5, 5, 0)
    assert sum(isinstance(task.exception(), OSError) for task in tasks) == 5
