"""Batches of a whole host, on SQLite and PostgreSQL."""

from __future__ import annotations

import asyncio

import pytest

from hotplane import PluginMetadata, Validator
from hotplane.errors import (
    BatchEnded,
    BatchNotEnded,
    BatchTooLarge,
    EmptyBatch,
    Invalid,
    InvalidCursor,
    Overloaded,
    UnknownBatch,
    UnknownTask,
)
from hotplane.execution.batch import BatchOptions, BatchState, Candidate, ItemProblem, NewItem
from hotplane.records import EventType, ExecutionStatus, now
from hotplane.storage import EventFilter
from tests.integration.batch.conftest import items, submit, until


async def test_every_item_has_its_result(host):
    """A batch of 1 500 ends with 1 500 results, each with its record, in ledger order."""
    made = await submit(host, "echo", 1_500)
    ended = await host.batches.wait(made.id, 60)
    assert (ended.state, ended.items, ended.done) == (BatchState.COMPLETED, 1_500, 1_500)
    assert ended.counts.succeeded == ended.counts.sampled == ended.counts.valid == 1_500
    results = [*await host.batches.results(made.id)]
    results += await host.batches.results(made.id, after=results[-1].sequence)
    assert sorted(result.position for result in results) == list(range(1, 1_501))
    assert all(result.output == result.position for result in results)
    assert [result.sequence for result in results] == sorted({result.sequence for result in results})
    record = await host.store.get_execution(results[7].execution_id)
    assert record.sequence == results[7].sequence


async def test_items_run_while_more_are_added(host, module):
    """The first item has its result before the batch is sealed."""
    made = await host.batches.create(BatchOptions(task_id="echo"))
    await host.batches.add(made.id, items(1))
    seen = await host.batches.changed(made.id, 0, 60)
    assert (seen.state, seen.done) == (BatchState.RECEIVING, 1)
    await host.batches.add(made.id, items(1, first=2))
    await host.batches.seal(made.id)
    assert (await host.batches.wait(made.id, 60)).done == 2


async def test_failures_are_counted_apart(host):
    """An item that fails does not keep the others."""
    made = await submit(host, "odd_ones_fail", 10)
    ended = await host.batches.wait(made.id, 60)
    assert (ended.counts.succeeded, ended.counts.failed) == (5, 5)
    failed = [each for each in await host.batches.results(made.id) if each.status is ExecutionStatus.ERROR]
    assert {each.error.type for each in failed} == {"ValueError"}


async def test_an_item_that_is_none_is_rejected(host):
    """A malformed line has a result with its problem; the others run."""
    made = await host.batches.create(BatchOptions(task_id="echo"))
    broken = NewItem(position=2, item_id="2", problem=ItemProblem(type="malformed-item", message="line 2 is no JSON"))
    await host.batches.add(made.id, [*items(1), broken, *items(1, first=3)])
    await host.batches.seal(made.id)
    ended = await host.batches.wait(made.id, 60)
    assert (ended.items, ended.counts.succeeded, ended.counts.rejected) == (3, 2, 1)
    [rejected] = [each for each in await host.batches.results(made.id) if each.position == 2]
    assert rejected.error == broken.problem
    assert rejected.execution_id is None


async def test_the_first_failure_stops_the_batch(host, module):
    """What remains counts as cancelled, and is not run."""
    made = await submit(host, "odd_ones_fail", 500, max_concurrency=1, stop_on_first_error=True)
    ended = await host.batches.wait(made.id, 60)
    assert ended.state is BatchState.STOPPED
    assert (ended.counts.failed, ended.counts.cancelled) == (1, 499)
    assert module().ran == [1]


async def test_a_paused_batch_starts_nothing(host, module):
    """What runs finishes; the rest waits for the resume."""
    made = await submit(host, "gated", 20, max_concurrency=4)
    await until(lambda: len(module().ran) == 4)
    assert (await host.batches.pause(made.id)).state is BatchState.PAUSED
    module().opened.set()
    while (seen := await host.batches.get(made.id)).done < 4:
        await host.batches.changed(made.id, seen.last_sequence, 5)
    assert len(module().ran) == 4
    assert (await host.batches.resume(made.id)).state is BatchState.RUNNING
    assert (await host.batches.wait(made.id, 60)).counts.succeeded == 20


async def test_cancelling_reaches_what_runs_and_what_waits(host, module):
    """Every item has a result, and nobody may add any more."""
    made = await host.batches.create(BatchOptions(task_id="gated", max_concurrency=4))
    await host.batches.add(made.id, items(700))
    await until(lambda: len(module().ran) == 4)
    assert (await host.batches.cancel(made.id)).state is BatchState.CANCELLING
    with pytest.raises(BatchEnded):
        await host.batches.add(made.id, items(1, first=701))
    ended = await host.batches.wait(made.id, 60)
    assert (ended.state, ended.counts.cancelled, ended.items) == (BatchState.CANCELLED, 700, 700)
    assert (await host.batches.cancel(made.id)).state is BatchState.CANCELLED


