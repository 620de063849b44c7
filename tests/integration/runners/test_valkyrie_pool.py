"""Several workers behind one Valkyrie runner: who gets a call, and what becomes of those that nobody answers."""

from __future__ import annotations

import asyncio
import time
from collections import Counter

import pytest

from hotplane.plugins import NotExecuted
from hotplane.records import HealthStatus
from hotplane.valkyrie import Call, PeerOverloaded, UnknownTarget
from tests.integration.runners.conftest import BOUND, TASK, StartRunner, StartWorker, all_connected, figures, until
from tests.integration.valkyrie.conftest import RawPeer, RawServe
from tests.pace import kept


def held(running: Counter[str], name: str, release: asyncio.Event):
    """Return a handler that counts its calls and answers when it may."""

    async def handle(call: Call) -> bytes:
        running[name] += 1
        await release.wait()
        return call.payload

    return handle


async def test_calls_spread_over_the_workers(start_worker: StartWorker, start_runner: StartRunner):
    """Of calls that run at the same time each worker gets its share."""
    running, release = Counter[str](), asyncio.Event()
    servers = [await start_worker(held(running, name, release)) for name in "abc"]
    runner = await start_runner(*(server.endpoint for server in servers))
    await all_connected(runner)
    calls = [asyncio.ensure_future(runner.run(TASK, number, BOUND)) for number in range(60)]
    await until(lambda: running.total() == 60)
    assert running == {"a": 20, "b": 20, "c": 20}
    release.set()
    assert await asyncio.gather(*calls) == list(range(60))


async def test_a_busy_worker_gets_fewer_calls(start_worker: StartWorker, start_runner: StartRunner):
    """A worker that others keep busy says so in its pongs, and is left alone."""
    running, release = Counter[str](), asyncio.Event()
    busy = await start_worker(held(running, "busy", release), max_calls=10)
    free = await start_worker(held(running, "free", release), max_calls=10)
    other = await start_runner(busy.endpoint)
    calls = [asyncio.ensure_future(other.run(TASK, number, BOUND)) for number in range(8)]
    await until(lambda: running["busy"] == 8)
    runner = await start_runner(busy.endpoint, free.endpoint)
    await all_connected(runner)
    await runner.check_health()
    calls += [asyncio.ensure_future(runner.run(TASK, number, BOUND)) for number in range(2)]
    await until(lambda: running.total() == 10)
    assert running["free"] == 2
    release.set()
    await asyncio.gather(*calls)


async def test_a_worker_with_a_small_window_gets_fewer_calls(start_worker: StartWorker, start_runner: StartRunner):
    """What counts is how full a window is, not how many calls are in it."""
    running, release = Counter[str](), asyncio.Event()
    small = await start_worker(held(running, "small", release), window=10)
    large = await start_worker(held(running, "large", release), window=30)
    runner = await start_runner(small.endpoint, large.endpoint, connections_per_endpoint=1)
    calls = [asyncio.ensure_future(runner.run(TASK, number, BOUND)) for number in range(40)]
    await until(lambda: running.total() == 40)
    assert running == {"small": 10, "large": 30}
    release.set()
    await asyncio.gather(*calls)


@pytest.mark.parametrize("refusal", [PeerOverloaded, UnknownTarget])
async def test_what_one_worker_refuses_another_takes(
    start_worker: StartWorker, start_runner: StartRunner, refusal: type[Exception]
):
    """A call that was not executed moves on, without the caller noticing."""

    def refuse(call: Call) -> bytes:
        raise refusal

    runner = await start_runner((await start_worker(refuse)).endpoint, (await start_worker()).endpoint)
    assert await asyncio.gather(*(runner.run(TASK, number, BOUND) for number in range(10))) == list(range(10))
    assert (await runner.stats())["moved"]


