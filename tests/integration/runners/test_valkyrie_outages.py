"""The Valkyrie runner while workers die, freeze, come back and change; those that are killed are other processes."""

from __future__ import annotations

import asyncio
import signal
import time
from typing import cast

import pytest

from hotplane.errors import PluginMisconfigured
from hotplane.plugins import NotExecuted, TransportFailed
from hotplane.records import HealthStatus
from tests.integration.runners.conftest import (
    BOUND,
    TASK,
    StartChild,
    StartRunner,
    StartWorker,
    all_connected,
    echo,
    figures,
    until,
)
from tests.integration.valkyrie.conftest import Certificates


@pytest.mark.usefixtures("unwatched")
async def test_a_killed_worker_fails_its_calls_and_comes_back(start_child: StartChild, start_runner: StartRunner):
    """SIGKILL in mid-call: the caller hears at once that it may have run, and a restarted worker is found again."""
    child = await start_child()
    runner = await start_runner(child.endpoint, reconnect_max_ms=50)
    call = asyncio.ensure_future(runner.run(TASK, {"sleep": 30}, BOUND))
    await until(lambda: bool(runner._pool and runner._pool.stations[0].in_flight))
    child.kill()
    with pytest.raises(TransportFailed) as raised:
        await call
    assert raised.value.code == "connection-lost"
    assert "no sign of life" not in str(raised.value), "only its silence told"
    assert (await runner.check_health()).status is HealthStatus.UNHEALTHY
    await start_child(child.endpoint)
    await until(lambda: bool(runner._pool and runner._pool.pick()))
    assert await runner.run(TASK, "again", BOUND) == "again"


async def test_a_frozen_worker_is_given_up_in_time(
    start_child: StartChild, start_worker: StartWorker, start_runner: StartRunner
):
    """SIGSTOP: two missed pings later its calls have failed, and the others never noticed."""
    frozen, healthy = await start_child(), await start_worker()
    runner = await start_runner(frozen.endpoint, healthy.endpoint, connections_per_endpoint=1)
    frozen.signal(signal.SIGSTOP)
    began = time.perf_counter()
    results = await asyncio.gather(*(runner.run(TASK, number, 50) for number in range(10)), return_exceptions=True)
    assert time.perf_counter() - began < 20
    assert [type(result) for result in results].count(int) == 5
    assert all(result.code == "connection-lost" for result in results if isinstance(result, TransportFailed))
    for number in range(10):
        assert await runner.run(TASK, number, BOUND) == number


@pytest.mark.usefixtures("unwatched")
async def test_a_worker_that_freezes_while_idle_is_found_by_its_pings(
    start_child: StartChild, start_runner: StartRunner, monkeypatch: pytest.MonkeyPatch
):
    """A connection without calls is pinged, too, so that a call never has to find out."""
    monkeypatch.setattr("hotplane.builtin.runners.valkyrie.station.PONG_SECONDS", 0.1)
    child = await start_child()
    runner = await start_runner(child.endpoint, health_check_interval=0.05, reconnect_max_ms=50)
    child.signal(signal.SIGSTOP)
    await until(lambda: not (runner._pool and runner._pool.stations[0].lanes))
    monkeypatch.setattr("hotplane.builtin.runners.valkyrie.station.PONG_SECONDS", BOUND)
    child.signal(signal.SIGCONT)
    await until(lambda: bool(runner._pool and runner._pool.pick()))
    assert await runner.run(TASK, 1, BOUND) == 1


async def test_a_host_starts_although_its_worker_is_down(start_worker: StartWorker, start_runner: StartRunner):
    """The runner starts, says that it is unhealthy, and recovers by itself when the worker comes."""
    gone = await start_worker()
    await gone.close()
    runner = await start_runner(gone.endpoint, reconnect_max_ms=50)
    health = await runner.check_health()
    assert health.status is HealthStatus.UNHEALTHY
    assert "Connection refused" in health.message
    await start_worker(endpoint=str(gone.endpoint))
    await until(lambda: bool(runner._pool and runner._pool.pick()))
    assert (await runner.check_health()).status is HealthStatus.HEALTHY
    assert await runner.run(TASK, 1, BOUND) == 1


async def test_lost_connections_are_replaced_and_counted(start_worker: StartWorker, start_runner: StartRunner):
    """Every connection comes back, and the figures say that it was away."""
    first = await start_worker()
    runner = await start_runner(first.endpoint, reconnect_max_ms=50)
    await all_connected(runner)
    await first.close()
    second = await start_worker(endpoint=str(first.endpoint))
    await all_connected(runner)
    found = await figures(runner, second)
    assert (found["lost_connections"], found["reconnects"], found["connections"]) == (2, 2, 2)


