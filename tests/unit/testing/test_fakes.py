"""The fakes that plugin authors are given."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

import hotplane.testing
from hotplane.errors import Invalid, NotJson, PluginMisconfigured
from hotplane.network import NoConnection
from hotplane.plugins import NotExecuted, ProgramOverran
from hotplane.testing import (
    FakeAnswer,
    FakeClock,
    FakeKeyValue,
    FakeLog,
    FakeOutbound,
    FakeRunner,
    a_sampling_context,
    a_task,
    an_event,
    an_execution,
    make_context,
)


def test_every_public_name_can_be_imported():
    """What `__all__` names is there."""
    assert all(getattr(hotplane.testing, name) for name in hotplane.testing.__all__)
    assert dir(hotplane.testing) == sorted(hotplane.testing.__all__)


def test_a_clock_stands_until_it_is_turned():
    """Both clocks move together, and only the wall clock is turned back."""
    clock = FakeClock()
    before, seconds = clock.now(), clock.monotonic()
    clock.advance(90)
    assert (clock.now() - before, clock.monotonic() - seconds) == (timedelta(seconds=90), 90)
    clock.set(datetime(2020, 1, 1, tzinfo=UTC))
    assert (clock.now().year, clock.monotonic() - seconds) == (2020, 90)
    with pytest.raises(ValueError, match="does not go back"):
        clock.advance(-1)


async def test_storage_is_as_strict_as_the_real_one():
    """What a host would refuse is refused, and what is read is a copy."""
    storage = FakeKeyValue({"a": [1]})
    (await storage.get("a")).append(2)  # type: ignore[union-attr]
    assert storage.values == {"a": [1]}
    for key, value, error in (("", 1, Invalid), ("k", float("nan"), NotJson), ("k", "x" * 300_000, Invalid)):
        with pytest.raises(error):
            await storage.set(key, value)
    await storage.delete("a")
    assert await storage.get("a") is None


async def test_what_is_sent_is_kept_and_goes_nowhere():
    """Requests are recorded, the answer is the test's, and no other protocol gets out."""
    http = FakeOutbound(FakeAnswer(503, {"retry-after": "5"}, b"busy"))
    answer = await http.request("POST", "https://example.com/x", headers={"X-A": "1"}, body=b"{}")
    assert (answer.status, answer.body, http.requests[0].headers) == (503, b"busy", {"x-a": "1"})
    with pytest.raises(NoConnection):
        await http.connect("mail.example.com", 25)
    http.forget()
    http.answer = RuntimeError("no luck")
    assert not http.used
    with pytest.raises(RuntimeError, match="no luck"):
        await http.request("GET", "https://example.com")


def test_a_log_is_read_by_level():
    """What was logged can be asked for."""
    log = FakeLog()
    log.info("began", count=1)
    log.warning("odd")
    assert (log.events(), log.events("warning"), log.lines[0].values) == (["began", "odd"], ["odd"], {"count": 1})


def test_a_context_has_fakes_and_takes_others():
    """A plugin's defaults, and what the test holds on to."""
    clock = FakeClock()
    context = make_context(FakeRunner, clock=clock)
    assert (context.plugin_id, context.clock is clock) == ("fake-runner", True)
    with pytest.raises(PluginMisconfigured):
        assert make_context(FakeRunner, network=False).http


def test_specimens_take_any_field():
    """Every field has a default, and every one can be given; a given id counts as the caller's."""
    assert (an_execution().minted, an_execution(id="mine").minted, an_event(source="x").source) == (True, False, "x")
    context = a_sampling_context(FakeRunner(), an_execution(task_id="t"), rate=0.5)
    assert (context.task.id, context.rate) == ("t", 0.5)


async def test_a_runner_does_what_it_is_told():
    """Task by task: an answer, an error, a delay; and it remembers what it was asked."""
    runner = FakeRunner()
    runner.answers({"n": 1})
    runner.fails(NotExecuted("busy"), task="bad")
    runner.delays(30, task="slow")
    assert await runner.run(a_task(id="good"), "x", 30.0) == {"n": 1}
    with pytest.raises(NotExecuted, match="busy"):
        await runner.run(a_task(id="bad"), None, 30.0)
    with pytest.raises(ProgramOverran):
        await asyncio.wait_for(runner.run(a_task(id="slow"), None, 0.02), 20)
    assert [(each.task_id, each.input) for each in runner.calls] == [("good", "x"), ("bad", None), ("slow", None)]
    runner.forget()
    assert runner.calls == []
