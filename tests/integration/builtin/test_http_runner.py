"""The HTTP runner beside a real server that keeps the protocol, or does not, alone and in a route."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, cast

import pytest
from aiohttp import web

from hotplane.builtin.runners.http import HttpRunner, HttpRunnerConfig
from hotplane.errors import PluginMisconfigured
from hotplane.plugins import (
    CURRENT_CALL,
    Call,
    NotExecuted,
    PluginContext,
    ProgramFailed,
    ProgramOverran,
    Runner,
    TransportFailed,
)
from hotplane.records import Health, PluginMetadata, Task
from hotplane.registry import Registry
from hotplane.routing import Routes

ONCE = Task(id="spam", program="spam:detect", timeout_ms=5_000)
TWICE = Task(id="spam", program="spam:detect", timeout_ms=5_000, idempotent=True)
LONG = 30.0
"""Seconds for what has to be done in time, though the machine stand still for a while."""
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Log:
    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warning(self, event: str, **values: object) -> None:
        self.warnings.append(event)


class Worker:
    """An HTTP server whose `/run` does what a test says, and counts how often it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[dict[str, str], Any]] = []
        self.answer: Handler = self.echo
        self.ready = 200
        self.log = Log()

    async def echo(self, request: web.Request) -> web.Response:
        return web.json_response({"output": self.asked[-1][1]["input"]})

    async def run(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()  # aiohttp's server unpacks gzip by itself
        self.asked.append((dict(request.headers), json.loads(body)))
        return await self.answer(request)

    async def readyz(self, request: web.Request) -> web.Response:
        return web.Response(status=self.ready)

    async def start(self) -> web.AppRunner:
        application = web.Application(client_max_size=10**7)
        application.router.add_post("/v1/run", self.run)
        application.router.add_get("/v1/readyz", self.readyz)
        runner = web.AppRunner(application, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        return runner

    async def client(self, **settings: Any) -> HttpRunner:
        config = HttpRunnerConfig.model_validate({"base_url": self.url, "connect_timeout_ms": 30_000, **settings})
        runner = HttpRunner(config)
        unused = cast("Any", None)
        context = PluginContext(
            plugin_id="http", config=config, log=cast("Any", self.log), clock=unused, storage=unused, host_version="0"
        )
        await runner.start(context)
        return runner


@pytest.fixture
async def worker() -> AsyncIterator[Any]:
    """Give a worker that listens, and stop it and every runner that was made for it."""
    made: Any = Worker()
    server = await made.start()
    runners: list[HttpRunner] = []
    make = made.client

    async def client(**settings: Any) -> HttpRunner:
        runners.append(await make(**settings))
        return runners[-1]

    made.client = client
    yield made
    for runner in runners:
        await runner.stop()
    await server.cleanup()


@pytest.fixture
def no_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every lookup fail at once; a real name service takes as long as it likes."""

    def fail(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)


def answering(*answers: web.Response | Handler) -> Handler:
    """Return a handler that gives these answers one after the other."""
    left = list(answers)

    async def answer(request: web.Request) -> web.StreamResponse:
        given = left.pop(0)
        return given if isinstance(given, web.Response) else await given(request)

    return answer


def typed(status: int, word: str, **headers: str) -> web.Response:
    """Return an answer with the worker's own word."""
    return web.json_response(
        {"error": {"type": word, "message": "so it is"}},
        status=status,
        headers={k.replace("_", "-"): v for k, v in headers.items()},
    )


async def cut_off(request: web.Request) -> web.StreamResponse:
    """Send half of what was announced, then close."""
    response = web.StreamResponse(headers={"Content-Length": "100"})
    await response.prepare(request)
    await response.write(b'{"output": "eg')
    assert request.transport is not None
    request.transport.close()
    return response


async def vanish(request: web.Request) -> web.StreamResponse:
    """Close the connection without a word."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def test_a_program_runs_at_the_worker(worker: Any) -> None:
    """The request is the one of the protocol, and the output comes back."""
    runner = await worker.client(timeout_ms=60_000)
    CURRENT_CALL.set(Call(execution_id="e1", traceparent="00-" + "a" * 32 + "-" + "b" * 16 + "-01"))
    clock = asyncio.get_running_loop().time
    began = clock()
    assert await runner.run(ONCE, {"tins": 7}, 60.0) == {"tins": 7}
    took_ms = (clock() - began) * 1e3
    headers, body = worker.asked[0]
    deadline_ms = body.pop("deadline_ms")
    assert body == {"program": "spam:detect", "input": {"tins": 7}, "task": "spam", "execution": "e1"}
    assert 60_000 - took_ms - 2 <= deadline_ms <= 60_000
    assert headers["traceparent"][:5] == "00-aa"


async def test_null_is_an_output(worker: Any) -> None:
    """It is not the same as no output."""
    assert await (await worker.client()).run(ONCE, None, LONG) is None


async def test_a_programs_error_comes_back_typed(worker: Any) -> None:
    """With its own type, message and traceback."""
    worker.answer = answering(
        web.json_response({"error": {"type": "ValueError", "message": "no eggs", "traceback": "at"}})
    )
    with pytest.raises(ProgramFailed) as failed:
        await (await worker.client()).run(ONCE, 1, LONG)
    failure = failed.value.failure
    assert (failure.type, failure.message, failure.traceback) == ("ValueError", "no eggs", "at")


@pytest.mark.parametrize(
    ("answer", "code", "counts"),
    [
        (typed(404, "unknown-program"), "unknown-program", False),
        (web.Response(status=404, text="<html>"), "http-404", True),
        (web.Response(status=413), "http-413", False),
        (web.Response(status=401), "http-401", True),
        (web.Response(status=429), "overloaded", False),
        (typed(503, "overloaded"), "overloaded", False),
        (typed(503, "shutting-down", Retry_After="60"), "shutting-down", True),
        (web.Response(status=307, headers={"Location": "/v1/readyz"}), "http-307", True),
    ],
)
async def test_what_the_worker_certainly_did_not_execute(worker: Any, answer: Any, code: str, counts: bool) -> None:
    """The code says why, and whether it speaks against the worker."""
    worker.answer = answering(answer)
    with pytest.raises(NotExecuted) as refused:
        await (await worker.client()).run(ONCE, 1, LONG)
    assert (refused.value.code, refused.value.counts, len(worker.asked)) == (code, counts, 1)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (web.Response(status=500, text="<html>"), "http-500"),
        (typed(500, "unknown-program"), "http-500"),
        (web.Response(status=502), "http-502"),
        (web.Response(status=503, headers={"Retry-After": "0"}), "http-503"),
        (web.Response(status=504), "http-504"),
        (web.Response(status=302, headers={"Location": "/v1/readyz"}), "http-302"),
        (web.Response(status=204), "http-204"),
        (web.Response(text="<html>"), "malformed-answer"),
        (web.Response(text='{"output": 1, "error": {"type": "E"}}'), "malformed-answer"),
        (web.Response(text="{}"), "malformed-answer"),
        (web.Response(text='{"output": ' + "[" * 100_000), "malformed-answer"),
        (web.Response(text='{"output": "' + "x" * 2_000 + '"}'), "answer-too-large"),
        (cut_off, "answer-lost"),
        (vanish, "answer-lost"),
    ],
)
async def test_what_may_have_run(worker: Any, answer: Any, code: str) -> None:
    """It is sent once, since nobody knows whether it ran."""
    worker.answer = answering(answer)
    with pytest.raises(TransportFailed) as failed:
        await (await worker.client(max_answer_bytes=1_999 if code == "answer-too-large" else 10**6)).run(ONCE, 1, LONG)
    assert (failed.value.code, len(worker.asked)) == (code, 1)


async def test_a_refused_connection_is_tried_again(worker: Any, unused_url: str) -> None:
    """Nothing was sent, so it is safe; in the end it was certainly not executed."""
    runner = await worker.client(base_url=unused_url, retries=2)
    with pytest.raises(NotExecuted) as refused:
        await runner.run(ONCE, 1, LONG)
    assert (refused.value.code, runner.stats()["requests"]) == ("no-connection", 3)


@pytest.mark.usefixtures("no_names")
async def test_a_name_that_cannot_be_looked_up_is_not_executed(worker: Any) -> None:
    """A failing name service is a failing connection."""
    runner = await worker.client(base_url="http://worker.invalid", retries=0)
    with pytest.raises(NotExecuted, match="looked up"):
        await runner.run(ONCE, 1, LONG)


async def test_a_refusal_is_repeated_when_the_worker_says(worker: Any) -> None:
    """It said that it did not execute, and when to come again."""
    worker.answer = answering(
        typed(503, "overloaded", Retry_After="0.05"),
        web.Response(status=429, headers={"Retry-After": "0"}),
        worker.echo,
    )
    assert await (await worker.client()).run(ONCE, 1, LONG) == 1
    assert len(worker.asked) == 3


async def test_an_untyped_refusal_is_repeated_only_if_idempotent(worker: Any) -> None:
    """It may come from a proxy whose worker already ran the program."""
    busy = web.Response(status=503, headers={"Retry-After": "0"})
    worker.answer = answering(busy, worker.echo)
    assert await (await worker.client()).run(TWICE, 1, LONG) == 1


@pytest.mark.parametrize("headers", [{"Retry-After": "3600"}, {"Retry-After": "soon"}, {"Retry-After": "nan"}, {}])
async def test_nobody_waits_longer_than_makes_sense(worker: Any, headers: dict[str, str]) -> None:
    """A worker that asks for an hour, or says nothing one can read, is given up at once."""
    worker.answer = answering(web.Response(status=429, headers=headers))
    async with asyncio.timeout(20):
        with pytest.raises(NotExecuted):
            await (await worker.client()).run(ONCE, 1, LONG)


async def test_no_wait_goes_beyond_the_deadline(worker: Any) -> None:
    """A repetition that could only be too late is not waited for."""
    worker.answer = answering(web.Response(status=429, headers={"Retry-After": "55"}))
    async with asyncio.timeout(20):
        with pytest.raises(NotExecuted):
            await (await worker.client(max_retry_wait_ms=60_000)).run(ONCE, 1, LONG)


async def test_a_silent_worker_is_a_timeout(worker: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes right after the deadline, and speaks against the worker."""
    asked = asyncio.Event()

    async def silent(request: web.Request) -> web.Response:
        asked.set()
        await asyncio.Event().wait()
        raise AssertionError

    worker.answer = silent
    calling = asyncio.create_task((await worker.client()).run(ONCE, 1, LONG))
    await asked.wait()
    assert not calling.done()
    loop = asyncio.get_running_loop()
    steady = loop.time
    monkeypatch.setattr(loop, "time", lambda: steady() + LONG + 0.1)  # a clock that jumps when the worker has the work
    with pytest.raises(TimeoutError, match="the request was sent") as waited:
        async with asyncio.timeout(20):
            await calling
    assert not isinstance(waited.value, ProgramOverran)


async def test_a_slow_program_is_told_apart_from_a_silent_worker(worker: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker's own word comes in the little time that its answer has beyond the deadline."""
    monkeypatch.setattr("hotplane.builtin.runners.http.ANSWER_GRACE_SECONDS", 20.0)

    async def overrun(request: web.Request) -> web.Response:
        await asyncio.sleep(worker.asked[-1][1]["deadline_ms"] / 1e3)
        return typed(504, "deadline-exceeded")

    worker.answer = overrun
    with pytest.raises(ProgramOverran):
        await (await worker.client()).run(ONCE, 1, 0.2)


async def test_large_requests_are_packed_once_the_worker_takes_it(worker: Any) -> None:
    """Small ones never, and none before the worker said so."""

    async def takes_gzip(request: web.Request) -> web.Response:
        return web.json_response({"output": None}, headers={"Accept-Encoding": "br, gzip;q=0.5"})

    worker.answer = takes_gzip
    runner = await worker.client(compress_above_bytes=1_000)
    for text in ("x" * 5_000, "x" * 5_000, "x", "x" * 600_000):
        await runner.run(ONCE, text, LONG)
        assert worker.asked[-1][1]["input"] == text
    assert ["Content-Encoding" in headers for headers, _ in worker.asked] == [False, True, False, True]


async def test_a_worker_that_changes_its_mind_gets_it_plain(worker: Any) -> None:
    """415 means not executed, so the request comes again at once, unpacked."""
    willing = web.json_response({"output": 1}, headers={"Accept-Encoding": "gzip"})
    worker.answer = answering(willing, web.Response(status=415), web.json_response({"output": 2}))
    runner = await worker.client(compress_above_bytes=0)
    assert [await runner.run(ONCE, "x", LONG) for _ in range(2)] == [1, 2]
    assert ["Content-Encoding" in headers for headers, _ in worker.asked] == [False, True, False]


async def test_a_packed_answer_is_understood(worker: Any) -> None:
    """Workers may pack with gzip."""
    worker.answer = answering(web.Response(body=gzip.compress(b'{"output": 7}'), headers={"Content-Encoding": "gzip"}))
    assert await (await worker.client()).run(ONCE, 1, LONG) == 7


async def test_the_token_goes_to_the_worker_and_nowhere_else(worker: Any, tmp_path: Any) -> None:
    """It comes from a file; one that others can read is warned of; no error repeats it."""
    file = tmp_path / "token"
    file.write_text("hunter2\n")
    file.chmod(0o644)
    runner = await worker.client(token_file=str(file))
    await runner.run(ONCE, 1, LONG)
    assert worker.asked[0][0]["Authorization"] == "Bearer hunter2"
    assert worker.log.warnings == ["http.token-readable-by-others"]
    worker.answer = answering(web.Response(status=401, text="not hunter2"))
    with pytest.raises(NotExecuted) as refused:
        await runner.run(ONCE, 1, LONG)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("token", ["", "two words", "line\nbreak"])
async def test_what_is_no_token_is_refused_before_the_first_request(
    worker: Any, monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    """The message names the variable, not what is in it."""
    monkeypatch.setenv("WORKER_TOKEN", token)
    with pytest.raises(PluginMisconfigured, match="WORKER_TOKEN"):
        await worker.client(token_env="WORKER_TOKEN")


async def test_health_is_the_workers_readiness(worker: Any, unused_url: str) -> None:
    """Ready, not ready, not there."""
    runner = await worker.client()
    assert (await runner.check_health()).ok
    worker.ready = 503
    assert "503" in (await runner.check_health()).message
    assert not (await (await worker.client(base_url=unused_url)).check_health()).ok


class Backup(Runner):
    metadata = PluginMetadata(name="backup", version="1")

    async def run(self, task: Task, input: Any, deadline: float) -> Any:
        return "backup"


async def healthy(runner: str) -> Health:
    """Find every runner healthy."""
    return Health()


async def through_a_route(runner: HttpRunner, task: Task) -> tuple[str, Any, list[str]]:
    """Run on the worker with another runner behind it; return status, output and attempts."""
    registry = Registry()
    registry.register(runner, id="http")
    registry.register(Backup(), id="backup")
    outcome = await Routes(registry, probe=healthy).route(("http", "backup")).run(task, 1, LONG)
    return outcome.status, outcome.output, [tried.outcome for tried in outcome.attempts]


def fresh(status: int, **headers: str) -> Handler:
    """Return a handler that answers with a new response each time; one cannot be sent twice."""

    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=status, headers={name.replace("_", "-"): text for name, text in headers.items()})

    return answer


FAULTS = [
    (fresh(500), "http-500", False),
    (fresh(429, Retry_After="60"), "overloaded", True),
    (fresh(307, Location="http://elsewhere.invalid/"), "http-307", True),
    (fresh(302, Location="http://elsewhere.invalid/"), "http-302", False),
    (cut_off, "answer-lost", False),
    (vanish, "answer-lost", False),
]


@pytest.mark.parametrize(("answer", "outcome", "certain"), FAULTS)
async def test_callers_of_idempotent_tasks_see_no_fault(worker: Any, answer: Any, outcome: str, certain: bool) -> None:
    """The runner behind answers, and the record shows what went wrong."""
    worker.answer = answering(answer)
    assert await through_a_route(await worker.client(), TWICE) == ("success", "backup", [outcome, "success"])


@pytest.mark.parametrize(("answer", "outcome", "certain"), FAULTS)
async def test_no_other_task_can_run_twice(worker: Any, answer: Any, outcome: str, certain: bool) -> None:
    """Only what certainly did not run goes to the runner behind; otherwise the caller gets the error."""
    worker.answer = answering(answer)
    status, output, attempts = await through_a_route(await worker.client(), ONCE)
    expected = ("success", "backup", [outcome, "success"]) if certain else ("error", None, [outcome])
    assert (status, output, attempts) == expected


@pytest.mark.usefixtures("no_names")
@pytest.mark.parametrize("task", [ONCE, TWICE])
async def test_a_worker_that_cannot_be_found_costs_nobody_anything(worker: Any, task: Task) -> None:
    """Nothing was sent, so the runner behind takes every task."""
    runner = await worker.client(base_url="http://worker.invalid", retries=0)
    assert await through_a_route(runner, task) == ("success", "backup", ["no-connection", "success"])
