"""Both clients in front of a server that fails on demand, and of a wire that can be cut."""

from __future__ import annotations

import asyncio
import importlib.util
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from hotplane.client import AsyncClient, Client, RetryPolicy


def _sibling(name: str) -> Any:
    """Import a file of this folder, which is no package."""
    full = f"client_tests_{name}"
    if full not in sys.modules:
        spec = importlib.util.spec_from_file_location(full, Path(__file__).with_name(f"{name}.py"))
        assert spec is not None
        assert spec.loader is not None
        sys.modules[full] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules[full]


FAST: dict[str, Any] = {
    "retry": RetryPolicy(wait_initial=0.01, wait_jitter=0.01, total_seconds=20),
    "resume": RetryPolicy(attempts=1000, wait_initial=0.01, wait_jitter=0.01, wait_max=0.2, total_seconds=120),
}


class Both:
    """One of the two clients, used the same way: a test holds for both."""

    def __init__(self, kind: str, url: str, **options: Any) -> None:
        self.retries: list[Any] = []
        self.is_async = kind == "async"
        chosen: Any = AsyncClient if self.is_async else Client
        self.client: Any = chosen(url, **{**FAST, "on_retry": self.retries.append, **options})

    async def ask(self, method: str, *arguments: Any, on: Any = None, **options: Any) -> Any:
        """Call a method of the client, or of what it gave."""
        call = getattr(on or self.client, method)
        return (
            await call(*arguments, **options) if self.is_async else await asyncio.to_thread(call, *arguments, **options)
        )

    async def each(self, iterator: Any) -> list[Any]:
        """Return everything that an iterator gives."""
        if self.is_async:
            return [each async for each in iterator]
        return await asyncio.to_thread(list, iterator)

    async def close(self) -> None:
        await self.ask("aclose" if self.is_async else "close")


@pytest.fixture(scope="session")
def fake_running() -> Iterator[Any]:
    """The server, for all tests."""
    module = _sibling("fake_host")
    running = module.Running(module.FakeHost())
    running.start()
    yield running
    running.stop()


@pytest.fixture
def fake(fake_running: Any) -> Any:
    """A server that fails on demand, and remembers nothing of the test before."""
    fake_running.host.forget()
    return fake_running


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate of its own signature for 127.0.0.1, in one file."""
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    arguments = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=server"]
    arguments += ["-addext", "subjectAltName=IP:127.0.0.1", "-days", "2", "-keyout", str(path), "-out", f"{path}.crt"]
    subprocess.run(["openssl", "req", "-x509", *arguments], check=True, capture_output=True)
    path.write_bytes(path.read_bytes() + Path(f"{path}.crt").read_bytes())
    return path


@pytest.fixture
def secure(certificate: Path) -> Iterator[Any]:
    """The server behind TLS."""
    module = _sibling("fake_host")
    running = module.Running(module.FakeHost(), certificate)
    running.start()
    yield running
    running.stop()


@pytest.fixture
def cutter(fake: Any) -> Iterator[Any]:
    """A wire to it that can be cut."""
    wire = _sibling("cutter").Cutter(fake.port)
    wire.start()
    yield wire
    wire.stop()


@pytest.fixture(params=["async", "sync"])
def kind(request: pytest.FixtureRequest) -> str:
    """Which of the two clients."""
    return request.param


@pytest.fixture
async def both(kind: str, fake: Any) -> AsyncIterator[Both]:
    """A client of the server."""
    client = Both(kind, fake.url, token="secret-token")
    yield client
    await client.close()


@pytest.fixture
async def cut(kind: str, cutter: Any) -> AsyncIterator[Both]:
    """A client behind the wire that can be cut."""
    client = Both(kind, cutter.url)
    yield client
    await client.close()
