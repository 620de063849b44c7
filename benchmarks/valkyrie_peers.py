"""The peers of Valkyrie's benchmark: grpc.aio and HTTP keep-alive, their server and their client.

The server is a process of its own on uvloop, ``python -m benchmarks.valkyrie_peers``, and ends with its standard
input. Both peers do for a call what Valkyrie does there: one connection pool kept open, a deadline on each call,
the same payload, decoded and encoded again by msgspec on both sides. Imports nothing of Hotplane.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol, cast

import aiohttp
import grpc
import grpc.aio
import msgspec
import uvicorn
import uvloop

SERVICE = "bench.Echo"
CONNECTIONS = 64
# A proxy of the environment would stand between the two processes.
_CHANNEL_OPTIONS = [("grpc.enable_http_proxy", 0)]


class UnaryCall(Protocol):
    """A method of a gRPC channel whose messages are bytes."""

    def __call__(self, request: bytes, /, *, timeout: float) -> Awaitable[bytes]: ...


@dataclass(frozen=True)
class Peers:
    """One call by each peer; `deadline` is in seconds."""

    grpc_opaque_call: UnaryCall
    grpc_decoded_call: UnaryCall
    session: aiohttp.ClientSession
    url: str
    payload: bytes
    decoded: object
    deadline: float

    async def grpc_opaque(self) -> None:
        await self.grpc_opaque_call(self.payload, timeout=self.deadline)

    async def grpc_decoded(self) -> None:
        request = msgspec.json.encode(self.decoded)
        msgspec.json.decode(await self.grpc_decoded_call(request, timeout=self.deadline))

    async def http_decoded(self) -> None:
        async with self.session.post(self.url, data=msgspec.json.encode(self.decoded)) as response:
            response.raise_for_status()
            msgspec.json.decode(await response.read())


@asynccontextmanager
async def connected(ports: tuple[int, int], payload: bytes, deadline: float) -> AsyncGenerator[Peers]:
    """Open a gRPC channel and an HTTP session, with as many connections as there are calls in flight.

    Args:
        ports: Of gRPC and of HTTP.
        payload: A JSON document.
        deadline: Of each call, in seconds.
    """
    connector = aiohttp.TCPConnector(limit=CONNECTIONS)
    timeout = aiohttp.ClientTimeout(total=deadline)
    async with (
        grpc.aio.insecure_channel(f"127.0.0.1:{ports[0]}", options=_CHANNEL_OPTIONS) as channel,
        aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
    ):
        await asyncio.wait_for(channel.channel_ready(), deadline)
        yield Peers(
            cast("UnaryCall", channel.unary_unary(f"/{SERVICE}/Opaque")),
            cast("UnaryCall", channel.unary_unary(f"/{SERVICE}/Decoded")),
            session,
            f"http://127.0.0.1:{ports[1]}/",
            payload,
            msgspec.json.decode(payload),
            deadline,
        )


# --- the server's process ---


async def answer_opaque(request: bytes, _context: object) -> bytes:
    return request


async def answer_decoded(request: bytes, _context: object) -> bytes:
    return msgspec.json.encode(msgspec.json.decode(request))


async def answer_http(
    _scope: object,
    receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
    send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
) -> None:
    """Answer as an ASGI application without a framework."""
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    answer = msgspec.json.encode(msgspec.json.decode(body))
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(answer))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})


async def start_grpc() -> tuple[grpc.aio.Server, int]:
    methods = {
        "Opaque": grpc.unary_unary_rpc_method_handler(answer_opaque),
        "Decoded": grpc.unary_unary_rpc_method_handler(answer_decoded),
    }
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, methods),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    return server, port


def http_server() -> uvicorn.Server:
    config = uvicorn.Config(
        answer_http, http="httptools", ws="none", lifespan="off", log_config=None, access_log=False,
        proxy_headers=False, server_header=False, timeout_keep_alive=600,
    )  # fmt: skip
    return uvicorn.Server(config)


async def run_servers() -> None:
    remote, port = await start_grpc()
    web = http_server()
    with socket.create_server(("127.0.0.1", 0), backlog=CONNECTIONS * 2) as listening:
        serving = asyncio.create_task(web.serve([listening]))
        print(port, listening.getsockname()[1], flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        web.should_exit = True
        await serving
    await remote.stop(None)


if __name__ == "__main__":
    uvloop.run(run_servers())
