"""Who gets in by which door, and what strangers see."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest

from hotplane.valkyrie import HandshakeRefused
from tests.integration.worker.conftest import Running, until

Start = Callable[..., Running]
TOKEN = "a-token-of-nobody"
SECRET = b"0123456789abcdef0123456789abcdef"


def raw(worker: Running, sent: bytes, *, http: bool = True) -> bytes:
    """Send bytes to a door and return everything that comes back until it closes."""
    port = int((worker.url if http else worker.endpoint).rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=40) as connected:
        connected.sendall(sent)
        received = b""
        while data := connected.recv(65_536):
            received += data
    return received


async def test_an_http_client_at_the_valkyrie_door_gets_a_clean_close(worker: Running):
    """No bytes that it would not understand, and the log says what it looked like."""
    received = await asyncio.to_thread(raw, worker, b"GET / HTTP/1.1\r\nHost: here\r\n\r\n", http=False)
    assert received == b""
    await until(lambda: "HTTP" in worker.log)


async def test_a_valkyrie_client_at_the_http_door_gets_an_answer(worker: Running):
    """It is no HTTP, which is said in HTTP."""
    assert (await asyncio.to_thread(raw, worker, bytes(200))).startswith(b"HTTP/1.1 400 ")


async def test_probes_need_no_credentials_and_calls_do(start: Start):
    """With a token in the environment, `/run` and `/metrics` want it; a wrong one is as good as none."""
    worker = start(HOTPLANE_WORKER_TOKEN=TOKEN)
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    wrong = {"Authorization": "Bearer wrong"}
    assert (await worker.get("/livez")).status_code == (await worker.get("/readyz")).status_code == 200
    assert [(await worker.get("/metrics", each)).status_code for each in ({}, wrong, bearer)] == [401, 401, 200]
    assert [(await worker.post("light:echo", 1, headers=each)).status_code for each in ({}, wrong, bearer)] == [
        401,
        401,
        200,
    ]
    shown = await worker.post("light:environment", "HOTPLANE_WORKER_TOKEN", headers=bearer)
    assert shown.json() == {"output": None}
    assert TOKEN not in worker.log


async def test_a_secret_keeps_strangers_out(start: Start, tmp_path: Path):
    """Who knows the secret gets in; a secret file that others can read is warned of."""
    file = tmp_path / "secret"
    file.write_bytes(SECRET)
    file.chmod(0o644)
    worker = start("--secret-file", str(file))
    with pytest.raises(HandshakeRefused):
        await worker.call("light:echo", 1)
    async with worker.client(secret=SECRET) as client:
        assert await client.call("light:echo", "run", b"1", 30) == b"1"
    assert "secret_file_readable_by_others" in worker.log
    assert SECRET.decode() not in worker.log


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8081", ""])
async def test_a_name_that_was_made_to_resolve_here_is_refused(worker: Running, host: str):
    """Without a token the Host header has to name this machine (DNS rebinding)."""
    head = f"POST /run HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Type: application/json\r\n"
    body = '{"program": "light:echo", "input": 1}'
    received = await asyncio.to_thread(raw, worker, f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
    assert received.startswith(b"HTTP/1.1 403 ")


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"Content-Type": "text/plain"}, b"{}", 415),
        ({"Content-Type": "application/json", "Content-Encoding": "br"}, b"{}", 415),
        ({"Content-Type": "application/json", "Content-Encoding": "gzip"}, b"{}", 400),
        ({"Content-Type": "application/json"}, b"[]", 400),
        ({"Content-Type": "application/json"}, b'{"program": "light:echo"}', 400),
        ({"Content-Type": "application/json"}, b'{"program": "light:echo", "input": 1, "deadline_ms": 0}', 400),
        ({"Content-Type": "application/json"}, b" " * (16 * 2**20 + 1), 413),
    ],
)
async def test_a_request_that_does_not_fit_is_refused(
    worker: Running, headers: dict[str, str], body: bytes, status: int
):
    """Every one with the status that says so, and an error of the protocol's form."""
    async with httpx2.AsyncClient(base_url=worker.url, trust_env=False, timeout=30) as client:
        answer = await client.post("/run", content=body, headers=headers)
    assert answer.status_code == status
    assert answer.json()["error"].keys() == {"type", "message"}


async def test_a_head_without_end_is_cut(worker: Running):
    """A request's line and headers may have 32 KB."""
    received = await asyncio.to_thread(raw, worker, b"GET /livez HTTP/1.1\r\nX: " + b"x" * 40_000)
    assert received.startswith(b"HTTP/1.1 400 ")


async def test_metrics_count_calls_by_door_and_outcome(start: Start):
    """Prometheus' text: counters, a histogram whose buckets add up, and the limits."""
    worker = start()
    await worker.post("light:echo", 1)
    await worker.call("light:echo", 1)
    await worker.post("light:fail", 1)
    answer = await worker.get("/metrics")
    lines = answer.text.splitlines()
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert 'hotplane_worker_calls_total{door="http",outcome="program-error"} 1' in lines
    assert 'hotplane_worker_calls_total{door="valkyrie",outcome="success"} 1' in lines
    assert 'hotplane_worker_call_seconds_bucket{door="http",le="+Inf"} 2' in lines
    assert 'hotplane_worker_call_seconds_count{door="http"} 2' in lines
    assert "hotplane_worker_calls_limit 256" in lines
