"""The beat of a host, where its store fails."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from hotplane.errors import StorageUnavailable
from hotplane.execution.batch import keeping, recovery
from hotplane.execution.batch.holding import Holding
from hotplane.execution.batch.keeping import Keeping
from hotplane.execution.batch.recovery import Recovery
from hotplane.log import capture_logs
from hotplane.storage import BatchLease, BatchTotals, StoredBatch


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
    async with asyncio.timeout(20):
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


class Others:
    """A ledger with one batch that its host left, and what becomes of it meanwhile."""

    def __init__(self, *, ended=False, taken=True, items=1, count=1):
        self.leases = self
        self.ended = ended
        self.taken = taken
        self.items = items
        self.deleted = []
        self.claimed = []
        self.left = [BatchLease(number=n, id=f"b{n}", holder=None, lease_until=None) for n in range(1, count + 1)]
        self.at_claim = lambda: None

    async def list(self):
        return tuple(self.left)

    async def renew(self, holder, lease_until):
        return frozenset()

    async def claim(self, lease, holder, lease_until):
        self.claimed.append(lease.number)
        self.at_claim()
        return self.taken

    async def find(self, id):
        body = b"{}"
        return StoredBatch(number=int(id[1:]), id=id, task_id="t", state="running", body=body, ended=self.ended)

    async def totals(self, number):
        return BatchTotals(
            items=self.items, last_position=self.items, open_bytes=0, by_status={}, sampled=0, valid=0, invalid=0,
            last_sequence=0,
        )  # fmt: skip

    async def delete(self, number):
        self.deleted.append(number)


class Tenant(Idle):
    """Somebody who notes what it gets and what it loses."""

    def __init__(self):
        super().__init__()
        self.taken = []
        self.lost = []

    def take_up(self, stored, totals):
        self.taken.append(stored.number)

    def lose(self, number):
        self.lost.append(number)

    def wake(self):
        self.woken += 1


async def test_what_another_host_was_faster_to_claim_is_left_to_it():
    """Nothing of it is run here."""
    ledger, tenant = Others(taken=False), Tenant()
    await Recovery(ledger, Holding(), tenant).look()  # pyright: ignore[reportArgumentType] - what of it is called
    assert (ledger.claimed, tenant.taken) == ([1], [])


async def test_a_host_that_stops_while_it_looks_takes_nothing_more_up():
    """What it has claimed already is left as it is, for the next start; the rest is not claimed."""
    ledger, tenant = Others(count=3), Tenant()

    def stop():
        tenant.halted = True

    ledger.at_claim = stop
    await Recovery(ledger, Holding(), tenant).look()  # pyright: ignore[reportArgumentType] - what of it is called
    assert (ledger.claimed, tenant.taken, ledger.deleted) == ([1], [], [])


@pytest.mark.parametrize(("ended", "lost"), [(True, []), (False, [1])])
async def test_a_lease_that_is_gone_may_have_ended_with_its_batch(ended, lost):
    """Only a batch that another host runs is lost; one whose end was just stored is not."""
    ledger, tenant = Others(ended=ended), Tenant()
    tenant.by_number = {1: SimpleNamespace(id="b1", number=1)}
    await Recovery(ledger, Holding(), tenant).renew()  # pyright: ignore[reportArgumentType] - what of it is called
    assert (tenant.lost, tenant.woken) == (lost, 1)


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
