"""How executions ended: stored as what the record leaves out, read as events."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import text

from hotplane import storage
from hotplane.errors import StorageCorrupt
from hotplane.events.envelope import standard_body
from hotplane.records import EventType, ExecutionFailure, ExecutionStatus, Severity
from hotplane.storage import (
    Addressee,
    Claim,
    Ending,
    EventFilter,
    ExecutionFilter,
    Place,
    StorageSettings,
    Store,
    Tenure,
)
from hotplane.storage.postgres import PostgreSQL
from hotplane.storage.sqlite import SQLite
from hotplane.storage.writes import Write

HOUR = 3_600_000_000


async def claim(store, handler="hook", holder="me", limit=100, now=1):
    """Return what a handler has to deliver."""
    return (await store.deliveries.claim(Claim(handler, holder, limit, now, now + HOUR))).rows


@pytest.mark.parametrize(
    ("status", "kind", "severity"),
    [
        (ExecutionStatus.SUCCESS, EventType.PROGRAM_EXECUTION_COMPLETED, Severity.INFO),
        (ExecutionStatus.ERROR, EventType.PROGRAM_EXECUTION_FAILED, Severity.ERROR),
        (ExecutionStatus.REJECTED, EventType.PROGRAM_EXECUTION_FAILED, Severity.WARNING),
        (ExecutionStatus.CANCELLED, EventType.PROGRAM_EXECUTION_FAILED, Severity.WARNING),
        (ExecutionStatus.INTERRUPTED, EventType.PROGRAM_EXECUTION_FAILED, Severity.WARNING),
        (ExecutionStatus.TIMEOUT, EventType.PROGRAM_EXECUTION_TIMEOUT, Severity.ERROR),
    ],
)
async def test_an_ending_says_what_the_record_says(store, execution, status, kind, severity):
    """Type and severity follow from the status, the time is the end, the place the one behind the record."""
    ran = execution(status=status, latency_ms=1_500.25)
    stored = await store.record(ran, [Ending(ran)])
    (event,) = await store.list_events()
    assert (event.type, event.severity, event.sequence) == (kind, severity, stored.sequence + 1)
    assert (event.task_id, event.execution_id, event.program) == (ran.task_id, ran.id, ran.program)
    assert event.time == ran.started_at + timedelta(milliseconds=1_500.25)
    assert event.payload == {"status": status, "latency_ms": 1_500.25}


async def test_an_ending_tells_why_without_the_traceback(store, execution):
    """An error's type and message are in the event, the program's frames are not."""
    failure = ExecutionFailure(type="ValueError", message="no", traceback="line 1")
    ran = execution(status=ExecutionStatus.ERROR, error=failure)
    await store.record(ran, [Ending(ran)])
    (event,) = await store.list_events()
    assert event.payload["error"] == {"type": "ValueError", "message": "no"}


async def test_an_ending_knows_its_id_before_it_is_stored(store, execution):
    """What is read later has the same id, and so has the delivery."""
    store.addressees = lambda event: (Addressee("hook"),)
    ran = execution()
    await store.record(ran, [Ending(ran)])
    (event,) = await store.list_events()
    (delivery,) = (await store.deliveries.list("hook")).items
    assert event.id == delivery.event_id == Ending(ran).id


async def test_a_rerun_ends_anew(store, execution):
    """Two runs with one id are two events with ids of their own, and both are found by the execution."""
    first = execution()
    again = execution(id=first.id, started_at=first.started_at + timedelta(microseconds=1))
    for each in (first, execution(), again):
        await store.record(each, [Ending(each)])
    found = await store.list_events(EventFilter(execution_id=first.id))
    assert [each.sequence for each in found] == [2, 6]
    assert len({each.id for each in found}) == 2


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, [2, 3, 5]),
        ({"execution_id": "a"}, [2, 3]),
        ({"execution_id": "none"}, []),
        ({"task_id": "ham"}, [5]),
        ({"types": frozenset({EventType.PROGRAM_EXECUTION_COMPLETED})}, [2, 3]),
        ({"severities": frozenset({Severity.ERROR})}, [5]),
    ],
)
async def test_filters_find_endings_like_other_events(store, execution, event, wanted, expected):
    """Forwards and backwards, beside events that are stored whole."""
    good = execution(id="a")
    bad = execution(id="b", task_id="ham", status=ExecutionStatus.ERROR)
    await store.record(good, [Ending(good), event(execution_id="a")])
    await store.record(bad, [Ending(bad)])
    assert [each.sequence for each in await store.list_events(EventFilter(**wanted))] == expected
    backwards = await store.event_log.newest(EventFilter(**wanted), limit=10)
    assert [each.sequence for each in backwards.items] == expected[::-1]


async def test_pages_of_endings_follow_each_other(store, execution):
    """A cursor goes on where the page before ended."""
    for each in [execution() for _ in range(5)]:
        await store.record(each, [Ending(each)])
    first = await store.event_log.newest(limit=3)
    second = await store.event_log.newest(limit=3, cursor=first.next_cursor)
    assert [each.sequence for each in (*first.items, *second.items)] == [10, 8, 6, 4, 2]
    assert second.next_cursor is None


async def test_a_repeated_delivery_sends_the_same_bytes(url, execution):
    """What is claimed again, after a restart too, is the same event to the byte."""
    ran = execution(latency_ms=0.123456, status=ExecutionStatus.ERROR, error=ExecutionFailure(type="E", message="ü"))
    store = await Store.open(StorageSettings(url=url))
    store.addressees = lambda event: (Addressee("hook"),)
    await store.record(ran, [Ending(ran)])
    (first,) = await claim(store)
    await store.close()
    store = await Store.open(StorageSettings(url=url))
    await store.deliveries.reclaim("hook", "me", now=2)
    (second,) = await claim(store, now=3)
    found = await store.deliveries.get("hook", 2)
    await store.close()
    assert found is not None
    assert standard_body(first.event.read()) == standard_body(second.event.read()) == standard_body(found[1])


async def test_a_group_of_any_size_is_stored_whole(store, execution):
    """Hundreds of executions that are committed together have each its record, ending and deliveries, with keys."""
    store.addressees = lambda event: (Addressee("plain"), Addressee("keyed", event.task_id))
    crowd = [execution(id=f"id-{number}", task_id=f"t{number % 3}") for number in range(300)]
    await asyncio.gather(*(store.record(each, [Ending(each)]) for each in crowd))
    events = await store.list_events(limit=1_000)
    assert [each.execution_id for each in events] == [each.id for each in crowd]
    for handler, keys in (("plain", {None}), ("keyed", {"t0", "t1", "t2"})):
        rows = await claim(store, handler, limit=1_000)
        assert sorted(row.sequence for row in rows) == [each.sequence for each in events]
        assert {row.order_key for row in rows} == keys


async def test_a_record_that_cannot_be_stored_has_no_ending(store, execution):
    """Record, ending and delivery are one write: the guilty one leaves nothing behind."""
    store.addressees = lambda event: (Addressee("hook"),)
    crowd = [execution(id="" if number == 7 else f"id-{number}") for number in range(20)]
    await asyncio.gather(*(store.record(each, [Ending(each)]) for each in crowd), return_exceptions=True)
    events = await store.list_events()
    assert [each.execution_id for each in events] == [each.id for each in crowd if each.id]
    assert len(await claim(store)) == 19


async def test_the_item_of_a_batch_ends_right_behind_its_record(store, execution):
    """The result shares the record's place, so that the ending has the next one."""
    place = Place(batch=1, position=0, item_id="i", tenure=Tenure())
    ran = execution()
    stored = await store.record(ran, [Ending(ran)], place=place)
    (event,) = await store.list_events(EventFilter(execution_id=ran.id))
    assert event.sequence == stored.sequence + 1


