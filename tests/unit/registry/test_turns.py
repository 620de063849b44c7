"""Blocking plugins take turns at the threads that they share."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from hotplane.plugins import Validator
from hotplane.programs import DaemonThreads
from hotplane.records import PluginMetadata
from hotplane.registry import Failure, Link, PluginStats, Turns

PATIENT = 60.0


class Blocking(Validator):
    """Does in a thread what it is given."""

    metadata = PluginMetadata(name="blocking", version="1")
    blocking = True

    def validate(self, execution: Any, context: Any) -> Any:
        return execution()


@pytest.fixture
def threads() -> Iterator[DaemonThreads]:
    """One thread."""
    pool = DaemonThreads(max_threads=1)
    yield pool
    pool.close()


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """What a call hangs at; open in the end."""
    event = threading.Event()
    yield event
    event.set()


def link(pool: DaemonThreads, turns: Turns, limit: float | None) -> Link[Validator]:
    """Make a link whose calls share one thread."""
    return Link(
        Blocking(), plugin_id="blocking", stats=PluginStats(), limit=limit, offload=pool.call, turns=turns
    )  # fmt: skip


async def test_a_calls_own_time_begins_when_a_thread_is_there(threads: DaemonThreads, gate: threading.Event) -> None:
    """It waits longer than its own limit, because its caller has more time, and has all of its own time then."""
    turns, given = Turns(1), list[float | None]()
    own = link(threads, turns, 0.1)

    async def call(function: Callable[..., object], *args: object, timeout: float | None) -> object:
        given.append(timeout)
        return await threads.call(function, *args, timeout=PATIENT)

    own.offload = call
    first = asyncio.create_task(link(threads, turns, None).invoke(gate.wait, None, limit=PATIENT))
    second = asyncio.create_task(own.invoke(lambda: "done", None, limit=PATIENT))
    await asyncio.sleep(0.2)
    assert given == []
    gate.set()
    assert await first is True
    assert await second == "done"
    assert (given, threads.stuck) == ([0.1], 0)


async def test_who_waits_for_a_turn_is_not_in_the_way_of_hooks(threads: DaemonThreads, gate: threading.Event) -> None:
    """A hook that uses the same threads is next, whoever waits."""
    turns = Turns(1)
    seen: list[str] = []
    calls: list[Any] = [gate.wait, *[lambda: seen.append("call")] * 3]
    running = [asyncio.create_task(link(threads, turns, None).invoke(call, None, limit=PATIENT)) for call in calls]
    await asyncio.sleep(0)
    hook = asyncio.create_task(threads.call(lambda: seen.append("hook")))
    await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(hook, *running)
    assert seen == ["hook", "call", "call", "call"]


async def test_a_caller_without_more_time_is_told_that_no_thread_was_free(
    threads: DaemonThreads, gate: threading.Event
) -> None:
    """The call never ran; nothing counts as stuck for it, and the plugin is not blamed."""
    turns = Turns(1)
    first = asyncio.create_task(link(threads, turns, None).invoke(gate.wait, None, limit=PATIENT))
    await asyncio.sleep(0)
    late = link(threads, turns, 5.0)
    failure = await late.invoke(lambda: pytest.fail("it ran"), None, limit=0.05)
    assert isinstance(failure, Failure)
    assert failure.timed_out
    assert failure.reason == "TimeoutError: no thread was free within 0.05 s; blocking plugins share 1"
    assert (late.stats.errors, threads.stuck, threads.queued) == (0, 0, 0)
    gate.set()
    await first


async def test_an_overrun_gives_its_turn_back(threads: DaemonThreads, gate: threading.Event) -> None:
    """The thread that hangs is replaced, so that the next call runs."""
    turns = Turns(1)
    hanging = await link(threads, turns, 0.05).invoke(gate.wait, None, limit=PATIENT)
    assert hanging.reason == "The plugin 'blocking' took longer than 0.05 s in validate."
    assert await link(threads, turns, PATIENT).invoke(lambda: "next", None, limit=PATIENT) == "next"
