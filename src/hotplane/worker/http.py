"""The HTTP door: `POST /run`, the probes and the metrics, as an ASGI application. Imports its own room and below."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Protocol

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, Router

from hotplane.log import get_logger
from hotplane.plugins import Call
from hotplane.valkyrie import CallFailed, PeerOverloaded, PeerShuttingDown, TooLarge
from hotplane.worker.dispatch import Dispatcher
from hotplane.worker.http_answers import JSON_TYPE, Refusal, answer_for, error_body, success_body
from hotplane.worker.http_requests import ClientDisconnect, Guard, RunRequest, read_request
from hotplane.worker.settings import WorkerSettings
from hotplane.worker.tally import CONTENT_TYPE, Door

__all__ = ["HttpDoor", "State"]

_TAKES_GZIP = {"Accept-Encoding": "gzip"}
"""Tells clients that they may pack their requests (RFC 9110, section 12.5.3)."""


class State(Protocol):
    """What the door needs to know of its worker.

    Attributes:
        draining: Whether new calls are refused.
    """

    draining: bool

    def reasons(self) -> tuple[str, ...]:
        """Why the worker is not ready; empty when it is."""
        ...

    def metrics(self) -> str:
        """Its numbers, for Prometheus."""
        ...

    def enter(self) -> bool:
        """Take one of the places for calls; false when none is free."""
        ...

    def leave(self) -> None:
        """Give the place back."""


class HttpDoor:
    """Serves what Valkyrie serves, to HTTP clients.

    Args:
        state: The worker.
        dispatcher: Runs the programs.
        guard: Decides who may pass.
        settings: The limits.
    """

    def __init__(self, state: State, dispatcher: Dispatcher, guard: Guard, settings: WorkerSettings) -> None:
        self._state = state
        self._dispatcher = dispatcher
        self._guard = guard
        self._settings = settings
        self._reading = 0
        self._calls: set[asyncio.Task[bytes]] = set()
        self._idle = asyncio.Event()
        self._idle.set()
        self._log = get_logger()
        self.application = Router(
            [
                Route("/run", self._answering(self._run), methods=["POST"]),
                Route("/livez", self._live),
                Route("/readyz", self._ready),
                Route("/metrics", self._answering(self._metrics)),
            ],
            redirect_slashes=False,
        )

    async def finish(self) -> None:
        """Wait until nothing runs for an HTTP client."""
        await self._idle.wait()

    def interrupt(self) -> int:
        """Cancel what runs, which is answered so; return how many calls that were."""
        for call in self._calls:
            call.cancel()
        return len(self._calls)

    async def _run(self, request: Request) -> Response:
        self._refuse_when_full(self._reading >= self._settings.max_concurrency)
        self._reading += 1
        try:
            asked = await read_request(request, self._settings)
        finally:
            self._reading -= 1
        self._refuse_when_full(not self._state.enter())
        try:
            output = await self._call(request, asked)
        finally:
            self._state.leave()
        limit = self._settings.max_body_bytes
        if len(output) > limit:
            raise TooLarge(f"the result has {len(output)} bytes; at most {limit} are sent")
        return Response(success_body(output), media_type=JSON_TYPE, headers=_TAKES_GZIP)

    def _refuse_when_full(self, full: bool) -> None:
        if self._state.draining:
            raise PeerShuttingDown
        if full:
            raise PeerOverloaded(f"the worker takes {self._settings.max_concurrency} calls at once")

    async def _call(self, request: Request, asked: RunRequest) -> bytes:
        """Run the program until it ends, or until its client has gone and it is cancelled."""
        origin = Call(execution_id=asked.execution, traceparent=request.headers.get("traceparent"))
        seconds = asked.deadline_ms / 1e3
        call = asyncio.create_task(
            self._dispatcher.run(asked.program, bytes(asked.input), seconds, origin, door=Door.HTTP)
        )
        self._calls.add(call)
        self._idle.clear()
        gone = asyncio.ensure_future(request.receive())
        try:
            await asyncio.wait((call, gone), return_when=asyncio.FIRST_COMPLETED)
            if not call.done():
                raise ClientDisconnect
            if call.cancelled():
                raise PeerShuttingDown(executed="maybe")
            return call.result()
        finally:
            gone.cancel()
            call.cancel()
            self._calls.discard(call)
            if not self._calls:
                self._idle.set()

    async def _live(self, request: Request) -> Response:
        del request
        return PlainTextResponse("ok\n")

    async def _ready(self, request: Request) -> Response:
        del request
        reasons = self._state.reasons()
        return PlainTextResponse("\n".join(reasons or ("ok",)) + "\n", 503 if reasons else 200, _TAKES_GZIP)

    async def _metrics(self, request: Request) -> Response:
        del request
        return Response(self._state.metrics(), media_type=CONTENT_TYPE)

    def _answering(
        self, handle: Callable[[Request], Awaitable[Response]]
    ) -> Callable[[Request], Coroutine[None, None, Response]]:
        """Return an endpoint that lets nobody through who may not pass, and answers every failure."""

        async def endpoint(request: Request) -> Response:
            try:
                self._guard.check(request)
                return await handle(request)
            except CallFailed as failure:
                status, body, headers = answer_for(failure)
            except Refusal as refusal:
                status, body, headers = refusal.status, error_body(refusal.type, refusal.message), refusal.headers
            except ClientDisconnect:
                return Response(status_code=499)  # nobody reads it
            except Exception as error:
                self._log.error("worker.http-failed", path=request.url.path, exc_info=error)
                message = f"the worker failed with {type(error).__name__}; its log says why"
                status, body, headers = 500, error_body("worker-failed", message), {}
            return Response(body, status, {**_TAKES_GZIP, **headers}, JSON_TYPE)

        return endpoint
