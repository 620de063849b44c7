"""The demo's server process, when it cannot start."""

import socket
from pathlib import Path

import pytest

from examples.demo.failure import DemoFailed
from examples.demo.server import Server


def test_a_port_in_use_is_refused_before_anything_starts(tmp_path: Path):
    """Whoever listens there already must not be taken for the server."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(DemoFailed, match=f"cannot listen on port {port}: Address already in use"):
            Server(tmp_path / "hotplane.yaml", tmp_path, port)


def test_a_number_that_is_no_port_is_refused(tmp_path: Path):
    """Ports end at 65535."""
    with pytest.raises(DemoFailed, match="ports are 1 to 65535"):
        Server(tmp_path / "hotplane.yaml", tmp_path, 70_000)


async def test_a_server_that_does_not_start_leaves_its_last_words(tmp_path: Path):
    """Its configuration is missing: the message holds what it wrote, and no process is left."""
    server = Server(tmp_path / "missing.yaml", tmp_path)
    with pytest.raises(DemoFailed, match=r"(?s)ended before it was ready \(exit code \d+\).*last words were:\n  \S"):
        async with server:
            pytest.fail("it started")
    assert await server.died()
    assert "missing.yaml" in (tmp_path / "server.log").read_text()
