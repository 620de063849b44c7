"""Valkyrie workers in this process and in others, and runners beside them."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import structlog

from hotplane.builtin.runners.valkyrie import ValkyrieConfig, ValkyrieRunner
from hotplane.plugins import NotExecuted, PluginContext
from hotplane.records import Task
from hotplane.valkyrie import Call, ClientSettings, Server, ServerSettings, serve
from tests.integration.valkyrie.conftest import certificates, raw_serve, until

__all__ = ["all_connected", "certificates", "context", "echo", "figures", "raw_serve", "run_sent", "until"]

BOUND = 30.0
PATIENT = {"connect_timeout_ms": 30_000, "reconnect_min_ms": 20}
TASK = Task(id="t", program="examples.spam:detect")
StartWorker = Callable[..., Awaitable[Server]]
StartRunner = Callable[..., Awaitable[ValkyrieRunner]]


def context(config: Any) -> PluginContext:
    """Return what a host gives a plugin at its start."""
    return PluginContext(
        plugin_id="valkyrie",
        config=config,
        log=structlog.get_logger(),
        clock=None,  # pyright: ignore[reportArgumentType] - the runner does not ask for it
        storage=None,  # pyright: ignore[reportArgumentType]
        host_version="0.1.0",
    )


async def figures(runner: ValkyrieRunner, server: Server) -> dict[str, Any]:
    """Return what the runner counted at one worker."""
    stats: Any = await runner.stats()
    return stats["endpoints"][str(server.endpoint)]


async def all_connected(runner: ValkyrieRunner) -> None:
    """Wait until the runner has every connection that it wants: its own side is the last to know of one."""
    pool = runner._pool
    assert pool is not None
    each = runner.config.connections_each
    await until(lambda: all(len(station.lanes) == each for station in pool.stations))


async def run_sent(runner: ValkyrieRunner, seconds: float) -> object:
    """Run a task until one is sent before its time is over, as the first one is unless the machine stands still."""
    while True:
        try:
            return await runner.run(TASK, 1, seconds)
        except NotExecuted as late:
            if late.code != "deadline-exceeded":
                raise


async def echo(call: Call) -> bytes:
    """Return the input."""
    return call.payload


@pytest.fixture
async def start_worker() -> AsyncIterator[StartWorker]:
    """Start servers in this process that are closed after the test."""
    servers: list[Server] = []

    async def start(handler: Any = echo, endpoint: str = "tcp://127.0.0.1:0", **settings: Any) -> Server:
        server = await serve(
            endpoint, handler, ServerSettings.model_validate({"handshake_timeout_seconds": BOUND, **settings})
        )
        servers.append(server)
        return server

    yield start
    for server in servers:
        await server.close()


@pytest.fixture
async def start_runner(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[StartRunner]:
    """Start patient runners that are stopped after the test; tests that are about their patience set their own."""
    runners: list[ValkyrieRunner] = []
    monkeypatch.setattr("hotplane.builtin.runners.valkyrie.runner._FIRST_CONNECT_SECONDS", BOUND)
    monkeypatch.setattr("hotplane.builtin.runners.valkyrie.station.PONG_SECONDS", BOUND)

    async def start(*endpoints: object, **settings: Any) -> ValkyrieRunner:
        given: dict[str, Any] = {"endpoints": [str(each) for each in endpoints], **PATIENT, **settings}
        config = ValkyrieConfig.model_validate(given)
        runner = ValkyrieRunner(config)
        runners.append(runner)
        await runner.start(context(config))
        return runner

    yield start
    for runner in runners:
        await runner.stop()


@pytest.fixture
def unwatched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let connections with open calls miss no pings: another process may stand still and go on."""
    patient = partial(ClientSettings, ping_interval_seconds=3600)
    monkeypatch.setattr("hotplane.builtin.runners.valkyrie.settings.ClientSettings", patient)


@dataclass
class Child:
    """A worker in a process of its own."""

    process: subprocess.Popen[str]
    endpoint: str

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    def kill(self) -> None:
        """End it as the system does when memory is short, and wait until it is gone."""
        self.process.kill()
        self.process.wait()


StartChild = Callable[..., Awaitable[Child]]


@pytest.fixture
def start_child() -> Iterator[StartChild]:
    """Start workers in processes of their own, which are killed after the test."""
    children: list[Child] = []

    async def start(endpoint: str = "tcp://127.0.0.1:0") -> Child:
        script = str(Path(__file__).with_name("valkyrie_child.py"))
        process = subprocess.Popen(  # noqa: ASYNC220 - it starts at once
            [sys.executable, script, endpoint], stdout=subprocess.PIPE, text=True, env={**os.environ}
        )
        assert process.stdout is not None
        child = Child(process, (await asyncio.to_thread(process.stdout.readline)).strip())
        children.append(child)
        return child

    yield start
    for child in children:
        child.kill()
        if child.process.stdout is not None:
            child.process.stdout.close()


@pytest.fixture
def nowhere() -> Iterator[str]:
    """Give an endpoint that refuses connections."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"tcp://127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture
def silent() -> Iterator[str]:
    """Give an endpoint that lets one in and says nothing."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(100)
        yield f"tcp://127.0.0.1:{listening.getsockname()[1]}"
