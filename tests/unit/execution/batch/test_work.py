"""What becomes of an item, whatever becomes of its execution and of the store."""

from __future__ import annotations

import asyncio
from collections import Counter
from functools import partial

import pytest

from hotplane.errors import (
    BatchElsewhere,
    HotplaneError,
    InputRejected,
    Invalid,
    OutputRejected,
    Overloaded,
    ShuttingDown,
    StorageError,
    StorageUnavailable,
    UnknownTask,
)
from hotplane.execution.batch import BatchOptions, BatchState, NewItem, patience
from hotplane.execution.batch.live import LiveBatch
from hotplane.execution.batch.scheduler import Scheduler
from hotplane.execution.batch.stored import BatchRecord, encode_item, to_result
from hotplane.execution.batch.work import Work
from hotplane.execution.recording import NotStored
from hotplane.identity import new_id
from hotplane.log import capture_logs
from hotplane.records import Execution, ExecutionStatus, now
from hotplane.storage import StoredResult

AWAY = StorageUnavailable("the store", "it is away")
REFUSED = StorageError("it cannot be written")


def executed(value, sequence=1):
    """Return the record of an item that ran."""
    return Execution(
        id=new_id(), task_id="t", program="p", status=ExecutionStatus.SUCCESS, input=value, started_at=now(),
        sequence=sequence,
    )  # fmt: skip


def unstored(error):
    """Return that an item ran, and that its record was not taken."""
    return NotStored(executed(0), (), error)


class Store:
    """A ledger and a place for records, in memory; both refuse as they are told to."""

    def __init__(self, count):
        self.items_ = [encode_item(NewItem(position=n, item_id=f"i{n}", input=n)) for n in range(1, count + 1)]
        self.results = {}
        self.refusals = []
        """What the next writes of results are refused with."""
        self.recorded = []
        self.record_refusals = []
        self.stored_after_all = set()

    async def items(self, number, *, after, limit, max_bytes):
        return tuple(item for item in self.items_ if item.position > after)[:limit]

    async def start(self, number, positions): ...
    async def unstart(self, number, positions): ...

    async def add_results(self, number, results):
        if self.refusals:
            raise self.refusals.pop(0)
        self.results.update((result.position, result) for result in results)

    async def has_position(self, number, position):
        return position in self.stored_after_all

    async def record(self, execution, events, *, limit, place):
        if self.record_refusals:
            raise self.record_refusals.pop(0)
        self.recorded.append(place.position)
        return execution

    def record_soon(self, execution, events, *, place):
        self.recorded.append(place.position)

    def problem(self, position):
        """Return status and problem of a result."""
        row = self.results[position]
        stored = StoredResult(
            sequence=1, position=position, status=row.status, sampled=False, valid=None, body=row.body, record=None
        )
        error = to_result(stored).error
        return row.status, error and error.type


class Bench:
    """A batch, and a pipeline that does with an item what the test says, once; then it succeeds."""

    def __init__(self, count, **options):
        self.store = Store(count)
        self.outcomes = {}
        self.ran = Counter()
        self.relieved = 0
        self.scheduler = Scheduler(slice_seconds=3_600)  # what may begin begins together
        record = BatchRecord(options=BatchOptions(id="b", task_id="t", **options), created_at=now(), sealed=True)
        self.live = live = LiveBatch(
            7, record, BatchState.RUNNING, self.store, guarded=lambda: False, held=lambda: True, results=Counter()
        )
        self.work = Work(
            pipeline=self,  # pyright: ignore[reportArgumentType] - the one method that is called
            plan=self.plan,
            records=self.store,
            ledger=self.store,
            relieve=self.relieve,
            places=lambda _: None,
        )
        live.lane = self.scheduler.open(
            live.feed, partial(self.work.run, live), concurrency=record.options.max_concurrency, priority=0
        )
        live.feed.wake, live.feed.finished = live.lane.wake, live.lane.close

    def plan(self, task_id):
        if "plan" in self.outcomes:
            raise self.outcomes["plan"]
        return task_id

    def relieve(self, live, size):
        self.relieved += 1

    async def execute(self, plan, value, **given):
        self.ran[value] += 1
        await asyncio.sleep(0)
        outcome = self.outcomes.pop(value, None)
        if outcome is not None:
            raise outcome
        return executed(value)

    def begin(self):
        """Let the items run."""
        self.live.feed.grow(len(self.store.items_))
        self.live.feed.seal()

    async def end(self):
        """Let the items run, and wait for the end."""
        self.begin()
        async with asyncio.timeout(30):
            await self.live.lane.join()

    @property
    def counts(self):
        counts = self.live.tally.counts()
        return {name: getattr(counts, name) for name in counts.__struct_fields__ if getattr(counts, name)}


@pytest.fixture(autouse=True)
def impatience(monkeypatch):
    """Let what is tried again be tried soon."""
    monkeypatch.setattr(patience, "_FIRST", 0.001)


async def until(condition):
    """Wait until something holds."""
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0)


async def test_a_mistake_of_the_host_is_the_items_result():
    """The batch does not wait for ever; the log has what happened, the result does not."""
    bench = Bench(3)
    bench.outcomes[2] = RuntimeError("password=hunter2")
    with capture_logs() as logs:
        await bench.end()
    assert bench.counts == {"succeeded": 2, "failed": 1}
    assert bench.store.problem(2) == ("error", "hotplane-error")
    assert b"hunter2" not in bench.store.results[2].body
    assert [entry["position"] for entry in logs] == [2]


