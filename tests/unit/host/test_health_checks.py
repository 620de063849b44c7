"""Asking one plugin for its health: real threads, real time-outs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from threading import Event
from typing import Any, cast

import pytest

from hotplane.host import checks
from hotplane.host.checks import Answer, Probe
from hotplane.host.health_report import HealthState
from hotplane.plugins import Validator
from hotplane.programs.threads import DaemonThreads
from hotplane.records import Health, HealthStatus, PluginMetadata

LIMIT = 0.1
"""Seconds; for checks that overrun it."""


def plugin_with(check: Callable[[], object]) -> Any:
    """Return a plugin whose health check is `check`."""

    class Checked(Validator):
        metadata = PluginMetadata(name="checked", version="1.0")

    plugin: Any = Checked()
    plugin.check_health = check
    return plugin


@pytest.fixture
def threads() -> Iterator[DaemonThreads]:
    """Return a small pool of threads."""
    pool = DaemonThreads(max_threads=2, max_stuck=2)
    yield pool
    pool.close()


@pytest.fixture
def trusting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take every overrun for the plugin's, so that a machine that stands still is not taken for a blocked loop."""
    monkeypatch.setattr(checks, "_OVERRUN_SECONDS", 3600)


async def answer_of(check: Callable[[], object], threads: DaemonThreads, limit: float = 60) -> Answer:
    """Ask once."""
    return await Probe(threads.call, limit).ask(plugin_with(check))


def raising(error: BaseException) -> Callable[[], Health]:
    """Return a check that raises."""

    def check() -> Health:
        raise error

    return check


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    ("check", "status", "message"),
    [
        (Health, "healthy", ""),
        (lambda: Health(status=HealthStatus.DEGRADED, message="slow"), "degraded", "slow"),
        (lambda: Health(status=HealthStatus.UNHEALTHY, message="gone"), "unhealthy", "gone"),
        (raising(ConnectionError("refused")), "unhealthy", "ConnectionError: refused"),
        (raising(TimeoutError("its own")), "unhealthy", "TimeoutError: its own"),
        (raising(Unspeakable()), "unhealthy", "Unspeakable"),
        (lambda: None, "unhealthy", "`check_health` returned a NoneType, not a Health"),
        (lambda: True, "unhealthy", "`check_health` returned a bool, not a Health"),
        (
            lambda: Health(status=cast("Any", "fine")),
            "unhealthy",
            "`check_health` returned a Health whose status is 'fine'",
        ),
        (lambda: Health(message="x" * 1000), "healthy", "x" * 499 + "…"),
    ],
)
@pytest.mark.parametrize("sync", [True, False])
async def test_answers(
    check: Callable[[], object], status: str, message: str, sync: bool, threads: DaemonThreads
) -> None:
    """Whatever a check raises or returns becomes an answer, from sync and async checks alike."""

    async def later() -> object:
        await asyncio.sleep(0)
        return check()

    answer = await answer_of(check if sync else later, threads)
    assert (answer.status, answer.message) == (status, message)


@pytest.mark.parametrize("error", [SystemExit(3), GeneratorExit(), asyncio.CancelledError()])
async def test_a_check_cannot_end_the_host(error: BaseException, threads: DaemonThreads) -> None:
    """A check that calls `sys.exit` or cancels itself has failed, and nothing else happens."""

    async def check() -> Health:
        raise error

    assert (await answer_of(check, threads)).status is HealthState.UNHEALTHY


@pytest.mark.usefixtures("trusting")
@pytest.mark.parametrize("stubborn", [False, True])
async def test_an_async_check_that_hangs_failed(stubborn: bool, threads: DaemonThreads) -> None:
    """An async check is given up at its limit, also when it ignores its cancellation."""

    async def check() -> Health:
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if not stubborn:
                    raise

    answer = await asyncio.wait_for(answer_of(check, threads, LIMIT), 60)
    assert (answer.status, answer.message) == ("unhealthy", "the check did not answer within 0.1 s")


@pytest.mark.usefixtures("trusting")
async def test_a_sync_check_that_hangs_costs_one_thread(threads: DaemonThreads) -> None:
    """While one check hangs in its thread the next ones fail without another thread; after it, checks go on."""
    begun, release, calls = Event(), Event(), list[int]()

    def check() -> Health:
        calls.append(1)
        begun.set()
        release.wait(60)
        return Health()

    async def call(function: Callable[..., object], *args: object, timeout: float | None) -> object:
        """Let the time begin in the thread: one that comes late would be another matter."""
        running = asyncio.create_task(threads.call(function, *args))
        await asyncio.to_thread(begun.wait, 60)
        done, _ = await asyncio.wait([running], timeout=timeout)
        if done:
            return await running
        running.cancel()
        await asyncio.wait([running])
        raise TimeoutError

    probe, plugin = Probe(call, LIMIT), plugin_with(check)
    answers = [await probe.ask(plugin) for _ in range(5)]
    assert {answer.status for answer in answers} == {HealthState.UNHEALTHY}
    assert (len(calls), threads.stuck) == (1, 1)
    release.set()
    async with asyncio.timeout(60):
        while (await probe.ask(plugin)).status is not HealthState.HEALTHY:  # noqa: ASYNC110 - a thread tells no event
            await asyncio.sleep(0.005)  # the thread comes back when it likes


async def test_a_pool_without_threads_says_nothing_about_the_plugin(threads: DaemonThreads) -> None:
    """When other plugins hold all threads, a check that cannot run is not held against its plugin."""
    release = Event()
    others = [asyncio.create_task(threads.call(release.wait, 60)) for _ in range(2)]
    await asyncio.sleep(0)
    answer = await answer_of(Health, threads, LIMIT)
    assert (answer.status, answer.message) == ("unknown", "the check could not run: no thread was free in time")
    release.set()
    await asyncio.gather(*others)


async def test_a_closed_pool_says_nothing_about_the_plugin(threads: DaemonThreads) -> None:
    """A check that is refused by the pool is not a failure of the plugin."""
    threads.close()
    assert (await answer_of(Health, threads)).status is HealthState.UNKNOWN


async def test_a_blocked_loop_says_nothing_about_the_plugin(threads: DaemonThreads) -> None:
    """A check that was late because somebody else blocked the loop is not held against its plugin."""

    async def check() -> Health:
        await asyncio.sleep(0.01)
        return Health()

    asking = asyncio.create_task(answer_of(check, threads, LIMIT))
    await asyncio.sleep(0)
    time.sleep(LIMIT + 1.1)  # noqa: ASYNC251 - blocking the loop is the matter here
    answer = await asking
    assert answer.status in {HealthState.HEALTHY, HealthState.UNKNOWN}


@pytest.mark.parametrize(
    ("details", "kept"),
    [
        ({"a": [1, None]}, {"a": [1, None]}),
        ({"a": "x" * 9000}, {"left_out": "details of 9008 bytes; 8192 are kept"}),
        ({"a": float("nan")}, {"left_out"}),
        ({"a": object()}, {"left_out"}),
        ([1], {}),
    ],
)
async def test_details_are_bounded_json(details: Any, kept: object, threads: DaemonThreads) -> None:
    """Details that are no JSON, or too large, are left out and say so."""
    found = (await answer_of(lambda: Health(details=details), threads)).details
    assert found == kept if isinstance(kept, dict) else set(found) == kept


async def test_a_cancelled_check_is_cancelled(threads: DaemonThreads) -> None:
    """Cancelling the task that asks is not mistaken for a failure of the plugin."""
    asking = asyncio.create_task(answer_of(lambda: asyncio.sleep(30), threads))
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
