"""The beat of a host, where its store fails."""

from __future__ import annotations

import asyncio

import pytest

from hotplane.errors import StorageUnavailable
from hotplane.execution.batch import keeping, recovery
from hotplane.execution.batch.holding import Holding
from hotplane.execution.batch.keeping import Keeping
from hotplane.execution.batch.recovery import Recovery
from hotplane.log import capture_logs


class Away:
    """A ledger that is away for some calls, and then has nothing to do."""

    def __init__(self, failures=0):
        self.failures = failures
        self.calls = 0
        self.released = 0
        self.leases = self

    def _answer(self):
        self.calls += 1
        if self.failures:
            self.failures -= 1
            raise StorageUnavailable("the store", "it is away")
        return ()

    async def list(self):
        return self._answer()

    async def spent(self):
        return self._answer()

    async def expired(self, before):
        return ()

    async def release(self, holder):
        self.released += 1


class Idle:
    """Somebody who runs no batches."""

    halted = False

    def __init__(self):
        self.by_number = {}
        self.woken = 0


async def until(condition):
    """Wait until something holds."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.001)


async def test_a_beat_that_fails_is_made_up_for_soon(monkeypatch):
    """It is told, and does not end the beat: the leases would run out."""
    monkeypatch.setattr(recovery, "_BEAT_SECONDS", 0.01)
    monkeypatch.setattr(recovery, "_AFTER_FAILURE_SECONDS", 0.001)
    ledger = Away()
    beat = Recovery(ledger, Holding(), Idle())  # pyright: ignore[reportArgumentType] - what of them is called
    await beat.start()
    ledger.failures, before = 2, ledger.calls
    with capture_logs() as logs:
        await until(lambda: ledger.calls > before + 4)
        await beat.stop()
    assert len(logs) == 2
    assert "it is away" in logs[0]["error"]


async def test_a_host_that_did_not_come_up_gives_back_what_it_had():
    """Its end needs no beat."""
    ledger = Away(failures=1)
    beat = Recovery(ledger, Holding(), Idle())  # pyright: ignore[reportArgumentType] - what of them is called
    with pytest.raises(StorageUnavailable):
        await beat.start()
    await beat.stop()
    await beat.close()
    assert ledger.released == 1


async def test_tidying_that_fails_is_tried_again(monkeypatch):
    """It is told, and the next hour comes all the same; ending it twice, or before it began, does no harm."""
    monkeypatch.setattr(keeping, "_INTERVAL", 0.001)
    ledger = Away(failures=2)
    tidying = Keeping(ledger, 30)  # pyright: ignore[reportArgumentType] - what of it is called
    await tidying.close()
    with capture_logs() as logs:
        tidying.start()
        await until(lambda: ledger.calls > 4)
    for _ in range(2):
        await tidying.close()
    assert len(logs) == 2