async def test_a_call_is_refused_when_every_worker_refuses(start_worker: StartWorker, start_runner: StartRunner):
    """Each worker is asked once; then the caller hears the last one's reason, and when to come again."""
    asked = Counter[str]()

    def refuse(call: Call) -> bytes:
        asked["calls"] += 1
        raise PeerOverloaded

    runner = await start_runner(*[(await start_worker(refuse)).endpoint for _ in range(3)])
    with pytest.raises(NotExecuted) as raised:
        await runner.run(TASK, 1, BOUND)
    assert (raised.value.code, raised.value.retry_after, asked["calls"]) == ("overloaded", 1.0, 3)


async def test_a_dead_worker_costs_a_call_nothing(
    start_worker: StartWorker, start_runner: StartRunner, nowhere: str, silent: str, monkeypatch: pytest.MonkeyPatch
):
    """While one worker answers, nobody waits for those that refuse connections or swallow them."""
    monkeypatch.setattr("hotplane.builtin.runners.valkyrie.runner._FIRST_CONNECT_SECONDS", 0.2)
    endpoint = (await start_worker()).endpoint
    runner = await start_runner(nowhere, silent, endpoint, connect_timeout_ms=40_000)
    began = time.perf_counter()
    for number in range(100):
        assert await runner.run(TASK, number, 80) == number
    assert time.perf_counter() - began < 20
    health = await runner.check_health()
    assert health.status is HealthStatus.DEGRADED
    assert health.message.startswith("2 of 3 workers cannot be reached.")


async def test_a_call_that_nobody_can_take_is_refused_at_once(start_runner: StartRunner, nowhere: str):
    """A known outage is said in no time, with the reason and when to come again."""
    runner = await start_runner(nowhere, reconnect_min_ms=30_000, reconnect_max_ms=30_000)
    call = asyncio.ensure_future(runner.run(TASK, 1, BOUND))
    await asyncio.sleep(0)
    assert call.done(), "it waits for something"
    with pytest.raises(NotExecuted, match="Connection refused") as raised:
        await call
    assert raised.value.code == "no-connection"
    assert 0 < (raised.value.retry_after or 0) <= 30


async def test_a_call_waits_for_a_first_connection(
    raw_serve: RawServe, start_runner: StartRunner, monkeypatch: pytest.MonkeyPatch
):
    """While a first attempt to connect is under way, a call waits for it: it is likely to succeed."""
    monkeypatch.setattr("hotplane.builtin.runners.valkyrie.runner._FIRST_CONNECT_SECONDS", 0.01)
    may_greet = asyncio.Event()

    async def slow(peer: RawPeer) -> None:
        await may_greet.wait()
        await peer.welcome()
        await asyncio.sleep(30)

    runner = await start_runner(await raw_serve(slow))
    call = asyncio.ensure_future(runner.run(TASK, 1, BOUND))
    await asyncio.sleep(0.02)
    assert not call.done()
    may_greet.set()
    await until(lambda: bool(runner._pool and runner._pool.stations[0].in_flight))
    call.cancel()


async def test_waiting_leaves_time_for_the_next_runner(
    start_runner: StartRunner, silent: str, monkeypatch: pytest.MonkeyPatch
):
    """A call gives up hope for a connection after half of its time."""
    monkeypatch.setattr("hotplane.builtin.runners.valkyrie.runner._FIRST_CONNECT_SECONDS", 0.01)
    runner = await start_runner(silent)

    async def call() -> float:
        began = time.perf_counter()
        with pytest.raises(NotExecuted):
            await runner.run(TASK, 1, 2.0)
        took = time.perf_counter() - began
        assert took > 0.99
        return took

    assert await kept(1.9, call)


async def test_an_attempt_that_failed_is_not_waited_for_again(start_runner: StartRunner, silent: str):
    """A worker that swallows connections delays the first calls only."""
    runner = await start_runner(silent, connect_timeout_ms=50)
    assert runner._pool is not None
    station = runner._pool.stations[0]
    await until(lambda: bool(station.failures) and station.state == "connecting")
    call = asyncio.ensure_future(runner.run(TASK, 1, BOUND))
    await asyncio.sleep(0)
    assert call.done(), "it waits for the next attempt"
    with pytest.raises(NotExecuted):
        await call


