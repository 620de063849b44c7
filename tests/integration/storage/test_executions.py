"""What holds for records and events in a store of either kind."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

import pytest

from hotplane.errors import Invalid, InvalidCursor, ShuttingDown, StorageError, UnknownExecution
from hotplane.log import capture_logs
from hotplane.records import EventType, ExecutionStatus, SamplingDecision, Severity, now
from hotplane.storage import EventFilter, ExecutionFilter, StorageSettings, Store


async def test_a_record_comes_back_as_it_was_stored(store, execution):
    """What `record` returns is what can be read again."""
    output = {"text": "nul \0, snowman ☃", "big": 2**64 - 1, "small": -(2**63), "list": [1.5, None, True]}
    recorded = await store.record(execution(output=output, expected=None, latency_ms=1.25))
    assert await store.get_execution(recorded.id) == recorded
    assert recorded.sequence == 1


async def test_records_that_were_stored_are_there_after_reopening(url, execution):
    """Closing and opening a store loses nothing."""
    store = await Store.open(StorageSettings(url=url))
    recorded = [await store.record(execution()) for _ in range(3)]
    await store.close()
    store = await Store.open(StorageSettings(url=url))
    page = await store.list_executions()
    await store.close()
    assert list(page.items) == recorded[::-1]


async def test_many_records_at_once_share_commits(store, execution):
    """A thousand concurrent records are stored, each with its own place in the order, in far fewer commits."""
    recorded = await asyncio.gather(*(store.record(execution()) for _ in range(1_000)))
    assert sorted(each.sequence for each in recorded) == list(range(1, 1_001))
    assert await store.count_executions() == 1_000
    assert store.stats().commits < 200
    assert store.depth == 0


async def test_a_loop_that_is_never_idle_has_its_records_stored(store, execution):
    """A group waits for the loop to have nothing else to do, but not for long."""
    recording = asyncio.create_task(store.record(execution()))
    async with asyncio.timeout(60):
        while not recording.done():
            time.sleep(0.0005)  # noqa: ASYNC251 - the loop is to be busy
            await asyncio.sleep(0)
    assert recording.result().sequence == 1


async def test_the_newest_execution_comes_first(store, execution):
    """A list is in the order of storing, newest first, whatever the ids and times say."""
    for number in range(3):
        await store.record(execution(id=f"id-{9 - number}", started_at=now() - timedelta(days=number)))
    assert [each.id for each in (await store.list_executions()).items] == ["id-7", "id-8", "id-9"]


async def test_pages_join_without_gap_or_repetition(store, execution):
    """Following the cursors shows every execution once, also while new ones are stored."""
    for _ in range(7):
        await store.record(execution())
    seen, cursor = [], None
    while True:
        page = await store.list_executions(limit=3, cursor=cursor)
        seen += [each.sequence for each in page.items]
        await store.record(execution())
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == [7, 6, 5, 4, 3, 2, 1]


async def test_a_last_page_that_is_full_has_no_successor(store, execution):
    """There is no cursor to an empty page."""
    for _ in range(2):
        await store.record(execution())
    assert (await store.list_executions(limit=2)).next_cursor is None


async def test_a_foreign_cursor_is_refused(store):
    """A cursor that the store did not give out is an error, not the first page."""
    with pytest.raises(InvalidCursor):
        await store.list_executions(cursor="AAAA")


@pytest.mark.parametrize("limit", [0, -1, 1_001])
async def test_a_page_has_one_to_a_thousand_rows(store, limit):
    """A limit out of range is refused."""
    with pytest.raises(Invalid):
        await store.list_executions(limit=limit)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"task_id": "b"}, ["2"]),
        ({"execution_id": "3"}, ["3"]),
        ({"status": ExecutionStatus.ERROR}, ["4"]),
        ({"sampled": True}, ["1", "3"]),
        ({"sampled": False}, ["2", "4"]),
        ({"valid": True}, ["1"]),
        ({"valid": False}, ["3"]),
        ({"valid": "unjudged"}, ["2", "4"]),
        ({"sampled": True, "valid": False}, ["3"]),
        ({"sampled": False, "valid": True}, []),
    ],
)
async def test_a_filter_keeps_what_it_describes(store, execution, wanted, expected):
    """Every condition of a filter has to hold."""
    sampled = SamplingDecision(sampled=True)
    await store.record(execution(id="1", task_id="a", sampling=sampled, valid=True))
    await store.record(execution(id="2", task_id="b", sampling=SamplingDecision(sampled=False)))
    await store.record(execution(id="3", task_id="a", sampling=sampled, valid=False))
    await store.record(execution(id="4", task_id="a", status=ExecutionStatus.ERROR))
    described = ExecutionFilter(**wanted)
    assert sorted(each.id for each in (await store.list_executions(described)).items) == expected
    assert await store.count_executions(described) == len(expected)


async def test_a_time_filter_includes_its_start_and_excludes_its_end(store, execution):
    """Adjoining periods share no execution."""
    start = now()
    for microsecond in range(3):
        await store.record(execution(id=str(microsecond), started_at=start + timedelta(microseconds=microsecond)))
    wanted = ExecutionFilter(started_from=start, started_to=start + timedelta(microseconds=2))
    assert [each.id for each in (await store.list_executions(wanted)).items] == ["1", "0"]


async def test_a_rerun_keeps_its_id_and_the_newest_run_is_found(store, execution):
    """Ids are not unique: the last run with an id is the one that is shown."""
    first = await store.record(execution(id="again", output=1))
    second = await store.record(first)
    assert second.sequence == 2
    assert (await store.get_execution("again")).sequence == 2
    assert await store.count_executions(ExecutionFilter(execution_id="again")) == 2


async def test_an_unknown_execution_is_an_error(store):
    """Asking for an id that no execution has raises."""
    with pytest.raises(UnknownExecution, match="nobody"):
        await store.get_execution("nobody")


async def test_a_store_knows_which_ids_a_host_minted(store, execution):
    """An id counts as minted only when it was stored so."""
    minted = await store.record(execution(minted=True))
    given = await store.record(execution(minted=False))
    assert await store.is_minted(minted.id)
    assert not await store.is_minted(given.id)
    assert not await store.is_minted("unknown")


async def test_events_are_stored_with_their_record(store, execution, event):
    """A record and its events have one commit and one order."""
    ran = execution()
    await store.record(ran, [event(execution_id=ran.id), event(execution_id=ran.id, severity=Severity.ERROR)])
    await store.append_events([event(type=EventType.TASK_CREATED, payload={"by": "api"})])
    events = await store.list_events()
    assert [each.sequence for each in events] == [2, 3, 4]
    assert events[2].payload == {"by": "api"}


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, [1, 2, 3]),
        ({"types": frozenset({EventType.TASK_CREATED, EventType.TASK_DELETED})}, [2, 3]),
        ({"severities": frozenset({Severity.CRITICAL})}, [3]),
        ({"task_id": "b"}, [2]),
        ({"execution_id": "x"}, [1]),
    ],
)
async def test_an_event_filter_keeps_what_it_describes(store, event, wanted, expected):
    """Every condition of an event filter has to hold, and the order is ascending."""
    await store.append_events(
        [
            event(task_id="a", execution_id="x"),
            event(type=EventType.TASK_CREATED, task_id="b"),
            event(type=EventType.TASK_DELETED, severity=Severity.CRITICAL),
        ]
    )
    assert [each.sequence for each in await store.list_events(EventFilter(**wanted))] == expected


async def test_a_reader_goes_on_after_the_last_event_it_saw(store, event):
    """`after` and `limit` walk through the events."""
    await store.append_events([event() for _ in range(5)])
    assert [each.sequence for each in await store.list_events(after=2, limit=2)] == [3, 4]


async def test_a_record_that_cannot_be_stored_fails_alone(store, execution):
    """One guilty record in a crowd gets its error, and all others are stored."""
    crowd = [execution() for _ in range(60)]
    crowd[17] = execution(id="")
    outcomes = await asyncio.gather(*(store.record(each) for each in crowd), return_exceptions=True)
    failed = [number for number, outcome in enumerate(outcomes) if isinstance(outcome, Exception)]
    assert failed == [17]
    assert isinstance(outcomes[17], StorageError)
    assert await store.count_executions() == 59
    assert store.stats().refused == 1


async def test_a_record_that_cannot_be_encoded_reaches_no_group(store, execution):
    """What is not JSON is refused before it is queued."""
    with pytest.raises(TypeError):
        await store.record(execution(output=object()))
    assert store.stats().refused == 0


async def test_a_cancelled_caller_changes_nothing(store, execution):
    """What was queued is stored although nobody waits any more, and the store works on."""
    tasks = [asyncio.create_task(store.record(execution())) for _ in range(50)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert sum(isinstance(each, asyncio.CancelledError) for each in outcomes) == 25
    await store.record(execution())
    assert await store.count_executions() == 51


async def test_what_is_queued_is_stored_before_the_store_closes(url, execution):
    """Closing flushes what nobody waits for."""
    store = await Store.open(StorageSettings(url=url))
    for _ in range(300):
        store.record_soon(execution())
    await store.close()
    store = await Store.open(StorageSettings(url=url))
    stored = await store.count_executions()
    await store.close()
    assert stored == 300


async def test_a_failure_that_nobody_waits_for_is_logged(store, execution):
    """`record_soon` reports in the log."""
    with capture_logs() as logs:
        store.record_soon(execution(id=""))
        await store.record(execution())
    assert [entry["event"] for entry in logs] == ["a write without a waiter was not stored"]


async def test_a_closed_store_takes_and_gives_nothing(store, execution):
    """After closing, writes and reads say so instead of waiting for ever, and closing again is harmless."""
    await store.close()
    await store.close()
    with pytest.raises(ShuttingDown):
        await store.record(execution())
    with pytest.raises(ShuttingDown):
        await store.list_executions()
    with capture_logs() as logs:
        store.record_soon(execution())
    assert len(logs) == 1


async def test_a_reader_misses_nothing_while_several_hosts_write(url, event):
    """Sequences become visible in order: a tail that goes on after its last one sees every event."""
    hosts = [await Store.open(StorageSettings(url=url, group_limit=3)) for _ in range(3)]

    async def write(host: Store) -> None:
        for _ in range(20):
            await asyncio.gather(*(host.append_events([event()]) for _ in range(5)))

    writing = asyncio.gather(*map(write, hosts))
    seen: list[object] = []
    while len(seen) < 300:
        done = writing.done()
        fresh = await hosts[0].list_events(after=len(seen))
        seen += [each.sequence for each in fresh]
        assert fresh or not done, "the tail missed events"
    await writing
    assert seen == list(range(1, 301))
    for host in hosts:
        await host.close()
