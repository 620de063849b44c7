"""When the demo's workers are killed and started again, and how fast messages are sent meanwhile.

The workers here only note what is done to them; the integration and acceptance tests have real ones.
"""

import asyncio
from itertools import pairwise
from time import monotonic
from types import SimpleNamespace
from typing import Any

import pytest

from examples.demo import outage as module
from examples.demo.outage import FEWEST_MESSAGES, Outage
from examples.demo.traffic import Stage, Traffic
from hotplane.records import Attempt, Execution, ExecutionStatus, now


@pytest.fixture
def done() -> list[str]:
    """What was done to the workers."""
    return []


@pytest.fixture
def workers(done: list[str]) -> Any:
    """Workers that note what is done to them."""

    def noting(what: str) -> Any:
        async def note() -> None:
            done.append(what)

        return note

    return SimpleNamespace(
        a=SimpleNamespace(kill=noting("A killed")), b=SimpleNamespace(kill=noting("B killed")), start=noting("started")
    )


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the first two thirds pass at once."""
    monkeypatch.setattr(module, "OPENING_SECONDS", 0.0)


def answer(runner: str) -> Execution:
    """Return a record that `runner` answered."""
    attempt = Attempt(runner=runner, outcome="success", latency_ms=1.0)
    return Execution(
        id="e", task_id="t", program="m:f", status=ExecutionStatus.SUCCESS, input={}, attempts=(attempt,),
        started_at=now(),
    )  # fmt: skip


def new_outage(workers: Any, total: int) -> Outage:
    """Return an outage that nobody watches."""
    return Outage(workers, total, Traffic(lambda line: None), lambda line: None)


async def turns() -> None:
    """Let every task go on that can."""
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.mark.usefixtures("fast")
async def test_workers_die_and_come_back_at_their_messages(
    workers: Any, done: list[str], monkeypatch: pytest.MonkeyPatch
):
    """A after a third, B after a half, both again after two thirds; every stage begins with its deed."""
    monkeypatch.setattr(module, "RETURN_SECONDS", 0.0)
    outage = new_outage(workers, 60)
    seen: list[tuple[int, Stage]] = []
    for index in range(60):
        before = outage.traffic.stage
        await outage.before(index)
        if outage.traffic.stage is not before:
            seen.append((index, outage.traffic.stage))
    assert done == ["A killed", "B killed", "started"]
    assert seen == [(20, Stage.A_KILLED), (30, Stage.B_KILLED), (40, Stage.RESTARTED)]


@pytest.mark.usefixtures("fast")
async def test_messages_wait_for_what_they_are_to_show(workers: Any, done: list[str]):
    """Worker B is killed late, and starting takes its time: half of the messages between wait, and all behind."""
    workers.start = asyncio.Event().wait
    outage = new_outage(workers, 60)
    for index in (20, *range(31, 36)):
        await outage.before(index)
    waiting = [asyncio.create_task(outage.before(index)) for index in (36, 40, 41)]
    await turns()
    assert (done, [each.done() for each in waiting]) == (["A killed"], [False] * 3)
    await outage.before(30)
    await asyncio.wait_for(waiting[0], 30)
    await turns()
    assert (outage.traffic.stage, [each.done() for each in waiting]) == (Stage.RESTARTED, [True, False, False])
    for each in waiting:
        each.cancel()


async def test_the_fewest_messages_have_all_three_steps_apart(workers: Any):
    """With so few messages no two steps fall on the same one, and each breaker sees enough failures to open."""
    steps = sorted(new_outage(workers, FEWEST_MESSAGES)._steps)
    assert [later - sooner for sooner, later in pairwise(steps)] == [5, 5]


async def test_the_opening_takes_its_time(workers: Any, monkeypatch: pytest.MonkeyPatch):
    """Messages that would be over at once are spread over the opening's seconds."""
    monkeypatch.setattr(module, "OPENING_SECONDS", 0.2)
    outage = new_outage(workers, 60)
    began = monotonic()
    for index in range(1, 20):
        await outage.before(index)
    assert monotonic() - began >= 0.08  # 19 of 40, at 5 ms each, the first at once


@pytest.mark.usefixtures("fast")
async def test_the_rest_is_slow_until_the_primary_answers(workers: Any, monkeypatch: pytest.MonkeyPatch):
    """After the restart messages wait; with the first answer of Valkyrie they do not."""
    monkeypatch.setattr(module, "RETURN_SECONDS", 10.0)
    outage = new_outage(workers, 60)
    for index in range(39):
        await outage.before(index)
    began = monotonic()
    await outage.before(39)
    await outage.before(40)
    outage.seen(answer("local"))
    await outage.before(41)
    assert monotonic() - began > 0.99  # two messages, a twentieth of 10 s each
    outage.seen(answer("valkyrie"))
    began = monotonic()
    for index in range(42, 60):
        await outage.before(index)
    assert monotonic() - began < 5  # 9 s at the slow pace
