"""Executions through a whole host: real programs, real threads, a real store."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from msgspec import UNSET
from msgspec.structs import replace

from hotplane import Hotplane
from hotplane.errors import (
    HostNotStarted,
    HostStarted,
    InputRejected,
    InvalidId,
    NotJson,
    ShuttingDown,
    StorageSlow,
    StorageUnavailable,
    TooManyStuckThreads,
    UnknownTask,
)
from hotplane.plugins import Sample, Sampler, Validator, WebhookHandler
from hotplane.records import EventType, Execution, PluginMetadata, Task, ValidationResult
from hotplane.storage import ExecutionFilter
from tests.pace import kept

Build = Callable[..., Hotplane]


async def stored(host: Hotplane, execution: Execution) -> Execution:
    """Return what the store holds of an execution."""
    return await host.store.get_execution(execution.id)


async def events(host: Hotplane) -> list[str]:
    """Return the types of all stored events, in order."""
    stored = await host.store.list_events(limit=1000)
    return [event.type for event in stored if not event.type.startswith("plugin.")]


def stuck(host: Hotplane) -> tuple[Any, Any]:
    """Return how many threads and tasks hang."""
    stats = host.stats()
    return stats["stuck_threads"], stats["stuck_tasks"]


@pytest.mark.parametrize("task", ["upper", "shout"])
async def test_an_execution_is_stored_before_it_is_answered(build: Build, task: str) -> None:
    """A sync and an async program: the answer is the record, with decision and verdict, and it is in the store."""
    async with build() as host:
        execution = await host.execute(task, {"text": "hi"}, expected="HI")
        assert (execution.status, execution.output, execution.valid) == ("success", "HI", True)
        assert execution.sampling is not None
        assert execution.sampling.probability_sampled
        assert [result.validator for result in execution.validations] == ["json-schema-validator"]
        assert await stored(host, execution) == execution
        assert await events(host) == ["program.execution.completed", "validation.completed"]


@pytest.mark.parametrize(
    ("task", "kind", "words"),
    [
        ("boom", "ValueError", "bad input"),
        ("leave", "SystemExit", "7"),
        ("not_json", "not-json", "/when"),
        ("nan", "not-json", "/score"),
    ],
)
async def test_a_failing_program_is_a_recorded_execution(build: Build, task: str, kind: str, words: str) -> None:
    """A program that raises, exits or returns something that is not JSON has status `error`, and is judged."""
    async with build() as host:
        execution = await host.execute(task, {"text": "hi"})
        assert execution.status == "error"
        assert execution.error is not None
        assert execution.error.type == kind
        assert words in execution.error.message
        assert execution.valid is False
        assert await stored(host, execution) == execution
        assert await events(host) == ["program.execution.failed", "validation.failed"]


@pytest.mark.parametrize("program", ["hang", "wait_for_ever", "ignore_cancellation"])
async def test_the_deadline_is_kept(build: Build, programs: str, program: str) -> None:
    """Whatever a program does, the answer comes within deadline + 250 ms, as a recorded timeout."""
    async with build() as host:
        await host.tasks.update(Task(id=program, program=f"{programs}:{program}", timeout_ms=200, sampling_rate=1.0))

        async def execute() -> None:
            started = time.perf_counter()
            try:
                assert (await host.execute(program, {})).status == "timeout"
            except StorageSlow:  # the machine stood still just then: no try in time
                await execute()
            assert time.perf_counter() - started >= 0.2

        assert await kept(0.45, execute)
        runs = sys.modules[programs].runs  # of what had no time left when its turn came there is none
        expected = {"hang": lambda: (len(runs), 0), "ignore_cancellation": lambda: (0, len(runs))}
        while stuck(host) != expected.get(program, lambda: (0, 0))():  # noqa: ASYNC110 - bounded by the test's time limit
            await asyncio.sleep(0.01)  # a thread may be late
        assert (await events(host))[-2:] == ["program.execution.timeout", "validation.failed"]


async def test_too_many_stuck_threads_make_the_host_refuse(build: Build, programs: str) -> None:
    """Stuck threads are counted; at the limit the host is not ready and refuses sync programs, others still run."""
    async with build() as host:
        await host.tasks.update(Task(id="hang", program=f"{programs}:hang", timeout_ms=50))
        while stuck(host)[0] < 3:  # each call makes one, if there is time left when its turn comes
            with suppress(StorageSlow):  # where the machine stands still just then: the thread hangs all the same
                assert (await host.execute("hang", {})).status == "timeout"
        assert stuck(host) == (3, 0)
        assert "hang in programs" in host.readiness()[0]
        with pytest.raises(TooManyStuckThreads, match=r"programs\.max_stuck"):
            await host.execute("upper", {"text": "x"})
        assert (await host.execute("shout", {"text": "x"})).status == "success"


async def test_a_program_cannot_change_what_is_recorded(build: Build) -> None:
    """The program gets a copy of its input."""
    async with build() as host:
        given = {"text": "mine"}
        execution = await host.execute("change_input", given)
        assert (execution.input, execution.output, given) == ({"text": "mine"}, {"text": "changed"}, {"text": "mine"})


async def test_a_rejected_input_is_recorded_with_its_problems(build: Build, programs: str) -> None:
    """An input that does not fit is refused with pointers; the record has status `rejected`, and nothing ran."""
    schema = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
    async with build() as host:
        await host.tasks.create(Task(id="strict", program=f"{programs}:upper", input_schema=schema))
        with pytest.raises(InputRejected) as refusal:
            await host.execute("strict", {"text": 5})
        assert [problem.pointer for problem in refusal.value.problems] == ["/text"]
        record = await host.store.get_execution(str(refusal.value.execution_id))
        assert (record.status, record.attempts, record.sampling) == ("rejected", (), None)


async def test_bad_requests_leave_no_record(build: Build) -> None:
    """Unknown tasks, bad ids and values outside JSON are refused before anything is stored."""
    async with build() as host:
        with pytest.raises(UnknownTask, match="did you mean 'upper'"):
            await host.execute("uper", {})
        with pytest.raises(NotJson, match="/text"):
            await host.execute("upper", {"text": float("inf")})
        with pytest.raises(InvalidId):
            await host.execute("upper", {"text": "x"}, id="no spaces")
        assert await host.store.count_executions() == 0


async def test_expected_null_is_not_no_expectation(build: Build) -> None:
    """`expected: null` is compared; leaving it away is not."""
    async with build() as host:
        assert (await host.execute("upper", {"text": "x"}, expected=None)).valid is False
        without = await host.execute("upper", {"text": "x"})
        assert (without.valid, without.expected) == (True, UNSET)


async def test_the_same_foreign_id_is_sampled_the_same_way_for_ever(build: Build, programs: str) -> None:
    """A caller's id is hashed: rerunning it gives the same decision, and the newest run is the one shown."""
    async with build() as host:
        await host.tasks.update(Task(id="upper", program=f"{programs}:upper", sampling_rate=0.5))
        for name in (f"job-{n}" for n in range(20)):
            runs = [await host.execute("upper", {"text": "x"}, id=name) for _ in range(2)]
            assert runs[0].sampling is not None
            assert runs[1].sampling is not None
            assert runs[0].sampling.sampled == runs[1].sampling.sampled
            assert (await host.store.get_execution(name)).sequence == runs[1].sequence