async def test_an_item_that_hangs_meets_its_deadline(host):
    """The others go on beside it."""
    made = await host.batches.create(BatchOptions(task_id="hang_on_three", item_timeout_ms=300, max_concurrency=2))
    own = [None if n == 3 else 60_000 for n in range(1, 51)]
    new = [NewItem(position=n, item_id=str(n), input=n, timeout_ms=each) for n, each in enumerate(own, 1)]
    await host.batches.add(made.id, new)
    await host.batches.seal(made.id)
    ended = await host.batches.wait(made.id, 60)
    assert (ended.counts.succeeded, ended.counts.timed_out) == (49, 1)


async def test_a_validator_that_raises_leaves_items_unjudged(build):
    """The items succeed, and nobody knows whether they are right."""

    class Raising(Validator):
        metadata = PluginMetadata(name="raising", version="1")

        async def validate(self, execution, context):
            raise RuntimeError("broken")

    host = build(plugins={"samplers": [{"name": "percentage-sampler"}], "call_timeout_ms": 60_000})
    host.register(Raising)
    async with host:
        made = await submit(host, "echo", 10)
        ended = await host.batches.wait(made.id, 60)
        assert (ended.counts.succeeded, ended.counts.sampled) == (10, 10)
        assert (ended.counts.valid, ended.counts.invalid) == (0, 0)
        assert {result.valid for result in await host.batches.results(made.id)} == {None}


async def test_an_item_can_ask_to_be_sampled(build, programs):
    """It is, whatever the samplers say; the others are not."""
    task = {"id": "seldom", "program": f"{programs}:echo", "idempotent": True, "sampling_rate": 0.0}
    async with build(tasks=[task]) as host:
        made = await host.batches.create(BatchOptions(task_id="seldom"))
        asked = [NewItem(position=n, item_id=str(n), input=n, sample=n == 2) for n in (1, 2, 3)]
        await host.batches.add(made.id, asked)
        await host.batches.seal(made.id)
        await host.batches.wait(made.id, 60)
        results = await host.batches.results(made.id)
    assert {result.position: result.sampled for result in results} == {1: False, 2: True, 3: False}


async def test_a_task_that_is_deleted_fails_what_remains(host, module, programs):
    """The remaining items say why they did not run."""
    task = host.tasks.get("gated")
    await host.tasks.create(type(task)(id="passing", program=f"{programs}:gated", idempotent=True))
    made = await submit(host, "passing", 10, max_concurrency=2)
    await until(lambda: len(module().ran) == 2)
    await host.tasks.delete("passing")
    module().opened.set()
    ended = await host.batches.wait(made.id, 60)
    assert (ended.counts.succeeded, ended.counts.failed) == (2, 8)
    failed = [each for each in await host.batches.results(made.id) if each.status is ExecutionStatus.ERROR]
    assert {each.error.type for each in failed} == {"unknown-task"}


async def test_the_end_is_an_event(host):
    """One event says how the batch ended."""
    made = await submit(host, "odd_ones_fail", 4)
    await host.batches.wait(made.id, 60)
    [event] = await host.store.list_events(EventFilter(types=frozenset({EventType.BATCH_FINISHED})))
    assert event.payload["batch"] == made.id
    assert (event.payload["state"], event.payload["counts"]["failed"]) == ("completed", 2)


async def test_an_empty_batch_is_refused(host):
    """Nothing of it is left."""
    made = await host.batches.create(BatchOptions(task_id="echo"))
    with pytest.raises(EmptyBatch):
        await host.batches.seal(made.id)
    with pytest.raises(UnknownBatch):
        await host.batches.get(made.id)


@pytest.mark.parametrize(
    ("option", "value"), [("max_concurrency", 0), ("max_concurrency", 10_000), ("priority", 11), ("item_timeout_ms", 0)]
)
async def test_options_out_of_range_are_refused(host, option, value):
    """The problem points at the option."""
    with pytest.raises(Invalid) as refused:
        await host.batches.create(BatchOptions(task_id="echo", **{option: value}))
    assert [problem.pointer for problem in refused.value.problems] == [f"/{option}"]


async def test_a_batch_of_an_unknown_task_is_refused(host):
    """Nothing is stored of it."""
    with pytest.raises(UnknownTask):
        await host.batches.create(BatchOptions(task_id="nothing"))
    assert (await host.batches.list()).items == ()


async def test_too_many_items_or_batches_are_refused(build):
    """Both limits have names in the configuration."""
    async with build(batches={"max_items": 5, "max_running": 1}) as host:
        made = await host.batches.create(BatchOptions(task_id="echo"))
        await host.batches.add(made.id, items(4))
        with pytest.raises(BatchTooLarge):
            await host.batches.add(made.id, items(2, first=5))
        with pytest.raises(Overloaded):
            await host.batches.create(BatchOptions(task_id="echo"))
        await host.batches.seal(made.id)
        assert (await host.batches.wait(made.id, 60)).items == 4


