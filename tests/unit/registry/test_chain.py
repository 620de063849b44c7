"""A compiled chain: isolation, limits, counters."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from hotplane.errors import PluginTimeout
from hotplane.plugins import Validator
from hotplane.records import PluginMetadata
from hotplane.registry import Chain, Failure, Link, PluginStats, Registry, driving


def validator(body: Callable[[Any], Any], *, blocks: bool = False) -> Validator:
    """Make a validator of a function."""

    class Made(Validator):
        metadata = PluginMetadata(name="made", version="3.1")
        blocking = blocks

        def validate(self, execution: Any, context: Any) -> Any:
            return body(execution)

    return Made()


def single(body: Callable[[Any], Any], limit: float | None = None) -> Link[Validator]:
    """Make a chain's link of a function."""
    return Link(validator(body), plugin_id="made", stats=PluginStats(), limit=limit)


def raising(error: BaseException) -> Callable[[Any], Any]:
    """Make a function that raises."""

    def body(execution: Any) -> Any:
        raise error

    return body


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(3), GeneratorExit(), RecursionError("deep")])
def test_whatever_a_plugin_raises_stays_its_own(error: BaseException) -> None:
    """A plugin that raises, even SystemExit, becomes a Failure; the ones behind it still run."""
    registry = Registry()
    registry.register(validator(raising(error)), id="bad", priority=1)
    registry.register(validator(lambda e: e), id="good")
    failure, result = registry.chain(Validator).run(7, None)
    assert isinstance(failure, Failure)
    assert (failure.plugin_id, failure.error, result) == ("bad", error, 7)
    assert registry.entry("bad").stats.snapshot().errors == 1
    assert registry.entry("good").stats.snapshot().calls == 1


async def test_sync_and_async_plugins_mix_in_one_chain() -> None:
    """An async chain awaits what is awaitable and takes the rest as it is."""

    async def slow(execution: Any) -> str:
        await asyncio.sleep(0)
        return "slow"

    async def quick(execution: Any) -> str:
        return "quick"

    registry = Registry()
    for name, body in (("a", slow), ("b", quick), ("c", lambda e: "sync")):
        registry.register(validator(body), id=name, limit=60.0)
    assert await registry.chain(Validator).run_async(1, None) == ["slow", "quick", "sync"]


async def test_a_future_is_as_good_as_a_coroutine() -> None:
    """A plugin may return any awaitable."""
    done = asyncio.get_running_loop().create_future()
    done.set_result("later")
    assert await single(lambda e: done, 60.0).invoke(1, None) == "later"


async def test_a_call_that_overruns_becomes_a_failure_at_its_limit() -> None:
    """The limit is kept, the plugin is cancelled, and the overrun is counted."""
    ended = asyncio.Event()

    async def endless(execution: Any) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    link = single(endless, 0.02)
    failure = await link.invoke(1, None)
    assert isinstance(failure.error, PluginTimeout)
    assert failure.timed_out
    assert ended.is_set()
    assert (link.stats.errors, link.stats.timeouts, link.stats.calls) == (1, 1, 1)


async def test_a_plugin_that_ignores_its_cancellation_is_abandoned() -> None:
    """Swallowing CancelledError does not keep the caller waiting."""

    async def stubborn(execution: Any) -> None:
        while True:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                continue

    started = time.monotonic()
    failure = await single(stubborn, 0.02).invoke(1, None)
    assert failure.timed_out
    assert time.monotonic() - started < 60


