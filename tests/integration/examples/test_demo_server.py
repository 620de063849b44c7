"""The demo's server process, when it cannot start."""

import socket
from pathlib import Path

import pytest

from examples.demo.failure import DemoFailed
from examples.demo.server import ROOT, Server

CONFIG = ROOT / "examples" / "spam" / "hotplane.yaml"


async def test_a_port_in_use_is_named(tmp_path: Path):
    """The server's own words say which port; whoever listens there is not taken for it."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(DemoFailed, match=f"(?s)ended before it was ready.*{port}"):
            async with Server(CONFIG, tmp_path, port):
                pytest.fail("it started")


async def test_a_server_is_gone_after_its_block(tmp_path: Path):
    """Inside it answers at the address that it printed; afterwards the process has ended."""
    async with Server(CONFIG, tmp_path) as server:
        assert server.url.startswith("http://127.0.0.1:")
        assert not await server.died(within=0.01)
    assert await server.died()
    assert server.store.exists()


async def test_a_server_that_does_not_start_leaves_its_last_words(tmp_path: Path):
    """Its configuration is missing: the message holds what it wrote, and no process is left."""
    server = Server(tmp_path / "missing.yaml", tmp_path)
    with pytest.raises(DemoFailed, match=r"(?s)ended before it was ready \(exit code \d+\).*last words were:\n  \S"):
        async with server:
            pytest.fail("it started")
    assert await server.died()
    assert "missing.yaml" in (tmp_path / "server.log").read_text()
