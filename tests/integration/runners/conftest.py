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
from pathlib import Path
from typing import Any

import pytest
import structlog

from hotplane.builtin.runners.valkyrie import ValkyrieConfig, ValkyrieRunner
from hotplane.plugins import PluginContext
from hotplane.records import Task
from hotplane.valkyrie import Call, Server, ServerSettings, serve
from tests.integration.valkyrie.conftest import certificates, raw_serve, until

__all__ = ["certificates", "context", "echo", "figures", "raw_serve", "until"]

BOUND = 10.0
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


async def echo(call: Call) -> bytes:
    """Return the input."""
    return call.payload


@pytest.fixture
async def start_worker() -> AsyncIterator[StartWorker]:
    """Start servers in this process that are closed after the test."""
    servers: list[Server] = []

    async def start(handler: Any = echo, endpoint: str = "tcp://127.0.0.1:0", **settings: Any) -> Server:
        server = await serve(endpoint, handler, ServerSettings.model_validate(settings))
        servers.append(server)
        return server

    yield start
    for server in servers:
        await server.close()


@pytest.fixture
async def start_runner() -> AsyncIterator[StartRunner]:
    """Start runners that are stopped after the test."""
    runners: list[ValkyrieRunner] = []

    async def start(*endpoints: object, **settings: Any) -> ValkyrieRunner:
        given: dict[str, Any] = {"endpoints": [str(each) for each in endpoints], "reconnect_min_ms": 20, **settings}
        config = ValkyrieConfig.model_validate(given)
        runner = ValkyrieRunner(config)
        runners.append(runner)
        await runner.start(context(config))
        return runner

    yield start
    for runner in runners:
        await runner.stop()


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
