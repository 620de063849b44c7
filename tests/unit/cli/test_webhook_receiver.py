"""The receiver behind `hotplane webhooks listen`, asked as by a host."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import aiohttp
import pytest

from hotplane.cli.webhook_receiver import Behaviour, Receiver


async def test_the_first_requests_fail_however_many_come_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    """Those that come while an answer waits are not the first ones any more."""
    receiver = Receiver((), Behaviour(fail=3, delay=0.2))
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(receiver.serve("127.0.0.1", 0, on_ready=ready.set_result))
    async with aiohttp.ClientSession() as client:

        async def ask() -> int:
            async with client.post(await ready, data=b"{}") as answer:
                return answer.status

        statuses = await asyncio.gather(*(ask() for _ in range(8)))
    serving.cancel()
    with suppress(asyncio.CancelledError):
        await serving
    assert sorted(statuses) == [200] * 5 + [500] * 3
    assert capsys.readouterr().out.count("answered 500") == 3
