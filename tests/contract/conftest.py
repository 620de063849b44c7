"""The runners that the contract suite holds to the contract, each with all that it needs to run programs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib import import_module
from typing import Any, TypeAlias

import pytest
import structlog
from aiohttp import web

from hotplane.builtin.runners.http import HttpRunner, HttpRunnerConfig
from hotplane.builtin.runners.local import LocalRunner
from hotplane.builtin.runners.valkyrie import ValkyrieConfig, ValkyrieRunner
from hotplane.errors import NotJson
from hotplane.plugins import NotExecuted, PluginContext, ProgramFailed, ProgramOverran, Runner
from hotplane.programs import Programs, ProgramSettings
from hotplane.records import ExecutionFailure, PluginMetadata, Task
from hotplane.testing import FakeRunner
from hotplane.valkyrie import Call, CallFailed, DeadlineExceeded, UnknownTarget, serve
from hotplane.valkyrie import ProgramFailed as RemoteProgramFailed
from hotplane.values import Json, checked_copy
from hotplane.worker.running import InProcess

MAX_BODY = 20 * 1024 * 1024
Served: TypeAlias = AsyncGenerator[Runner[Any]]


class Custom(Runner):
    """A runner as a user might write it: no module of Hotplane beside the contract."""

    metadata = PluginMetadata(name="custom", version="1.0.0")

    async def run(self, task: Task, input: Json, deadline: float) -> Json:
        """Run async programs on the loop and sync ones right here."""
        module, _, name = task.program.partition(":")
        function = getattr(import_module(module), name, None)
        if function is None:
            raise NotExecuted(f"There is no {task.program}.", code="unknown-program", counts=False)
        try:
            async with asyncio.timeout(deadline):
                output = function(checked_copy(input))
                return checked_copy(await output if asyncio.iscoroutine(output) else output)
        except TimeoutError:
            raise ProgramOverran(task.program) from None
        except NotJson as error:
            raise ProgramFailed(ExecutionFailure(type="not-json", message=str(error))) from None
        except Exception as error:
            raise ProgramFailed(ExecutionFailure(type=type(error).__name__, message=str(error))) from error


def context(config: Any) -> PluginContext:
    """Return what a host gives a plugin at its start."""
    return PluginContext(
        plugin_id="runner",
        config=config,
        log=structlog.get_logger(),
        clock=None,  # pyright: ignore[reportArgumentType] - these runners do not ask for it
        storage=None,  # pyright: ignore[reportArgumentType]
        host_version="0.1.0",
    )


@asynccontextmanager
async def local(programs: Programs) -> Served:
    """Run programs in this process."""
    runner = LocalRunner()
    runner.programs = programs
    yield runner


@asynccontextmanager
async def custom(programs: Programs) -> Served:
    """Run programs with the runner of a user."""
    yield Custom()


@asynccontextmanager
async def fake(programs: Programs) -> Served:
    """Run programs with the runner that tests are given."""
    yield FakeRunner()


@asynccontextmanager
async def valkyrie(programs: Programs) -> Served:
    """Run programs at a worker, over Valkyrie."""
    server = await serve("tcp://127.0.0.1:0", InProcess(programs).handle)
    config = ValkyrieConfig(endpoint=str(server.endpoint))
    runner = ValkyrieRunner(config)
    await runner.start(context(config))
    yield runner
    await runner.stop()
    await server.close()


@asynccontextmanager
async def http(programs: Programs) -> Served:
    """Run programs at a worker, over HTTP."""
    application = web.Application(client_max_size=MAX_BODY)
    application.router.add_post("/run", http_worker(InProcess(programs)))
    served = web.AppRunner(application, handler_cancellation=True)
    await served.setup()
    site = web.TCPSite(served, "127.0.0.1", 0)
    await site.start()
    assert site._server is not None
    port = site._server.sockets[0].getsockname()[1]  # pyright: ignore[reportAttributeAccessIssue]
    config = HttpRunnerConfig(base_url=f"http://127.0.0.1:{port}")
    runner = HttpRunner(config)
    await runner.start(context(config))
    yield runner
    await runner.stop()
    await served.cleanup()


def http_worker(programs: InProcess) -> Callable[[web.Request], Any]:
    """Return the least that docs/reference/http-worker.md asks of a worker."""

    async def run(request: web.Request) -> web.Response:
        asked = json.loads(await request.read())
        try:
            async with asyncio.timeout(asked["deadline_ms"] / 1e3):
                payload = json.dumps(asked["input"]).encode()
                output = await programs.handle(Call(1, asked["program"], "run", asked["deadline_ms"], None, payload))
        except RemoteProgramFailed as error:
            body = {"type": error.type, "message": error.message, "traceback": error.traceback}
            return web.json_response({"error": body})
        except UnknownTarget as error:
            return web.json_response({"error": {"type": "unknown-program", "message": str(error)}}, status=404)
        except (DeadlineExceeded, TimeoutError):
            return web.json_response({"error": {"type": "deadline-exceeded"}}, status=504)
        except CallFailed as error:
            return web.json_response({"error": {"type": error.code}}, status=503)
        return web.Response(body=b'{"output":' + output + b"}", content_type="application/json")

    return run


KINDS: dict[str, Callable[[Programs], AbstractAsyncContextManager[Runner[Any]]]] = {
    "local": local,
    "valkyrie": valkyrie,
    "http": http,
    "custom": custom,
    "fake": fake,
}


@pytest.fixture(params=KINDS)
async def runner(request: pytest.FixtureRequest) -> AsyncIterator[Runner[Any]]:
    """Give each runner in turn."""
    programs = Programs(ProgramSettings(allow=("hotplane.testing.*",)))
    async with KINDS[request.param](programs) as made:
        yield made
    programs.close()
