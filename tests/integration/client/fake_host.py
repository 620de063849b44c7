"""A server that behaves as the API of batches and streams says, as far as a client can tell, and fails on demand."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

AT = "2026-01-31T12:00:00Z"


@dataclass
class Ledger:
    """What the server knows; it outlives a restart."""

    state: str = "receiving"
    kind: str = "batch"
    items: list[Any] = field(default_factory=list)
    results: list[dict[str, Any]] = field(default_factory=list)
    truncated: bool = False
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def batch(self, id: str) -> dict[str, Any]:
        return {
            "id": id,
            "task_id": "shout",
            "kind": self.kind,
            "state": self.state,
            "truncated": self.truncated,
            "items": len(self.items),
            "done": len(self.results),
            "counts": {"succeeded": len(self.results)},
            "max_concurrency": 64,
            "created_at": AT,
            "seconds_left": 0.05,
            "last_sequence": len(self.results),
            "a_field_of_the_future": 1,
        }

    def take(self, line: bytes) -> None:
        item = msgspec.json.decode(line)
        self.items.append(item)
        position = len(self.items)
        self.results.append(
            {
                "sequence": position,
                "position": position,
                "item_id": item.get("id", str(position)),
                "correlation_id": item.get("correlation_id"),
                "status": "success",
                "output": str(item["input"]).upper(),
                "error": None,
                "latency_ms": 0.1,
                "execution_id": f"e{position}",
                "sampled": False,
                "valid": None,
            }
        )

    def end(self) -> None:
        if self.state != "cancelled":
            self.state = "completed"


@dataclass
class Seen:
    """A request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    query: dict[str, str]
    body: bytes = b""


class FakeHost:
    """The state of the server, and what it is to do wrong."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin a new test."""
        self.seen: list[Seen] = []
        self.refusals: deque[Response] = deque()
        self.ledgers: dict[str, Ledger] = {}
        self.answers: dict[str, dict[str, Any]] = {}
        self.executed = 0
        self.end_parts_after: deque[int] = deque()
        """The next answers that go on end after so many results, as if the server had stopped."""

    def refuse(self, status: int, code: str, times: int = 1, **headers: str) -> None:
        document = {"type": f"/errors/{code}", "title": code, "status": status, "detail": "No.", "code": code}
        for _ in range(times):
            self.refusals.append(Response(msgspec.json.encode(document), status, headers, "application/problem+json"))

    def paths(self) -> list[str]:
        return [f"{each.method} {each.path}" for each in self.seen]

    def application(self) -> Starlette:
        routes = [
            Route("/api/tasks/{task}/execute", self._guarded(self._execute), methods=["POST"]),
            Route("/api/batch/execute", self._guarded(self._batch), methods=["POST"]),
            Route("/api/stream/execute", self._guarded(self._stream), methods=["POST"]),
            Route("/api/batch", self._guarded(self._list)),
            Route("/api/{kind}/{id}", self._guarded(self._status)),
            Route("/api/batch/{id}/results", self._guarded(self._results)),
            Route("/api/stream/{id}/events", self._guarded(self._events)),
            Route("/api/{kind}/{id}/{action}", self._guarded(self._act), methods=["POST"]),
            Route("/api/plugins", self._guarded(self._plugins)),
            Route("/api/tasks/{task}/quality", self._guarded(self._quality)),
            Route("/readyz", self._guarded(self._ready)),
            Route("/elsewhere", lambda _: Response("<html>", media_type="text/html")),
        ]
        return Starlette(routes=routes)

    def _guarded(self, endpoint: Any) -> Any:
        async def guarded(request: Request) -> Response:
            one = Seen(request.method, request.url.path, dict(request.headers), dict(request.query_params))
            self.seen.append(one)
            if self.refusals:
                return self.refusals.popleft()
            return await endpoint(request, one)

        return guarded

    async def _execute(self, request: Request, seen: Seen) -> Response:
        seen.body = await request.body()
        key = seen.headers["idempotency-key"]
        if key not in self.answers:
            self.executed += 1
            body = msgspec.json.decode(seen.body)
            self.answers[key] = {
                "id": body.get("id", "x"),
                "task_id": request.path_params["task"],
                "program": "p:f",
                "status": "success",
                "input": body["input"],
                "output": body["input"],
                "started_at": AT,
                "a_field_of_the_future": True,
            }
        return JSONResponse(self.answers[key])

    async def _batch(self, request: Request, seen: Seen) -> Response:
        ledger = self.ledgers["b1"] = Ledger()
        seen.body = await request.body()
        for line in seen.body.splitlines():
            ledger.take(line)
        ledger.end()
        return JSONResponse(ledger.batch("b1"), 202, {"location": "/api/batch/b1"})

    async def _stream(self, request: Request, seen: Seen) -> Response:
        ledger = self.ledgers["s1"] = Ledger(kind="stream")
        reading = asyncio.create_task(self._read(request, ledger))
        headers = {"location": "/api/stream/s1"}
        return _Answering(self._server_sent(ledger, "s1", 0, reading), headers)

    async def _read(self, request: Request, ledger: Ledger) -> None:
        rest = b""
        try:
            async for part in request.stream():
                *lines, rest = (rest + part).split(b"\n")
                for line in lines:
                    ledger.take(line)
        except ClientDisconnect:
            ledger.truncated = True
        ledger.end()

    async def _server_sent(
        self, ledger: Ledger, id: str, after: int, reading: asyncio.Task[None] | None = None
    ) -> AsyncIterator[bytes]:
        limit = self.end_parts_after.popleft() if self.end_parts_after else None
        yield b": hello\r\nretry: 1000\n\n"
        if reading is not None:
            yield b'event: stream\ndata: {"id": "s1"}\n\n'
        async for one in self._follow(ledger, after, limit):
            yield b"event: result\nid: %d\ndata: %b\n\n" % (one["sequence"], msgspec.json.encode(one))
        if limit is not None and reading is not None:
            await asyncio.wait((reading,))  # what is still being sent when the answer ends would be cut off
        if limit is None:
            last = msgspec.json.encode(ledger.batch(id))
            yield b"event: end\nid: end-%d\ndata: %b\n\n" % (len(ledger.results), last)

    async def _follow(self, ledger: Ledger, after: int, limit: int | None) -> AsyncIterator[dict[str, Any]]:
        given = 0
        while limit is None or given < limit:
            for one in ledger.results[after:]:
                if limit is not None and given >= limit:
                    return
                yield one
                after, given = after + 1, given + 1
            if ledger.state in {"completed", "cancelled"} and after >= len(ledger.results):
                return
            await asyncio.sleep(0.01)

    async def _status(self, request: Request, _: Seen) -> Response:
        known = request.path_params["id"]
        return JSONResponse(self.ledgers[known].batch(known))

    async def _list(self, request: Request, _: Seen) -> Response:
        at = int(request.query_params.get("cursor", "0"))
        found = [ledger.batch(known) for known, ledger in self.ledgers.items()]
        more = str(at + 1) if at + 1 < len(found) else None
        return JSONResponse({"items": found[at : at + 1], "next_cursor": more})

    async def _results(self, request: Request, seen: Seen) -> Response:
        limit = self.end_parts_after.popleft() if self.end_parts_after else None
        ledger = self.ledgers[request.path_params["id"]]
        return StreamingResponse(
            self._lines(ledger, int(seen.query["after"]), limit), media_type="application/x-ndjson"
        )

    async def _lines(self, ledger: Ledger, after: int, limit: int | None) -> AsyncIterator[bytes]:
        async for one in self._follow(ledger, after, limit):
            yield msgspec.json.encode(one) + b"\n"

    async def _events(self, request: Request, seen: Seen) -> Response:
        known = request.path_params["id"]
        after = int(seen.headers.get("last-event-id", "0"))
        return StreamingResponse(self._server_sent(self.ledgers[known], known, after), media_type="text/event-stream")

    async def _act(self, request: Request, _: Seen) -> Response:
        known, action = request.path_params["id"], request.path_params["action"]
        self.ledgers[known].state = {"pause": "paused", "resume": "running", "cancel": "cancelled"}[action]
        return JSONResponse(self.ledgers[known].batch(known))

    async def _plugins(self, request: Request, _: Seen) -> Response:
        return JSONResponse(
            {"items": [{"id": "a", "type": "t", "kind": "validator", "state": "active", "colour": "blue"}]}
        )

    async def _quality(self, request: Request, _: Seen) -> Response:
        estimate = {"value": 0.9, "low": 0.8, "high": 0.95}
        found = {"task_id": "shout", "executions": 9, "judged": 3, "accuracy": estimate, "confidence": 0.95}
        return JSONResponse({**found, "latency": {"p50_ms": 1.0}})

    async def _ready(self, request: Request, _: Seen) -> Response:
        return JSONResponse({"ready": False, "reasons": ["asleep"]}, 503)