@pytest.mark.parametrize(
    ("error", "status"),
    [(HotplaneError("odd"), "error"), (Invalid("not like that"), "rejected")],
)
async def test_what_was_refused_before_it_ran_has_a_result_of_its_own(error, status):
    """No record tells of it, so that the ledger has to."""
    bench = Bench(2)
    bench.outcomes[1] = error
    await bench.end()
    assert bench.store.problem(1) == (status, error.code)
    assert bench.relieved == 2


async def test_a_task_that_is_gone_fails_every_item():
    """Nothing runs, and the batch ends."""
    bench = Bench(3)
    bench.outcomes["plan"] = UnknownTask("t", ())
    await bench.end()
    assert (bench.counts, bench.ran) == ({"failed": 3}, {})
    assert bench.store.problem(1) == ("error", "unknown-task")


async def test_what_was_rejected_after_it_ran_is_counted_only():
    """Its record has its result, and its verdict."""
    bench = Bench(3)
    bench.outcomes[1] = InputRejected("t", (), "e1")
    bench.outcomes[2] = OutputRejected("t", (), "e2", sampled=True, valid=False)
    await bench.end()
    assert bench.store.results == {}
    assert bench.counts == {"succeeded": 1, "rejected": 2, "sampled": 1, "invalid": 1}


async def test_a_host_that_closes_gives_the_item_back():
    """It did not run, has no result, and is the next that will."""
    bench = Bench(2, max_concurrency=1)
    bench.outcomes[1] = ShuttingDown()
    bench.begin()
    await until(lambda: bench.ran[1] == 1)
    bench.scheduler.halt()
    await until(lambda: not bench.live.lane.workers)
    assert (bench.store.results, bench.counts) == ({}, {})
    assert len(bench.live.feed) == 2


async def test_items_that_are_refused_together_hold_the_batch_once(monkeypatch):
    """Those that ran beside the first are no further reason; afterwards all succeed."""
    monkeypatch.setattr(patience, "_FIRST", 1_800)
    monkeypatch.setattr(patience, "_LONGEST", 86_400)
    bench = Bench(3, max_concurrency=3)
    for value in (1, 2, 3):
        bench.outcomes[value] = Overloaded("The host", 1, "execution.max_in_flight")
    bench.begin()
    await until(lambda: bench.live.lane.held and not bench.live.lane.workers)
    assert next(bench.live.delays) == 3_600  # the second: one wait was taken
    bench.live.lane.release()
    async with asyncio.timeout(30):
        await bench.live.lane.join()
    assert (bench.counts, bench.live.problem) == ({"succeeded": 3}, None)


async def test_a_record_waits_for_its_store():
    """What ran is not run again, and is stored as soon as it can be."""
    bench = Bench(1)
    bench.outcomes[1] = unstored(AWAY)
    bench.store.record_refusals = [AWAY, AWAY]
    await bench.end()
    assert (bench.ran[1], bench.store.recorded, bench.counts) == (1, [1], {"succeeded": 1})


async def test_a_record_that_waits_is_kept_when_the_batch_is_cancelled():
    """It ran, and that must not be forgotten."""
    bench = Bench(1)
    bench.outcomes[1] = unstored(AWAY)
    bench.store.record_refusals = [AWAY] * 1_000
    bench.begin()
    await until(lambda: bench.live.problem is not None)
    bench.live.stop(BatchState.CANCELLED)
    await until(lambda: not bench.live.lane.workers)
    assert (bench.ran[1], bench.store.recorded, bench.counts) == (1, [1], {})


async def test_a_store_that_closes_ends_the_waiting():
    """No result is invented; the next start finds the item as it was."""
    bench = Bench(1)
    bench.outcomes[1] = unstored(AWAY)
    bench.store.record_refusals = [ShuttingDown()]
    bench.begin()
    await until(lambda: bench.ran[1] and not bench.live.lane.workers)
    assert (bench.store.results, bench.store.recorded, bench.counts) == ({}, [], {})


@pytest.mark.parametrize("stored", [True, False])
async def test_a_record_that_is_refused_may_be_there_already(stored):
    """A commit whose answer was lost counts; only what was not stored is a failure, with the store's reason."""
    bench = Bench(1)
    bench.outcomes[1] = unstored(AWAY)
    bench.store.record_refusals = [REFUSED]
    bench.store.stored_after_all = {1} if stored else set()
    await bench.end()
    assert bench.counts == ({"succeeded": 1} if stored else {"failed": 1})
    assert bench.store.results == {} if stored else bench.store.problem(1) == ("error", REFUSED.code)


async def test_a_result_that_is_refused_is_there_already():
    """The batch goes on to its end, and the log tells."""
    bench = Bench(1)
    bench.outcomes[1] = HotplaneError("odd")
    bench.store.refusals = [REFUSED]
    with capture_logs() as logs:
        await bench.end()
    assert bench.counts == {"failed": 1}
    assert [entry["why"] for entry in logs] == [str(REFUSED)]


async def test_a_result_of_a_batch_that_is_elsewhere_is_not_counted():
    """The other host gives the item its result."""
    bench = Bench(1)
    bench.outcomes[1] = HotplaneError("odd")
    bench.store.refusals = [BatchElsewhere("b", "another")]
    bench.begin()
    await until(lambda: bench.ran[1] and not bench.live.lane.workers)
    assert (bench.counts, bench.relieved) == ({}, 0)
