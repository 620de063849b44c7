"""Faults around the host itself: a flood of idle connections, callers that go away, the end. Imports the harness."""

from __future__ import annotations

import asyncio
import resource
import socket
import time
from contextlib import ExitStack
from dataclasses import replace

from tests.integration.faults.processes import read_ledger
from tests.integration.faults.results import Result, Seen
from tests.integration.faults.scene import Load, open_host, until
from tests.integration.faults.site import Site
from tests.pace import in_time

__all__ = ["cancelled_in_mid_call", "idle_connections", "stopped_in_mid_call"]

IDLE = 5_000
_SPARE_DESCRIPTORS = 500
LONG_CALLS = 10


async def idle_connections(site: Site) -> Result:
    """Connections are opened to both doors of the worker and left idle; the host has to come through them again."""
    count = min(IDLE, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - _SPARE_DESCRIPTORS)
    with ExitStack() as stack:
        async with site.gated(f"{count} idle connections, and reconnecting") as (load, gate):

            async def fall() -> None:
                gate.cut()

            # Before the fault: opening them may take longer than the calls that are to be in its way.
            await asyncio.to_thread(_open_idle, site, count, stack)
            await load.fault(fall, None, moves=False, hold=0.0)
            await asyncio.sleep(0.3)
    return load.result()


def _open_idle(site: Site, count: int, stack: ExitStack) -> None:
    for number in range(count):
        port = site.worker.http_port if number % 2 else site.worker.port
        stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=60))


async def cancelled_in_mid_call(site: Site) -> Result:
    """Callers go away while their programs run; the worker stops these, and nobody runs them again."""
    async with site.gated("client cancelled in mid-call") as (load, _):
        calls = await _begin_long_calls(load)
        for call in calls:
            call.cancel()
        ended = await asyncio.gather(*calls, return_exceptions=True)
        assert all(isinstance(each, asyncio.CancelledError) for each in ended)
        await until(lambda: len(read_ledger(site.ledger, "cancelled")) == len(calls), "the programs are stopped")
        since = len(load.seen)
        await until(lambda: len(load.seen) > since + 12, "the others go on")
    return load.result()


async def stopped_in_mid_call(site: Site) -> Result:
    """The host is stopped while programs run: within its grace and a second, and the next host repeats nothing."""
    async with site.gate() as gate:
        endpoint, secret = f"tcp://127.0.0.1:{gate.port}", str(site.secret)
        async with open_host(site.folder, endpoint=endpoint, http=site.standby.url, secret_file=secret) as host:
            load = Load(host, site.ledger, "host stopped in mid-call")
            calls = await _begin_long_calls(load)
            began = time.monotonic()
            await host.stop(0.3)
            ended = time.monotonic()
            await asyncio.gather(*calls)
        assert in_time(ended - began, 1.3, ended=ended), f"the stop took {ended - began:.2f} s"
        assert {each.why for each in load.seen} == {"interrupted"}
        began = time.monotonic()
        async with open_host(site.folder, endpoint=endpoint, http=site.standby.url, secret_file=secret) as host:
            load.host = host
            assert await host.store.count_executions() == LONG_CALLS
            back = await load.execute("safe", name="safe-after")
            await asyncio.gather(*(load.execute(task) for task in ("safe", "once") * 5))
    return replace(load.result(), back_ms=(back.ended - began) * 1e3, back_at=back.ended)


async def _begin_long_calls(load: Load) -> list[asyncio.Task[Seen]]:
    calls = [
        asyncio.ensure_future(load.execute(task, 4.0, f"{task}-long-{number}"))
        for task in ("safe", "once")
        for number in range(LONG_CALLS // 2)
    ]
    await until(lambda: sum("long" in name for name in read_ledger(load.ledger)) == LONG_CALLS, "the long calls run")
    return calls
