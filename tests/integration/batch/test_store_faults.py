"""Batches on a store that fails."""

from __future__ import annotations

import asyncio

import pytest

from hotplane.errors import StorageFull, StorageUnavailable
from hotplane.execution.batch import BatchState
from hotplane.storage.database import Fault, Scope
from tests.integration.batch.conftest import submit, until


class Faults:
    """Makes the committer of a running host fail, as the database would, and mends it."""

    def __init__(self, host, monkeypatch):
        self._committer = host.store._writer._committer
        self._patch = monkeypatch
        self._apply = self._committer._apply

    def fail(self, scope, error):
        """Let every commit that holds a record or a result fail from now on."""

        class Broken(Exception):
            pass

        def apply(connection, writes):
            if any(write.results for write in writes):
                raise Broken
            self._apply(connection, writes)

        sort = self._committer._database.fault

        def fault(raised):
            return Fault(scope, error) if isinstance(raised, Broken) else sort(raised)

        self._patch.setattr(self._committer, "_apply", apply)
        self._patch.setattr(self._committer._database, "fault", fault)

    def mend(self):
        """Let commits succeed again."""
        self._patch.undo()


@pytest.fixture
def faults(host, monkeypatch):
    """The faults of the host's store."""
    return Faults(host, monkeypatch)


@pytest.mark.parametrize("task", ["echo", "once-echo"])
async def test_a_full_store_pauses_the_batch(host, module, faults, task):
    """Nothing that ran is lost or run again; the status says why it stands still."""
    faults.fail(Scope.SPACE, lambda: StorageFull("the store"))
    made = await submit(host, task, 40, max_concurrency=4)
    await until(lambda: host.batches._running.live[made.id].state is BatchState.PAUSED)
    seen = await host.batches.get(made.id)
    assert "is full" in seen.problem
    assert len(module().ran) == 4
    faults.mend()
    await host.batches.resume(made.id)
    ended = await host.batches.wait(made.id, 60)
    assert (ended.counts.succeeded, ended.problem) == (40, None)
    assert sorted(module().ran) == list(range(1, 41))


async def test_a_store_that_is_away_holds_the_batch_up(host, module, faults):
    """It goes on by itself when the store is back, and nothing runs twice."""
    faults.fail(Scope.STORE, lambda: StorageUnavailable("the store", "it is away"))
    live = host.batches._running.live
    # Where the end of the upload meets a result in one commit, it has to wait for the store, too.
    submitting = asyncio.create_task(submit(host, "echo", 40, max_concurrency=4, id="away"))
    await until(lambda: "away" in live and live["away"].problem is not None)
    assert not (await host.batches.get("away")).ended
    faults.mend()
    await submitting
    ended = await host.batches.wait("away", 60)
    assert ended.counts.succeeded == 40
    assert sorted(module().ran) == list(range(1, 41))


async def test_a_runner_that_is_away_holds_the_batch_up(host, module):
    """Items that nothing could take are tried again and count as neither failed nor done."""
    breaker = host.routes.route(host.tasks.plan("echo").route).legs[0].breaker
    breaker.force_open()
    made = await submit(host, "echo", 20)
    await until(lambda: host.batches._running.live[made.id].problem is not None)
    assert (await host.batches.get(made.id)).done == 0
    breaker.reset()
    assert (await host.batches.wait(made.id, 60)).counts.succeeded == 20
    assert len(module().ran) == 20
