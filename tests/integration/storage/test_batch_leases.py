"""Leases on batches, on a database of either kind."""

from __future__ import annotations

import asyncio

import pytest

from hotplane.errors import BatchElsewhere
from hotplane.records import Event, EventType, Severity, now
from hotplane.storage import BatchLease, Place, StoredItem, Tenure


def _held(store, holder, lost=None):
    return store.ledger.held_by(holder, [].append if lost is None else lost.append)


async def _made(store, holder="first", id="b"):
    return await _held(store, holder).create(id, "task", "running", b"{}", lease_until=10)


async def _lease(store):
    (lease,) = await store.ledger.leases.list()
    return lease


async def test_a_new_batch_is_its_makers(store):
    """The row says so from the first commit on."""
    number = await _made(store)
    assert await _lease(store) == BatchLease(number=number, id="b", holder="first", lease_until=10)


async def test_one_of_two_takes_a_batch_over(store):
    """Both saw the same lease; the second one finds it changed."""
    number = await _made(store)
    leases, seen = store.ledger.leases, await _lease(store)
    assert await leases.claim(seen, "second", 20)
    assert not await leases.claim(seen, "third", 30)
    assert await _lease(store) == BatchLease(number=number, id="b", holder="second", lease_until=20)


async def test_a_lease_that_was_renewed_cannot_be_claimed(store):
    """Who claims has seen an old one."""
    await _made(store)
    leases, seen = store.ledger.leases, await _lease(store)
    await leases.renew("first", 15)
    assert not await leases.claim(seen, "second", 20)


async def test_a_renewal_tells_what_is_still_held(store):
    """One statement for all batches of a holder, and for nobody else's."""
    one, _, two = await _made(store, id="1"), await _made(store, "second", id="2"), await _made(store, id="3")
    assert await store.ledger.leases.renew("first", 99) == {one, two}
    assert [each.lease_until for each in await store.ledger.leases.list()] == [99, 10, 99]


async def test_what_was_given_back_has_no_holder(store):
    """Anybody may claim it."""
    await _made(store)
    await store.ledger.leases.release("first")
    seen = await _lease(store)
    assert (seen.holder, seen.lease_until) == (None, None)
    assert await store.ledger.leases.claim(seen, "second", 20)


@pytest.mark.parametrize("step", ["put", "append", "start", "unstart", "add_results", "finish"])
async def test_who_lost_a_batch_writes_nothing_for_it(store, step):
    """Every write is refused as a whole, and the one who lost it is told."""
    number = await _made(store)
    lost: list[int] = []
    ledger = _held(store, "first", lost)
    await ledger.append(number, [StoredItem(position=1, body=b"{}")])
    await store.ledger.leases.claim(await _lease(store), "second", 20)
    event = Event(id="e", type=EventType.BATCH_FINISHED, time=now(), severity=Severity.INFO)
    arguments = {
        "put": ("paused", b"[]"),
        "append": ([StoredItem(position=2, body=b"{}")],),
        "start": ([1],),
        "unstart": ([1],),
        "add_results": ([],),
        "finish": ("completed", b"[]", now(), event),
    }
    with pytest.raises(BatchElsewhere):
        await getattr(ledger, step)(number, *arguments[step])
    found = await ledger.find("b")
    assert (lost, found.state, found.body, found.ended) == ([number], "running", b"{}", False)
    assert (await ledger.totals(number)).items == 1
    assert await ledger.started(number, limit=10) == ()
    assert await store.list_events() == ()


async def test_others_of_the_same_commit_are_stored(store):
    """A refusal concerns one write."""
    number, other = await _made(store), await _made(store, id="other")
    await store.ledger.leases.claim((await store.ledger.leases.list())[0], "second", 20)
    ledger = _held(store, "first")
    items = [StoredItem(position=1, body=b"{}")]
    refused, stored = await asyncio.gather(
        ledger.append(number, items), ledger.append(other, items), return_exceptions=True
    )
    assert isinstance(refused, BatchElsewhere)
    assert not isinstance(stored, BaseException)
    assert [(await ledger.totals(each)).items for each in (number, other)] == [0, 1]


async def test_a_record_of_a_lost_batch_is_no_result_of_it(store, execution):
    """What ran is known; the batch is another host's."""
    number = await _made(store)
    tenure = Tenure()
    place = Place(batch=number, position=1, item_id="1", tenure=tenure)
    tenure.over = True
    stored = await store.record(execution(), place=place)
    assert await store.ledger.results(number, after=0, limit=10) == ()
    assert (await store.get_execution(stored.id)).id == stored.id
