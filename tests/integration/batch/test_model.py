"""Batches in any order of steps: a state machine over a whole engine with a real SQLite store."""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from pathlib import Path

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from hotplane import Hotplane
from hotplane.errors import BatchEnded, BatchNotEnded, EmptyBatch, UnknownBatch
from hotplane.execution.batch import ENDED, BatchOptions, BatchState, ItemProblem, NewItem

_NAME = "batched_model"
_PROGRAM = """
import asyncio


async def work(value):
    if value % 5 == 4:
        raise ValueError
    for _ in range(value % 4):
        await asyncio.sleep(0)
    return value
"""


class Batches(RuleBasedStateMachine):
    """Creates, fills, seals, pauses, resumes, cancels, and stops hosts, gently or not."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="hotplane-model-"))
        (self.folder / f"{_NAME}.py").write_text(_PROGRAM)
        self.runner = asyncio.Runner()
        self.added: dict[str, int] = {}
        self.ended: dict[str, tuple[object, ...]] = {}
        self.host = self.start()

    def start(self) -> Hotplane:
        tasks = [{"id": f"work-{kind}", "program": f"{_NAME}:work", "idempotent": kind == "again"} for kind in _KINDS]
        host = Hotplane.from_config(
            {
                "storage": {"url": str(self.folder / "store.db"), "synchronous": "NORMAL"},
                "programs": {"allow": [_NAME], "paths": [str(self.folder)]},
                "tasks": tasks,
            }
        )
        self.runner.run(host.start())
        return host

    def teardown(self) -> None:
        self.runner.run(self.finish())
        self.runner.run(self.host.stop(grace=0.0))
        self.runner.close()
        shutil.rmtree(self.folder)
        sys.modules.pop(_NAME, None)
        sys.path[:] = [entry for entry in sys.path if entry != str(self.folder)]

    async def finish(self) -> None:
        """Whatever was done before, every batch comes to an end, with a result for every item."""
        for batch in self.added:
            try:
                await self.host.batches.seal(batch)
                if (await self.host.batches.get(batch)).state is BatchState.PAUSED:
                    await self.host.batches.resume(batch)
                status = await self.host.batches.wait(batch, 60)
            except (UnknownBatch, EmptyBatch):
                assert self.added[batch] == 0
                continue
            assert status.state in ENDED
            assert status.done == status.items == self.added[batch]
            results = await self.host.batches.results(batch)
            assert sorted(result.position for result in results) == list(range(1, self.added[batch] + 1))

    # --- steps -------------------------------------------------------------------------------------------

    @precondition(lambda self: len(self.added) < 4)
    @rule(kind=st.sampled_from(["once", "again"]), stop=st.booleans(), concurrency=st.integers(1, 8))
    def create(self, kind: str, stop: bool, concurrency: int) -> None:
        options = BatchOptions(task_id=f"work-{kind}", stop_on_first_error=stop, max_concurrency=concurrency)
        self.added[self.runner.run(self.host.batches.create(options)).id] = 0

    @precondition(lambda self: self.added)
    @rule(data=st.data(), count=st.integers(1, 30), broken=st.booleans())
    def add(self, data: st.DataObject, count: int, broken: bool) -> None:
        batch = data.draw(st.sampled_from(sorted(self.added)))
        first = self.added[batch] + 1
        problem = ItemProblem(type="malformed-item", message="no JSON") if broken else None
        new = [NewItem(position=first, item_id=str(first), input=first, problem=problem)]
        new += [NewItem(position=n, item_id=str(n), input=n) for n in range(first + 1, first + count)]
        try:
            self.runner.run(self.host.batches.add(batch, new))
        except (BatchEnded, UnknownBatch):
            return
        self.added[batch] += count

    @precondition(lambda self: self.added)
    @rule(data=st.data(), step=st.sampled_from(["seal", "pause", "resume", "cancel"]))
    def steer(self, data: st.DataObject, step: str) -> None:
        batch = data.draw(st.sampled_from(sorted(self.added)))
        try:
            self.runner.run(getattr(self.host.batches, step)(batch))
        except (BatchEnded, UnknownBatch):
            return
        except EmptyBatch:
            assert self.added.pop(batch) == 0

    @precondition(lambda self: self.added)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        batch = data.draw(st.sampled_from(sorted(self.added)))
        try:
            self.runner.run(self.host.batches.delete(batch))
        except (BatchNotEnded, UnknownBatch):
            return
        del self.added[batch]
        self.ended.pop(batch, None)

    @rule(rounds=st.integers(0, 40))
    def go_on(self, rounds: int) -> None:
        async def idle() -> None:
            for _ in range(rounds):
                await asyncio.sleep(0.0005)

        self.runner.run(idle())

    @rule(grace=st.sampled_from([0.0, 0.0, 1.0]))
    def restart(self, grace: float) -> None:
        self.runner.run(self.host.stop(grace=grace))
        self.host = self.start()

    @rule()
    def crash(self) -> None:
        """End as a killed process does: nothing is laid down, only what was committed is left."""
        self.runner.run(_crash(self.host))
        self.host = self.start()

    # --- what always holds -------------------------------------------------------------------------------

    @invariant()
    def counts_add_up(self) -> None:
        for batch in self.added:
            try:
                status = self.runner.run(self.host.batches.get(batch))
            except UnknownBatch:
                assert self.added[batch] == 0
                continue
            assert status.items == self.added[batch]
            assert status.done == status.counts.done <= status.items

    @invariant()
    def ended_batches_never_change(self) -> None:
        for batch in self.added:
            try:
                status = self.runner.run(self.host.batches.get(batch))
            except UnknownBatch:
                continue
            if status.state in ENDED:
                results = self.runner.run(self.host.batches.results(batch))
                assert len({result.position for result in results}) == len(results) == status.items
                assert self.ended.setdefault(batch, (status, results)) == (status, results)


async def _crash(host: Hotplane) -> None:
    """Drop a host in the middle of everything."""
    running = host.batches._running
    running._scheduler.halt()
    own = asyncio.current_task()
    # The store refuses from now on, so that nothing that ends below is stored.
    host.store._writer.intake.close()
    tasks = [task for task in asyncio.all_tasks() if task is not own]
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks, timeout=20)
    await host.stop(grace=0.0)


_KINDS = ("once", "again")

TestBatches = Batches.TestCase
TestBatches.settings = settings(
    max_examples=12, stateful_step_count=20, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
