"""`POST execute` over HTTP against a FastAPI route that only validates a typed body and answers.

Ours checks the input against its schema and stores every execution (SQLite, `synchronous=FULL`, group commit) before
it answers; a second row also samples and validates. The peer stores nothing. All run under uvicorn's httptools and
uvloop, each in a process of its own; the load comes from this process, over 64 connections that are kept open. They
take turns.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import cast

import uvloop

from benchmarks.board import Row, at_least, interleave, print_table, row

CONNECTIONS = 64
GOAL = 1.0
_BODY = b'{"input":{"text":"You have won a prize. Call now to claim it.","number":7}}'
_HEAD = b"POST %s HTTP/1.1\r\nhost: 127.0.0.1:%d\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
_PATHS = {"ours": b"/api/tasks/echo/execute", "judged": b"/api/tasks/echo/execute", "peer": b"/execute"}
_CONFIG = {
    "server": {"port": 0},
    "storage": {"synchronous": "FULL"},
    "programs": {"allow": ["benchmarks.rest_execute"], "paths": [str(Path(__file__).parents[1])]},
    "tasks": {
        "echo": {
            "program": "benchmarks.rest_execute:echo",
            "input_schema": {
                "type": "object",
                "properties": {"text": {"type": "string"}, "number": {"type": "integer"}},
                "required": ["text", "number"],
            },
        }
    },
}
_PLUGINS = {
    "validators": [{"name": "json-schema-validator"}],
    "samplers": [{"name": "percentage-sampler"}, {"name": "time-based-sampler"}],
}


async def echo(input: object) -> object:
    """Return the input: the program of the task."""
    return input


def measure(rounds: int = 7, seconds: float = 2.0) -> list[Row]:
    """Measure both in turns.

    Args:
        rounds: How often each takes its turn; the median of the ratios counts.
        seconds: How long a turn is.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".rest-")))
        ports = {who: stack.enter_context(_served(who, folder)) for who in _PATHS}
        for who, port in ports.items():
            _load(who, port, min(seconds, 0.5))
        bare, judged, peer = interleave(rounds, *(partial(_load, who, port, seconds) for who, port in ports.items()))
    name = f"POST execute, {CONNECTIONS} connections, stored, FULL"
    return [
        row(name, "requests/s", bare, "FastAPI, not storing", peer, at_least(GOAL)),
        row(f"{name}; 2 samplers, 1 validator", "requests/s", judged, "FastAPI, not storing", peer),
    ]


# --- the load ----------------------------------------------------------------------------------------------------


class _Client(asyncio.Protocol):
    """Sends the next request when the answer to the last one is complete."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._buffer = b""
        self.answers = 0
        self.failure = ""
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's are not derived from it
        self.transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        assert self.transport is not None
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found or len(body) < int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0]):
            return
        if not head.startswith(b"HTTP/1.1 200"):
            self.failure = self._buffer.decode(errors="replace")
            self.transport.close()
            return
        self._buffer = b""
        self.answers += 1
        self.transport.write(self._request)


def _load(who: str, port: int, seconds: float) -> float:
    """Return answers per second."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_rate(_HEAD % (_PATHS[who], port, len(_BODY)) + _BODY, port, seconds))


async def _rate(request: bytes, port: int, seconds: float) -> float:
    loop = asyncio.get_running_loop()
    clients = [
        (await loop.create_connection(lambda: _Client(request), "127.0.0.1", port))[1] for _ in range(CONNECTIONS)
    ]
    before, began = sum(client.answers for client in clients), time.perf_counter()
    await asyncio.sleep(seconds)
    answered, took = sum(client.answers for client in clients) - before, time.perf_counter() - began
    for client in clients:
        if client.failure:
            raise RuntimeError(client.failure)
        assert client.transport is not None
        client.transport.abort()
    return answered / took


# --- the servers -------------------------------------------------------------------------------------------------


@contextmanager
def _served(who: str, folder: Path) -> Generator[int]:
    arguments = [sys.executable, "-m", "benchmarks.rest_execute", "--serve", who, "--folder", str(folder)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, cwd=Path(__file__).parents[1], text=True) as server:
        assert server.stdout is not None
        try:
            yield int(server.stdout.readline())
        finally:
            server.terminate()


def _serve(who: str, folder: Path) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve_peer() if who == "peer" else _serve_ours(who, folder))


async def _serve_ours(who: str, folder: Path) -> None:
    from hotplane.api import serve
    from hotplane.app import Hotplane

    config = {**_CONFIG, "plugins": _PLUGINS} if who == "judged" else _CONFIG
    host = Hotplane.from_config(config, overrides={"storage.url": str(folder / f"{who}.db")})
    await serve(host, on_ready=lambda url: print(url.rpartition(":")[2], flush=True))


async def _serve_peer() -> None:
    import uvicorn
    from fastapi import FastAPI
    from pydantic import BaseModel

    class Message(BaseModel):
        text: str
        number: int

    class Request(BaseModel):
        input: Message

    app = FastAPI()

    async def execute(request: Request) -> Message:
        return request.input

    # The annotations above are local, so that FastAPI could not resolve their names.
    execute.__annotations__ = {"request": Request, "return": Message}
    app.post("/execute")(execute)
    config = uvicorn.Config(
        app, port=0, http="httptools", ws="none", lifespan="off", log_config=None, access_log=False,
        proxy_headers=False, server_header=False, timeout_keep_alive=60,
    )  # fmt: skip
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.01)
    print(server.servers[0].sockets[0].getsockname()[1], flush=True)
    await serving


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--serve", choices=tuple(_PATHS), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        _serve(options.serve, options.folder)
    else:
        print_table(measure(options.rounds, options.seconds))
