"""A real server on a free port, with a host behind it and clients in front of it."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import msgspec
import pytest

from hotplane.api import Server
from hotplane.api import server as server_module
from hotplane.api.protocol import ConnectionLimits
from hotplane.app import Hotplane
from hotplane.storage import StorageSettings, Store

PROGRAMS = '''
"""Programs of the tests of the HTTP edge."""
import asyncio
import os


async def echo(input):
    return input


def boom(input):
    raise ValueError("no luck today")


def not_json(input):
    return {1, 2}


async def wait(input):
    await asyncio.sleep(input)
    return "waited"


async def held(input):
    while not os.path.exists(input):
        await asyncio.sleep(0.01)
    return "let-go"
'''

SERVE = """
import asyncio, sys, msgspec
from hotplane.api import serve
from hotplane.app import Hotplane
host = Hotplane.from_config(msgspec.json.decode(sys.argv[1]))
asyncio.run(serve(host, on_ready=lambda url: print(url, flush=True)))
print("ended", flush=True)
"""

CONFIG: dict[str, Any] = {
    "programs": {"allow": ["edge_programs"]},
    "tasks": {
        "echo": {"program": "edge_programs:echo"},
        "boom": {"program": "edge_programs:boom"},
        "not-json": {"program": "edge_programs:not_json"},
        "slow": {"program": "edge_programs:wait", "timeout_ms": 50},
        "patient": {"program": "edge_programs:wait", "timeout_ms": 3_600_000},
        "held": {"program": "edge_programs:held", "timeout_ms": 3_600_000},
        "strict": {
            "program": "edge_programs:echo",
            "input_schema": {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]},
        },
    },
    "plugins": {
        "validators": [{"name": "json-schema-validator"}],
        "samplers": [{"name": "percentage-sampler", "configuration": {"sampling_rate": 1.0}}],
        "restart": {"max_restarts": 1, "delay_seconds": 500, "max_delay_seconds": 500},
        "call_timeout_ms": 60_000,
        "import_timeout_seconds": 60,
        "start_timeout_seconds": 60,
        "stop_timeout_seconds": 60,
        "health_timeout_seconds": 60,
    },
}
"""What is no test's own time limit is long: a machine may stand still at any line."""

FOREVER = 3600
"""Seconds: for a program that has not ended when the test ends."""


PLUGIN = """
from hotplane import Health, PluginMetadata, ValidationResult, Validator
from hotplane.records import HealthStatus
from pydantic import BaseModel

class Config(BaseModel):
    limit: int = 3

class {name}(Validator[Config]):
    metadata = PluginMetadata(name="{name}", version="{version}")

    async def start(self, context):
        {start}

    async def check_health(self):
        {health}

    async def validate(self, execution, context):
        return ValidationResult(valid=True, message="{version}")
"""


@dataclass
class Edge:
    """A running server and a client of it."""

    server: Server
    host: Hotplane
    client: httpx2.AsyncClient

    @property
    def port(self) -> int:
        port = urlsplit(self.server.url).port
        assert port is not None
        return port

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def raw(self, request: bytes) -> bytes:
        """Send bytes and return everything that comes until the server closes, or the first answer has a body."""
        reader, writer = await self.connect()
        writer.write(request)
        try:
            return await asyncio.wait_for(read_answer(reader), 60)
        finally:
            writer.close()

    async def execute(self, task: str, input: object, **fields: object) -> httpx2.Response:
        return await self.client.post(f"/api/tasks/{task}/execute", json={"input": input, **fields})


def held(gate: Path, then: str = "pass") -> str:
    """Return the lines of a plugin's start that waits for a file."""
    wait = f"while not os.path.exists({str(gate)!r}): await asyncio.sleep(0.01)"
    return f"\n{' ' * 8}".join(("import asyncio, os", wait, then))


