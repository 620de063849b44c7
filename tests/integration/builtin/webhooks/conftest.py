"""A receiver that listens, and what a host gives a handler at its start."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from aiohttp import web

from hotplane.network import GuardedAddresses, OutboundClient, OutboundSettings, origins_in
from hotplane.plugins import PluginContext, Receipt, WebhookContext, WebhookHandler
from hotplane.records import Event

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Log:
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.said: list[tuple[str, dict[str, object]]] = []

    def warning(self, event: str, **values: object) -> None:
        self.said.append((event, values))


class Clock:
    """The real time, shifted by what a test says."""

    shift = 0.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(datetime.now(UTC).timestamp() + self.shift, UTC)

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()


class Stage:
    """Starts handlers, and has them deliver."""

    def __init__(self) -> None:
        self.log = Log()
        self.clock = Clock()
        self.clients: list[OutboundClient] = []

    async def started(self, handler: WebhookHandler[Any], *allowed: str) -> Any:
        client = OutboundClient(
            GuardedAddresses(exact=origins_in({"written": allowed})), OutboundSettings(timeout_seconds=10.0)
        )
        self.clients.append(client)
        context = PluginContext(
            plugin_id=handler.id,
            config=handler.config,
            log=cast("Any", self.log),
            clock=self.clock,
            storage=cast("Any", None),
            host_version="0.1.0",
            http=client,
        )
        started = cast("Any", handler).start(context)
        if asyncio.iscoroutine(started):
            await started
        return handler

    async def deliver(self, handler: WebhookHandler[Any], event: Event, *, dry_run: bool = False) -> Receipt:
        given = WebhookContext(configuration=handler.config, dry_run=dry_run)
        return await cast("Awaitable[Receipt]", handler.handle(event, given))


class Receiver:
    """An HTTP server that remembers requests and answers what a test says."""

    def __init__(self) -> None:
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.answer: Answer = self.ok
        self.url = ""

    async def ok(self, request: web.Request) -> web.StreamResponse:
        return web.Response(text="ok")

    def answers(self, status: int, text: str = "", **headers: str) -> None:
        async def answer(request: web.Request) -> web.StreamResponse:
            return web.Response(
                status=status, text=text, headers={name.replace("_", "-"): value for name, value in headers.items()}
            )

        self.answer = answer

    async def take(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.requests.append((headers, await request.read()))
        return await self.answer(request)

    async def start(self) -> web.AppRunner:
        application = web.Application()
        application.router.add_route("*", "/{rest:.*}", self.take)
        runner = web.AppRunner(application, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        return runner


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """Give a receiver that listens."""
    made = Receiver()
    server = await made.start()
    yield made
    await server.cleanup()


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    """Give what starts handlers."""
    made = Stage()
    yield made
    for client in made.clients:
        await client.close()


@pytest.fixture
def unused_port() -> Iterator[int]:
    """Give a port that is taken, so that nobody else gets it, and not listened on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]