async def test_uploads_wait_while_too_much_is_spooled(build, module):
    """`add` comes back when items are done."""
    async with build(batches={"max_spooled_bytes": 1}) as host:
        made = await host.batches.create(BatchOptions(task_id="gated"))
        await host.batches.add(made.id, items(1))
        adding = asyncio.create_task(host.batches.add(made.id, items(1, first=2)))
        await until(lambda: module().ran == [1])
        assert not adding.done()
        module().opened.set()
        await asyncio.wait_for(adding, 60)
        await host.batches.seal(made.id)
        assert (await host.batches.wait(made.id, 60)).done == 2


async def test_a_caller_that_leaves_while_it_adds_loses_nothing(host):
    """What was on its way into the ledger is counted and runs."""
    made = await host.batches.create(BatchOptions(task_id="echo"))
    adding = asyncio.create_task(host.batches.add(made.id, items(50)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    adding.cancel()
    await asyncio.wait({adding})
    await host.batches.seal(made.id, truncated=True)
    ended = await host.batches.wait(made.id, 60)
    assert (ended.truncated, ended.items, ended.done) == (True, 50, 50)


async def test_an_ended_batch_can_be_deleted(host):
    """Its results are gone, the records of its executions stay; one that runs is kept."""
    made = await submit(host, "echo", 5)
    other = await host.batches.create(BatchOptions(task_id="echo"))
    with pytest.raises(BatchNotEnded):
        await host.batches.delete(other.id)
    await host.batches.wait(made.id, 60)
    await host.batches.delete(made.id)
    for call in (host.batches.get, host.batches.results, host.batches.delete, host.batches.cancel):
        with pytest.raises(UnknownBatch):
            await call(made.id)
    assert await host.store.count_executions() == 5


async def test_nothing_of_a_deleted_batch_is_left(host):
    """Its row goes last, so that tidying up comes to an end."""
    made = await submit(host, "echo", 5)
    await host.batches.wait(made.id, 60)
    assert len(await host.store.ledger.expired(now())) == 1
    await host.batches.delete(made.id)
    assert await host.store.ledger.expired(now()) == ()


async def test_batches_are_listed_newest_first(host):
    """By task and state, live and ended ones alike, page by page."""
    first = await submit(host, "echo", 1)
    await host.batches.wait(first.id, 60)
    second = await host.batches.create(BatchOptions(task_id="gated"))
    page = await host.batches.list(limit=1)
    assert [each.id for each in page.items] == [second.id]
    rest = await host.batches.list(limit=1, cursor=page.next_cursor)
    assert [(each.id, each.done) for each in rest.items] == [(first.id, 1)]
    assert [each.id for each in (await host.batches.list(state=BatchState.COMPLETED)).items] == [first.id]
    assert [each.id for each in (await host.batches.list(task_id="gated")).items] == [second.id]


async def test_a_cursor_belongs_to_its_batch(host):
    """One of another batch, or of the future, is refused."""
    first, second = await submit(host, "echo", 2), await submit(host, "echo", 2)
    await host.batches.wait(first.id, 60)
    await host.batches.wait(second.id, 60)
    last = (await host.batches.get(first.id)).last_sequence
    await host.batches.check_cursor(first.id, last)
    await host.batches.check_cursor(first.id, 0)
    for wrong in ((second.id, last), (first.id, last + 10_000)):
        with pytest.raises(InvalidCursor):
            await host.batches.check_cursor(*wrong)


async def test_outputs_are_judged_without_running_anything(build):
    """Nothing is recorded."""
    validators, patient = [{"name": "json-schema-validator"}], {"call_timeout_ms": 60_000}
    task = {"id": "numbers", "program": "json:loads", "output_schema": {"type": "number"}}
    async with build(tasks=[task], plugins={"validators": validators, **patient}, programs={"allow": ["json"]}) as host:
        verdicts = await host.batches.validate_items(
            "numbers", [Candidate(output=1), Candidate(output="x", id="second")]
        )
        assert [(each.id, each.valid) for each in verdicts] == [("1", True), ("second", False)]
        assert verdicts[1].validations[0]["validator"] == "json-schema-validator"
        assert await host.store.count_executions() == 0


async def test_ended_batches_are_forgotten_after_some_days(build):
    """With the shortest time to keep them they are gone at the next look."""
    async with build(batches={"keep_days": 1e-9}) as host:
        made = await submit(host, "echo", 3)
        await host.batches.wait(made.id, 60)
    async with build(batches={"keep_days": 1e-9}) as host:
        async with asyncio.timeout(60):
            while (await host.batches.list()).items:  # noqa: ASYNC110 - deletion tells nobody
                await asyncio.sleep(0.01)
        assert await host.store.count_executions() == 3


async def test_the_items_of_an_ended_batch_are_deleted(host):
    """Results stay; inputs are in the records of the executions."""
    made = await submit(host, "echo", 30)
    await host.batches.wait(made.id, 60)
    number = (await host.store.ledger.find(made.id)).number
    async with asyncio.timeout(60):
        while (await host.store.ledger.totals(number)).items:  # noqa: ASYNC110 - deletion tells nobody
            await asyncio.sleep(0.01)
    assert len(await host.batches.results(made.id)) == 30
    assert (await host.batches.get(made.id)).items == 30