async def test_one_connection_where_pooling_is_off(start_worker: StartWorker, start_runner: StartRunner):
    """`pooling: false` keeps a single connection, which carries everything."""
    server = await start_worker()
    runner = await start_runner(server.endpoint, pooling=False, connections_per_endpoint=5)
    assert await asyncio.gather(*(runner.run(TASK, number, BOUND) for number in range(20))) == list(range(20))
    assert server.connections == 1


async def test_a_worker_that_hangs_up_is_not_called_all_the_time(raw_serve: RawServe, start_runner: StartRunner):
    """A connection that ends at once counts as a failed attempt, so that the waits grow."""
    welcomed = Counter[str]()

    async def hang_up(peer: RawPeer) -> None:
        await peer.welcome()
        welcomed["times"] += 1
        peer.writer.close()

    began = time.perf_counter()
    await start_runner(await raw_serve(hang_up), reconnect_min_ms=50)
    await until(lambda: welcomed["times"] >= 5)
    assert time.perf_counter() - began > 0.17, "the waits are at least half of 50, 100, 200 ms"


async def test_a_connection_that_is_being_closed_is_replaced_at_once(
    start_worker: StartWorker, start_runner: StartRunner
):
    """A worker that does not read can hold a closing connection open for long; calls go elsewhere meanwhile."""
    server = await start_worker()
    runner = await start_runner(server.endpoint)
    await all_connected(runner)
    assert runner._pool is not None
    station = runner._pool.stations[0]
    closing = station.lanes[0]
    closing.connection.link.closing = True
    assert await runner.run(TASK, 1, BOUND) == 1
    assert closing not in station.lanes
    await until(lambda: len(station.lanes) == 2)
    closing.connection.close()


async def test_a_pong_may_wait_behind_a_large_result(
    raw_serve: RawServe, start_runner: StartRunner, monkeypatch: pytest.MonkeyPatch
):
    """While calls are open, a health check leaves it to the connection to find out whether the worker is lost."""
    monkeypatch.setattr("hotplane.builtin.runners.valkyrie.station.PONG_SECONDS", 0.05)
    arrived = asyncio.Event()

    async def busy(peer: RawPeer) -> None:
        await peer.welcome()
        await peer.receive()
        arrived.set()
        await asyncio.sleep(30)

    runner = await start_runner(await raw_serve(busy), pooling=False)
    call = asyncio.ensure_future(runner.run(TASK, 1, BOUND))
    await arrived.wait()
    assert (await runner.check_health()).status is HealthStatus.HEALTHY
    assert not call.done()
    call.cancel()


async def test_workers_that_go_away_take_their_work_to_the_end(start_worker: StartWorker, start_runner: StartRunner):
    """A worker that drains finishes its calls; new ones go to the other, and none fails."""
    leaving, staying = await start_worker(slow_echo, linger_seconds=BOUND), await start_worker(slow_echo)
    runner = await start_runner(leaving.endpoint, staying.endpoint)
    await all_connected(runner)
    calls = [asyncio.ensure_future(runner.run(TASK, number, BOUND)) for number in range(50)]
    await until(lambda: leaving.running > 0)
    drained = asyncio.ensure_future(leaving.drain(BOUND))
    calls += [asyncio.ensure_future(runner.run(TASK, number, BOUND)) for number in range(50, 100)]
    assert await asyncio.gather(*calls) == list(range(100))
    assert await drained == 0
    assert (await figures(runner, leaving))["lost_connections"] == 2


async def slow_echo(call: Call) -> bytes:
    """Return the input after a while."""
    await asyncio.sleep(0.05)
    return call.payload