async def test_cleaning_up_after_a_timeout_may_await(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cancelled plugin still gets to finish a short asynchronous clean-up."""
    monkeypatch.setattr(driving, "CLEANUP_SECONDS", 60.0)
    steps: list[str] = []

    async def careful(execution: Any) -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(0)
            await asyncio.sleep(0.001)
            steps.append("closed")

    failure = await single(careful, 0.01).invoke(1, None)
    assert failure.timed_out
    assert steps == ["closed"]


async def test_the_callers_own_cancellation_goes_through() -> None:
    """Cancelling the caller cancels the plugin and is not taken for the plugin's failure."""
    entered = asyncio.Event()

    async def endless(execution: Any) -> None:
        entered.set()
        await asyncio.Event().wait()

    link = single(endless, 60)
    task = asyncio.create_task(link.invoke(1, None))
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert link.stats.errors == 0


async def test_a_plugin_that_raises_cancelled_error_by_itself_has_failed() -> None:
    """CancelledError without a cancellation is an error like any other."""
    failure = await single(raising(asyncio.CancelledError())).invoke(1, None)
    assert isinstance(failure, Failure)


async def test_a_timeout_error_of_the_plugin_is_not_an_overrun() -> None:
    """A plugin's own TimeoutError counts as an error, not as a timeout."""
    link = single(raising(TimeoutError("mine")), 60)
    failure = await link.invoke(1, None)
    assert not failure.timed_out
    assert (link.stats.errors, link.stats.timeouts) == (1, 0)


async def test_the_callers_limit_shortens_the_plugins_own() -> None:
    """What the caller has left bounds the call."""
    failure = await single(lambda e: asyncio.sleep(60), 60).invoke(1, None, limit=0.01)
    assert failure.timed_out


async def test_a_blocking_sync_plugin_runs_off_the_loop() -> None:
    """`blocking = True` hands the call to the offload."""
    threads: list[str] = []

    async def offload(function: Callable[..., object], *args: object, timeout: float | None) -> object:
        return await asyncio.to_thread(function, *args)

    registry = Registry(offload=offload)
    registry.register(validator(lambda e: threads.append(threading.current_thread().name), blocks=True), id="x")
    await registry.chain(Validator).run_async(1, None)
    assert threads != [threading.main_thread().name]


async def test_a_chain_knows_who_is_on_it() -> None:
    """`users` counts the runs that have not ended, so that a replaced plugin is stopped only afterwards."""
    gate = asyncio.Event()
    registry = Registry()
    registry.register(validator(lambda e: gate.wait()), id="x")
    chain: Chain[Validator] = registry.chain(Validator)
    running = asyncio.create_task(chain.run_async(1, None))
    await asyncio.sleep(0)
    assert chain.users == 1
    gate.set()
    await running
    assert chain.users == 0


def test_quantiles_are_exact_to_their_bucket() -> None:
    """A quantile lies in the bucket of the call it stands for."""
    stats = PluginStats()
    for microseconds in [100] * 98 + [5000, 9000]:
        stats.observe(microseconds * 1000)
    snapshot = stats.snapshot()
    assert snapshot.calls == 100
    assert 0.065 <= snapshot.p50_ms <= 0.132
    assert 4.0 <= snapshot.p99_ms <= 8.4
    assert PluginStats().quantile_ms(0.5) == 0.0


async def test_a_timeout_in_a_thread_is_the_plugins_own_until_its_time_is_up() -> None:
    """A TimeoutError that it raises early is an error; the pool's, at the limit, is an overrun."""

    async def pool(function: Callable[..., Any], *args: object, timeout: float | None) -> Any:
        await asyncio.sleep((timeout or 0.0) if args[0] == "late" else 0)
        raise TimeoutError

    for when, limit, overran in (("early", 20.0, False), ("late", 0.02, True)):
        link = Link(
            validator(lambda e: e, blocks=True), plugin_id="made", stats=PluginStats(), limit=limit, offload=pool
        )  # fmt: skip
        failure = await link.invoke(when, None)
        assert (type(failure.error) is PluginTimeout, failure.timed_out) == (overran, overran)
        assert link.stats.snapshot().timeouts == int(overran)


def test_an_interrupt_of_the_host_passes_through_a_plugin() -> None:
    """Ctrl-C while a plugin runs is nobody's failure; a cancellation outside any loop is the plugin's own."""
    assert isinstance(Chain((single(raising(asyncio.CancelledError())),)).run(1, None)[0], Failure)
    with pytest.raises(KeyboardInterrupt):
        Chain((single(raising(KeyboardInterrupt())),)).run(1, None)
