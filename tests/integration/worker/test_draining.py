"""A worker that drains, and hosts that hear of it late."""

from __future__ import annotations

import asyncio

from hotplane.valkyrie.messages import Call, Error, GoAway
from hotplane.worker import Worker, WorkerSettings
from tests.integration.valkyrie.conftest import RawPeer
from tests.loop_clock import put_forward


async def test_a_call_of_a_host_that_stood_still_is_refused_in_words():
    """What it sent before it read that the worker drains did certainly not run, so that another worker may have it."""
    worker = Worker(WorkerSettings(listen="tcp://127.0.0.1:0", programs=("math",)))
    await worker.start()
    host = RawPeer(*await asyncio.open_connection("127.0.0.1", int(worker.addresses[0].rpartition(":")[2])))
    await host.introduce()
    draining = asyncio.create_task(worker.drain())
    assert isinstance(await host.receive(), GoAway)
    put_forward(2.0)
    await asyncio.sleep(0.01)
    host.send(Call(1, "math:sqrt", "run", 60_000, None, b"4"))
    answer = await host.receive()
    assert isinstance(answer, Error)
    assert (answer.code, answer.may_have_run) == ("shutting-down", False)
    host.writer.close()
    await draining