async def test_a_good_connection_is_replaced_at_once(
    start_worker: StartWorker, start_runner: StartRunner, monkeypatch: pytest.MonkeyPatch
):
    """A connection that had lasted is made anew without a wait, for which calls have the patience."""
    gone = await start_worker()
    await gone.close()
    runner = await start_runner(gone.endpoint, pooling=False, reconnect_min_ms=1_500)
    server = await start_worker(endpoint=str(gone.endpoint))
    await until(lambda: bool(runner._pool and runner._pool.pick()))
    monkeypatch.setattr("hotplane.builtin.runners.valkyrie.station._STABLE_SECONDS", 0.0)
    monkeypatch.setattr("hotplane.builtin.runners.valkyrie.station._RECONNECT_HOPE_SECONDS", BOUND)
    for link in server._links():
        link.abort("cut")
    assert runner._pool is not None
    station = runner._pool.stations[0]
    await until(lambda: bool(station.tally.losses))
    assert station._delay == 0
    assert await runner.run(TASK, 1, BOUND) == 1


async def test_a_wrong_secret_is_said_and_not_shown(
    start_worker: StartWorker, start_runner: StartRunner, monkeypatch: pytest.MonkeyPatch
):
    """A worker that refuses the secret makes the runner unhealthy, with a reason that does not hold it."""
    server = await start_worker(secret=b"the workers' own secret")
    monkeypatch.setenv("VALKYRIE_SECRET", "another secret altogether")
    runner = await start_runner(server.endpoint, secret_env="VALKYRIE_SECRET")  # the name of a variable
    health = await runner.check_health()
    assert (health.status, "refused the connection (authentication)" in health.message) == (
        HealthStatus.UNHEALTHY,
        True,
    )
    assert "altogether" not in health.message + repr(runner.config)


async def test_a_shared_secret_opens_the_door(start_worker: StartWorker, start_runner: StartRunner, tmp_path):
    """A secret file that both sides have is all that is needed."""
    file = tmp_path / "secret"
    file.write_text("0123456789abcdef0123456789abcdef\n")
    file.chmod(0o600)
    server = await start_worker(secret_file=file)
    runner = await start_runner(server.endpoint, secret_file=file)
    assert await runner.run(TASK, 1, BOUND) == 1


async def test_tls_with_certificates_on_both_sides(
    start_worker: StartWorker, start_runner: StartRunner, certificates: Certificates
):
    """Ordinary certificate files, for mutual TLS as well."""

    def files(name: str) -> dict[str, str]:
        return {
            "ca_file": certificates.path("ca.pem"),
            "cert_file": certificates.path(f"{name}.pem"),
            "key_file": certificates.path(f"{name}.key"),
        }

    server = await start_worker(endpoint="tls://127.0.0.1:0", tls=files("server"))
    runner = await start_runner(server.endpoint, tls=files("client"))
    assert await runner.run(TASK, 1, BOUND) == 1


async def test_other_settings_take_over_without_a_failed_call(start_worker: StartWorker, start_runner: StartRunner):
    """Calls under way end on the old connections while new ones go to the new worker."""
    release = asyncio.Event()

    async def patient(call):
        await release.wait()
        return call.payload

    old, new = await start_worker(patient), await start_worker(echo)
    runner = await start_runner(old.endpoint)
    before = [asyncio.ensure_future(runner.run(TASK, number, BOUND)) for number in range(20)]
    await until(lambda: old.running == 20)
    config = runner.config.model_copy(update={"endpoints": (str(new.endpoint),)})
    await runner.reconfigure(config)
    assert await asyncio.gather(*(runner.run(TASK, number, BOUND) for number in range(20))) == list(range(20))
    assert (old.running, runner.config) == (20, config)
    release.set()
    assert await asyncio.gather(*before) == list(range(20))
    await until(lambda: old.connections == 0)


async def test_reconfiguring_under_load_fails_no_call(start_worker: StartWorker, start_runner: StartRunner):
    """Back and forth between two workers, with calls going on all the time."""
    servers = [await start_worker(), await start_worker()]
    runner = await start_runner(servers[0].endpoint)
    done = asyncio.Event()

    async def caller() -> int:
        made = 0
        while not done.is_set():
            assert await runner.run(TASK, made, BOUND) == made
            made += 1
        return made

    callers = [asyncio.ensure_future(caller()) for _ in range(20)]
    for turn in range(1, 11):
        config = runner.config.model_copy(update={"endpoints": (str(servers[turn % 2].endpoint),)})
        await runner.reconfigure(config)
    done.set()
    assert sum(await asyncio.gather(*callers)) > 20
    await until(lambda: sum(server.connections for server in servers) == 2)


async def test_a_call_that_waits_moves_to_the_new_settings(
    start_worker: StartWorker, start_runner: StartRunner, silent: str, monkeypatch: pytest.MonkeyPatch
):
    """Who waits for a worker that does not answer is served by the one that takes its place."""
    monkeypatch.setattr("hotplane.builtin.runners.valkyrie.runner._FIRST_CONNECT_SECONDS", 0.05)
    runner = await start_runner(silent, connect_timeout_ms=40_000)
    call = asyncio.ensure_future(runner.run(TASK, 1, 80))
    await asyncio.sleep(0.01)
    endpoint = str((await start_worker()).endpoint)
    began = time.perf_counter()
    await runner.reconfigure(runner.config.model_copy(update={"endpoints": (endpoint,)}))
    assert await call == 1
    assert time.perf_counter() - began < 20