async def test_a_rerun_of_a_minted_id_keeps_its_decision(build: Build, programs: str) -> None:
    """An id that the host minted stays minted when a caller sends it again; a look-alike is hashed."""
    async with build() as host:
        await host.tasks.update(Task(id="upper", program=f"{programs}:upper", sampling_rate=0.5))
        for _ in range(10):
            first = await host.execute("upper", {"text": "x"})
            again = await host.execute("upper", {"text": "x"}, id=first.id)
            assert again.minted
            assert (first.sampling and first.sampling.sampled) == (again.sampling and again.sampling.sampled)
        forged = await host.execute("upper", {"text": "x"}, id="01a201fc-ac9e-7d41-bfff-ffffffffffff")
        assert not forged.minted


class Faulty(Validator):
    metadata = PluginMetadata(name="faulty", version="1")
    priority = 1000

    def validate(self, execution: Any, context: Any) -> ValidationResult:
        raise RuntimeError("no judge")


class Odd(Validator):
    metadata = PluginMetadata(name="odd", version="1")

    def validate(self, execution: Any, context: Any) -> Any:
        return True


class Broken(Sampler):
    metadata = PluginMetadata(name="broken", version="1")
    priority = 1000

    def should_sample(self, execution: Any, context: Any) -> Sample:
        raise RuntimeError("no dice")


async def test_validators_fail_closed(build: Build) -> None:
    """A validator that raises, or returns something else, makes the execution not judged; the others still judge."""
    for cls in (Faulty, Odd):
        host = build()
        host.register(cls)
        async with host:
            execution = await host.execute("upper", {"text": "x"})
            verdicts = {result.validator: result.valid for result in execution.validations}
            assert verdicts == {cls.metadata.name: None, "json-schema-validator": True}
            assert execution.valid is None


async def test_samplers_fail_open_and_the_designated_one_still_votes(build: Build, programs: str) -> None:
    """A sampler that raises counts as sampling; the probability sampler votes all the same, so estimates stay right."""
    host = build()
    host.register(Broken)
    async with host:
        await host.tasks.update(Task(id="upper", program=f"{programs}:upper", sampling_rate=0.0))
        decision = (await host.execute("upper", {"text": "x"})).sampling
        assert decision is not None
        assert (decision.sampled, decision.sampler, decision.probability_sampled) == (True, "broken", False)
        assert [(vote.sampler, vote.outcome) for vote in decision.votes] == [
            ("broken", "error"),
            ("percentage-sampler", "not-sampled"),
        ]


async def test_a_disabled_plugin_takes_no_part(build: Build) -> None:
    """Switching at run time takes effect on the next execution, also over a restart of the host."""
    async with build() as host:
        await host.plugins.disable("json-schema-validator")
        assert (await host.execute("upper", {"text": "x"})).validations == ()
    async with build() as host:
        assert not host.plugins.get("json-schema-validator").enabled
        assert (await host.execute("upper", {"text": "x"})).validations == ()
        await host.plugins.enable("json-schema-validator")
        assert (await host.execute("upper", {"text": "x"})).valid is True