class _Answering(Response):
    """An answer that leaves the request to others: Starlette's own one reads it, too, to see its client leave."""

    def __init__(self, parts: AsyncIterator[bytes], headers: dict[str, str]) -> None:
        super().__init__(None, 200, headers, "text/event-stream")
        del self.headers["content-length"]
        self._parts = parts

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        async for part in self._parts:
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


class Running:
    """The server in a thread; it can be stopped and started again on its port."""

    def __init__(self, host: FakeHost, certificate: Path | None = None) -> None:
        self.host = host
        self._certificate = certificate
        self.port = 0
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None
        self._up = threading.Event()

    @property
    def url(self) -> str:
        return f"{'http' if self._certificate is None else 'https'}://127.0.0.1:{self.port}"

    def start(self) -> None:
        self._up.clear()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="fake-host")
        self._thread.start()
        assert self._up.wait(60)

    def stop(self) -> None:
        assert self._server is not None
        assert self._thread is not None
        self._server.should_exit = self._server.force_exit = True
        self._thread.join(60)
        assert not self._thread.is_alive()

    async def _serve(self) -> None:
        config = uvicorn.Config(
            self.host.application(),
            port=self.port,
            log_level="critical",
            lifespan="off",
            ssl_certfile=self._certificate,
        )
        self._server = uvicorn.Server(config)
        serving = asyncio.create_task(self._server.serve())
        while not self._server.started:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.005)
        self.port = self._server.servers[0].sockets[0].getsockname()[1]
        self._up.set()
        await serving
        for each in tuple(self._server.server_state.connections):  # as when its process ends, also in mid-answer
            each.transport.abort()
        await asyncio.sleep(0)
