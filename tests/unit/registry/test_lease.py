"""Leases: a plugin that left is stopped only when nobody can call it any more."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from hotplane.plugins import Validator
from hotplane.records import PluginMetadata
from hotplane.registry import Registry


class Numbered(Validator):
    metadata = PluginMetadata(name="numbered", version="1")

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number
        self.stopped = False

    def validate(self, execution: Any, context: Any) -> int:
        assert not self.stopped, "called after its stop"
        return self.number


def swapped(registry: Registry, number: int) -> Numbered:
    """Put a new plugin in the place of the present one, and return the old one."""
    old = registry.resolve(Numbered, "x")
    assert isinstance(old, Numbered)
    registry.swap("x", Numbered(number), generation=number)
    return old


@pytest.fixture
def registry() -> Registry:
    """Return a registry with one plugin."""
    made = Registry()
    made.register(Numbered(1), id="x")
    return made


def test_a_lease_counts_until_it_ends(registry: Registry) -> None:
    """Whoever holds the chain is seen, also after the plugin was swapped, and after further changes."""
    with registry.lease(Validator) as chain:
        old = swapped(registry, 2)
        registry.register(Numbered(7), id="y")
        assert registry.users_of(old) == 1
        assert [link.call(None, None) for link in chain.links] == [1]
    assert registry.users_of(old) == 0


def test_a_lease_after_the_swap_is_on_the_new_plugin(registry: Registry) -> None:
    """Nobody new comes to a plugin that left."""
    old = swapped(registry, 2)
    with registry.lease(Validator) as chain:
        assert [link.call(None, None) for link in chain.links] == [2]
        assert registry.users_of(old) == 0


def test_a_chain_that_was_read_before_the_swap_and_run_after_it(registry: Registry) -> None:
    """It hands the call on to the chain that is there now."""
    held = registry.chains[Validator]
    old = swapped(registry, 2)
    assert held.run(None, None) == [2]
    assert registry.users_of(old) == 0
    registry.unregister(Validator, "x")
    assert held.run(None, None) == []


async def test_async_runs_are_handed_on_and_counted_too(registry: Registry) -> None:
    """The same for `run_async`; a cancelled run gives its place back."""
    held = registry.chains[Validator]
    swapped(registry, 2)
    assert await held.run_async(None, None) == [2]

    class Endless(Numbered):
        async def validate(self, execution: Any, context: Any) -> int:  # pyright: ignore[reportIncompatibleMethodOverride]
            await asyncio.Event().wait()
            return 0

    endless = Endless(3)
    registry.swap("x", endless, generation=3)
    running = asyncio.create_task(registry.chain(Validator).run_async(None, None))
    await asyncio.sleep(0)
    assert registry.users_of(endless) == 1
    running.cancel()
    await asyncio.wait({running})
    assert registry.users_of(endless) == 0


def test_switching_a_plugin_off_retires_nobody(registry: Registry) -> None:
    """A disabled plugin is active: a chain that was read before goes on as it was."""
    held = registry.chains[Validator]
    registry.update("x", enabled=False)
    assert held.run(None, None) == [1]


@pytest.fixture
def frequent_switches() -> Iterator[None]:
    """Make the interpreter change threads every few microseconds."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(5e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("frequent_switches")
def test_no_thread_ever_calls_a_plugin_after_its_stop(registry: Registry) -> None:
    """Threads that read chains and run them later, against one that swaps and stops what nobody is on."""
    wrong, calls, swaps = list[object](), [0], 1
    ends_at, over = time.monotonic() + 2.0, threading.Event()

    def call() -> None:
        while not over.is_set():
            held = registry.chains[Validator]
            wrong.extend(answer for answer in held.run(None, None) if not isinstance(answer, int))
            with registry.lease(Validator) as chain:
                calls[0] += len([link.call(None, None) for link in chain.links])

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    while (left := ends_at - time.monotonic()) > 0 or ((calls[0] <= 100 or swaps <= 50) and left > -60):
        swaps += 1
        old = swapped(registry, swaps)
        while registry.users_of(old):
            time.sleep(0)
        old.stopped = True
    over.set()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert calls[0] > 100
    assert swaps > 50