async def test_handlers_are_told_after_the_commit(build: Build) -> None:
    """A handler sees only events that are stored, and only the types it supports."""
    told: asyncio.Queue[bool] = asyncio.Queue()
    host = build()

    @host.plugin
    class Listener(WebhookHandler):
        metadata = PluginMetadata(name="listener", version="1")
        supported_events = frozenset({EventType.PROGRAM_EXECUTION_COMPLETED})

        async def handle(self, event: Any, context: Any) -> None:
            await told.put(event.id in {each.id for each in await host.store.list_events()})

    assert Listener.metadata.name == "listener"
    async with host:
        await host.execute("upper", {"text": "x"})
        assert await asyncio.wait_for(told.get(), 60)
    assert told.empty()


async def test_a_cancelled_caller_leaves_a_record(build: Build) -> None:
    """Who goes away in mid-call leaves a `cancelled` execution."""
    async with build() as host:
        calling = asyncio.create_task(host.execute("wait_for_ever", {}))
        while not host.stats()["in_flight"]:  # noqa: ASYNC110 - bounded by the test's time limit
            await asyncio.sleep(0.001)
        calling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await calling
    async with build() as host:
        page = await host.store.list_executions(ExecutionFilter(task_id="wait_for_ever"))
        assert [execution.status for execution in page.items] == ["cancelled"]


async def test_a_host_starts_once(build: Build) -> None:
    """A second start is refused, and harms neither the host that runs nor what is to be stored."""
    host = build()
    async with host:
        with pytest.raises(HostStarted):
            await host.start()
        assert (await host.execute("upper", {"text": "x"})).status == "success"
    with pytest.raises(HostStarted):
        await host.start()


async def test_a_host_that_was_not_started_says_so(build: Build) -> None:
    """Who forgot the start is not told of an end."""
    host = build()
    with pytest.raises(HostNotStarted):
        await host.execute("upper", {"text": "x"})
    with pytest.raises(HostNotStarted):
        _ = host.store


async def test_a_start_that_failed_may_be_tried_again(build: Build, tmp_path: Path) -> None:
    """A store that was not there may be there by now."""
    host = build(storage={"url": str(tmp_path / "later" / "host.db")})
    with pytest.raises(StorageUnavailable):
        await host.start()
    os.mkdir(tmp_path / "later")  # noqa: PTH102 - pathlib's is refused in async functions
    async with host:
        assert (await host.execute("upper", {"text": "x"})).status == "success"


async def test_stopping_finishes_what_it_can_and_records_the_rest(build: Build) -> None:
    """Within its grace the host lets executions end; what is left then is interrupted, answered and recorded."""
    host = build()
    await host.start()
    quick = asyncio.create_task(host.execute("slow", {"seconds": 0.2}))
    endless = asyncio.create_task(host.execute("wait_for_ever", {}))
    while host.stats()["in_flight"] != 2:  # noqa: ASYNC110 - bounded by the test's time limit
        await asyncio.sleep(0.001)
    await host.stop(grace=3.0)  # far more than the quick one needs
    assert (await quick).status == "success"
    assert (await endless).status == "interrupted"
    with pytest.raises(ShuttingDown):
        await host.execute("upper", {"text": "x"})
    async with build() as again:
        page = await again.store.list_executions()
        assert sorted(execution.status for execution in page.items) == ["interrupted", "success"]


async def test_a_thousand_executions_at_once_are_all_recorded(build: Build) -> None:
    """Concurrent executions neither lose nor mix up records."""
    async with build(server={"max_in_flight": 1000}) as host:
        tasks = ["upper", "shout"] * 500
        done = await asyncio.gather(*(host.execute(task, {"text": f"m{n}"}) for n, task in enumerate(tasks)))
        assert [execution.output for execution in done] == [f"M{n}" for n in range(1000)]
        assert await host.store.count_executions() == 1000
        assert len({execution.sequence for execution in done}) == 1000


async def test_disabled_plugins_load_nothing_and_the_host_still_executes(build: Build) -> None:
    """`plugins.enabled: false`: only the host's own runner is there."""
    async with build(plugins={"enabled": False, "validators": [{"name": "json-schema-validator"}]}) as host:
        assert [status.id for status in host.plugins.list()] == ["local"]
        execution = await host.execute("upper", {"text": "x"})
        assert (execution.status, execution.validations) == ("success", ())
        assert execution.sampling is not None
        assert execution.sampling.reason == "no sampler is enabled"


async def test_records_decode_to_what_they_were(build: Build) -> None:
    """What the store gives back equals what was answered, field by field."""
    async with build() as host:
        execution = await host.execute("upper", {"text": "ü € 🙂 \u0000"}, expected={"a": [1, 2.5, None, True]})
        assert await stored(host, execution) == execution
        assert replace(execution, sequence=UNSET) != execution