async def test_a_start_that_is_given_up_leaves_nothing_open(
    start_runner: StartRunner, silent: str, monkeypatch: pytest.MonkeyPatch
):
    """A host whose patience ends before the runner's finds no task left behind."""
    starting = asyncio.ensure_future(start_runner(silent))
    await asyncio.sleep(0.05)
    starting.cancel()
    await asyncio.wait((starting,))
    await until(lambda: not [task for task in asyncio.all_tasks() if "valkyrie" in task.get_name()])


async def test_figures_of_endpoints_that_are_gone_are_forgotten(start_worker: StartWorker, start_runner: StartRunner):
    """Settings that change for ever do not fill the memory."""
    runner = await start_runner((await start_worker()).endpoint)
    endpoints = [str((await start_worker()).endpoint) for _ in range(3)]
    for endpoint in endpoints:
        await runner.reconfigure(runner.config.model_copy(update={"endpoints": (endpoint,)}))
    assert list(cast("dict[str, object]", (await runner.stats())["endpoints"])) == endpoints[-1:]


async def test_settings_that_cannot_work_change_nothing(start_worker: StartWorker, start_runner: StartRunner):
    """A secret that is not there is refused, and the old settings go on serving."""
    runner = await start_runner((await start_worker()).endpoint)
    config = runner.config.model_copy(update={"secret_env": "NO_SUCH_VARIABLE"})
    with pytest.raises(PluginMisconfigured, match="NO_SUCH_VARIABLE"):
        await runner.reconfigure(config)
    assert runner.config is not config
    assert await runner.run(TASK, 1, BOUND) == 1


async def test_a_stop_lets_calls_end(
    start_worker: StartWorker, start_runner: StartRunner, monkeypatch: pytest.MonkeyPatch
):
    """What runs is answered, new calls are refused, every connection and task is gone."""
    monkeypatch.setattr("hotplane.builtin.runners.valkyrie.runner._STOP_SECONDS", BOUND)
    release = asyncio.Event()

    async def patient(call):
        await release.wait()
        return call.payload

    server = await start_worker(patient)
    runner = await start_runner(server.endpoint)
    call = asyncio.ensure_future(runner.run(TASK, 1, BOUND))
    await until(lambda: server.running == 1)
    stopping = asyncio.ensure_future(runner.stop())
    await asyncio.sleep(0)
    with pytest.raises(NotExecuted) as raised:
        await runner.run(TASK, 2, BOUND)
    assert (raised.value.code, raised.value.counts) == ("shutting-down", False)
    release.set()
    assert await call == 1
    await stopping
    assert [task for task in asyncio.all_tasks() if "valkyrie" in task.get_name()] == []
    await until(lambda: server.connections == 0)


async def test_a_stop_does_not_wait_for_ever(
    start_worker: StartWorker, start_runner: StartRunner, monkeypatch: pytest.MonkeyPatch
):
    """A call that does not end is cut off, and its caller hears that it may have run."""
    monkeypatch.setattr("hotplane.builtin.runners.valkyrie.runner._STOP_SECONDS", 0.1)

    async def stuck(call):
        await asyncio.Event().wait()
        return b""

    server = await start_worker(stuck)
    runner = await start_runner(server.endpoint)
    call = asyncio.ensure_future(runner.run(TASK, 1, BOUND))
    await until(lambda: server.running == 1)
    await runner.stop()
    with pytest.raises(TransportFailed):
        await call


async def test_a_cancelled_stop_leaves_nothing_open(start_worker: StartWorker, start_runner: StartRunner):
    """A host that forces the stop gets its connections closed."""

    async def stuck(call):
        await asyncio.Event().wait()
        return b""

    server = await start_worker(stuck)
    runner = await start_runner(server.endpoint)
    call = asyncio.ensure_future(runner.run(TASK, 1, BOUND))
    await until(lambda: server.running == 1)
    stopping = asyncio.ensure_future(runner.stop())
    await asyncio.sleep(0.01)
    stopping.cancel()
    await asyncio.wait((stopping,))
    await until(lambda: server.connections == 0)
    assert isinstance((await asyncio.gather(call, return_exceptions=True))[0], TransportFailed)


async def test_a_runner_starts_again_after_a_stop(start_worker: StartWorker, start_runner: StartRunner):
    """Stop and start again is how a host restarts a plugin."""
    runner = await start_runner((await start_worker()).endpoint)
    context = runner._context
    assert context is not None
    await runner.stop()
    await runner.start(context)
    assert await runner.run(TASK, 1, BOUND) == 1