async def test_listeners_hear_of_endings(store, execution):
    """Streams wake up, and so does the lane of each handler."""
    store.addressees = lambda event: (Addressee("hook"),)
    heard = asyncio.get_running_loop().create_future()
    store.commits.listen(heard.set_result)
    ran = execution()
    await store.record(ran, [Ending(ran)])
    committed = await asyncio.wait_for(heard, 60)  # the thread tells the waiter first
    assert (committed.events, committed.handlers) == (True, frozenset({"hook"}))


async def test_old_endings_go_and_records_stay(store, execution):
    """Retention takes the event with its delivery, not what it refers to."""
    store.addressees = lambda event: (Addressee("hook"),)
    ran = execution()
    await store.record(ran, [Ending(ran)])
    await store.deliveries.prune(after=0, delivered_before=2**62, all_before=2**62)
    assert await store.list_events() == ()
    assert (await store.deliveries.list("hook")).items == ()
    assert await store.count_executions(ExecutionFilter(execution_id=ran.id)) == 1


async def test_an_ending_without_its_record_is_damage(store, execution):
    """Whoever deletes records by hand is told so."""
    ran = execution()
    await store.record(ran, [Ending(ran)])
    await store._writer.write(Write(statements=[text("DELETE FROM hotplane_executions")]))
    with pytest.raises(StorageCorrupt, match="record 1, which is not there"):
        await store.list_events()


async def test_a_store_of_the_revision_before_keeps_its_events(url, execution):
    """Events that were stored whole, and their deliveries, are read as before, and new ones come behind them."""
    _make_0004(url)
    store = await Store.open(StorageSettings(url=url))
    ran = execution(id="old")
    await store.record(ran, [Ending(ran)])
    events = await store.list_events(EventFilter(execution_id="old"))
    (row,) = await claim(store)
    await store.close()
    assert [(each.sequence, each.id) for each in events] == [(2, "e"), (4, Ending(ran).id)]
    assert row.event.read() == events[0]


def _make_0004(url: str) -> None:
    """Make a store as the version before did, with an execution, its event and a delivery."""
    settings = StorageSettings(url=url)
    path = settings.sqlite_path
    database = PostgreSQL(settings) if path is None else SQLite(path, settings)
    config = Config()
    config.set_main_option("script_location", str(storage.__path__[0]) + "/migrations")
    body = (
        b'{"id":"e","type":"program.execution.completed","time":"2026-01-01T00:00:00Z","task_id":"t",'
        b'"execution_id":"old","payload":{}}'
    )
    with database.open_writer() as connection, connection.begin():
        config.attributes["connection"] = connection
        command.upgrade(config, "0004")
        connection.execute(
            text(
                "INSERT INTO hotplane_executions (sequence, id, task_id, status, started_at, sampled, minted, latency,"
                " picked, body) VALUES (1, 'old', 't', 'success', 0, :no, :no, 0, :no, :body)"
            ),
            {"no": False, "body": b"{}"},
        )
        connection.execute(
            text(
                "INSERT INTO hotplane_events (sequence, type, severity, task_id, execution_id, at, body)"
                " VALUES (2, 'program.execution.completed', 'info', 't', 'old', 1, :body)"
            ),
            {"body": body},
        )
        connection.execute(
            text(
                "INSERT INTO hotplane_deliveries (handler, event, state, attempts, due_at, updated_at)"
                " VALUES ('hook', 2, 'pending', 0, 0, 0)"
            )
        )
        connection.execute(text("UPDATE hotplane_counters SET value = 2"))