UNUSED = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""A client makes one otherwise, with every certificate of the system, which takes longer than most tests."""

Serving = Callable[..., AbstractAsyncContextManager[Edge]]
Spawn = Callable[..., Awaitable[tuple[asyncio.subprocess.Process, str]]]


async def read_answer(reader: asyncio.StreamReader) -> bytes:
    """Read one answer that has a Content-Length."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(
        int(line.partition(b":")[2]) for line in head.lower().splitlines() if line.startswith(b"content-length:")
    )
    return head + await reader.readexactly(length)


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the programs."""
    folder = tmp_path_factory.mktemp("programs")
    (folder / "edge_programs.py").write_text(PROGRAMS)
    return folder


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with its tables made: copying it is quicker than making them for every test."""
    path = tmp_path_factory.mktemp("store") / "empty.db"

    async def make() -> None:
        await (await Store.open(StorageSettings(url=str(path)))).close()

    asyncio.run(make())
    return path


@pytest.fixture
def settings(programs: Path, empty_store: Path, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Make a configuration: the tests' own, with settings of the server on top."""
    shutil.copy(empty_store, tmp_path / "edge.db")

    def make(**server: Any) -> dict[str, Any]:
        return {
            **CONFIG,
            "programs": {**CONFIG["programs"], "paths": [str(programs)]},
            "storage": {"url": str(tmp_path / "edge.db")},
            "server": {"port": 0, **server},
        }

    return make


@pytest.fixture(autouse=True)
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that takes long to stop is not left half stopped: the next one of the test is to find all in order."""
    monkeypatch.setattr(server_module, "_LAST_SECONDS", 60.0)


@pytest.fixture
def serving(settings: Callable[..., dict[str, Any]]) -> Serving:
    """Serve a host while a block runs."""

    @asynccontextmanager
    async def serve(
        limits: ConnectionLimits | None = None, headers: Mapping[str, str] | None = None, **server: Any
    ) -> AsyncGenerator[Edge]:
        host = Hotplane.from_config(settings(**server))
        running = Server(host, limits=limits)
        await running.start()
        try:
            async with httpx2.AsyncClient(
                base_url=running.url, headers=headers, verify=UNUSED, trust_env=False, timeout=60
            ) as client:
                yield Edge(running, host, client)
        finally:
            await running.stop(0)

    return serve


@dataclass
class Plugins:
    """The folder that a server takes plugins from, and its clock is not watched: nothing happens by itself."""

    folder: Path

    def write(self, name: str, version: str = "1.0", *, start: str = "pass", health: str = "return Health()") -> Path:
        """Write a plugin file."""
        path = self.folder / f"{name}.py"
        path.write_text(PLUGIN.format(name=name, version=version, start=start, health=health))
        return path


@pytest.fixture
def plugins(tmp_path: Path) -> Plugins:
    """An empty folder of plugins."""
    (tmp_path / "plugins").mkdir()
    return Plugins(tmp_path / "plugins")


@pytest.fixture
def managing(settings: Callable[..., dict[str, Any]], plugins: Plugins) -> Serving:
    """Serve a host with the folder of plugins while a block runs; sections of the configuration are keywords."""

    @asynccontextmanager
    async def serve(**sections: Any) -> AsyncGenerator[Edge]:
        config = settings()
        config["plugins"] = {**config["plugins"], "directories": [str(plugins.folder)], "watch": False}
        for section, values in sections.items():
            config[section] = {**config.get(section, {}), **values}
        host = Hotplane.from_config(config)
        running = Server(host)
        await running.start()
        try:
            async with httpx2.AsyncClient(base_url=running.url, verify=UNUSED, trust_env=False, timeout=60) as client:
                yield Edge(running, host, client)
        finally:
            await running.stop(0)

    return serve


@pytest.fixture
async def spawn(settings: Callable[..., dict[str, Any]]) -> AsyncIterator[Spawn]:
    """Serve a host in a process of its own; gives the process and the server's URL."""
    started: list[asyncio.subprocess.Process] = []

    async def start(**server: Any) -> tuple[asyncio.subprocess.Process, str]:
        config = msgspec.json.encode(settings(**server)).decode()
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", SERVE, config, stdout=PIPE)
        started.append(process)
        assert process.stdout is not None
        return process, (await asyncio.wait_for(process.stdout.readline(), 100)).decode().strip()

    yield start
    for process in started:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@pytest.fixture
async def edge(serving: Serving) -> AsyncIterator[Edge]:
    """A server with the tests' own configuration."""
    async with serving() as running:
        yield running
