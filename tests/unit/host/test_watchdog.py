"""The watchdog beside real loops that are really blocked."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from types import FrameType, SimpleNamespace
from typing import Any

import pytest
import uvloop

from hotplane.host.attribution import PluginFrames
from hotplane.host.watchdog import Blockage, Watchdog, WatchdogSettings
from hotplane.plugins import Plugin, Validator
from hotplane.records import PluginMetadata
from tests.pace import kept

QUICK = WatchdogSettings(threshold_seconds=0.2, interval_seconds=0.02)
"""The same machinery as by default, five times as quick."""


class Blocking(Validator):
    """A plugin that blocks the loop until a watchdog, which begins to watch only then, notices."""

    metadata = PluginMetadata(name="blocking", version="1.0")

    def validate(self, execution: Any, context: Any) -> None:
        execution.start(asyncio.get_running_loop())
        while execution._open is None:
            time.sleep(0.01)


class Plugged:
    """A registry's entry, as far as attribution is concerned."""

    def __init__(self, id: str, plugin: Plugin[Any]) -> None:
        self.id = id
        self.plugin = plugin


def nobody(frame: FrameType) -> str | None:
    """Attribute no frame to a plugin."""
    return None


def block_the_loop(watchdog: Watchdog, longer: float = 0.3) -> None:
    """Block until it is noticed, and a moment longer; the name is looked for in the stack.

    The watch begins here, if it has not: a thread that stands still before would be noticed at another place.
    """
    watchdog.start(asyncio.get_running_loop())
    gives_up_at = time.monotonic() + 60
    while watchdog._open is None and time.monotonic() < gives_up_at:
        time.sleep(0.01)
    time.sleep(longer)


def noticed_here(watchdog: Watchdog) -> list[Blockage]:
    """Return the blockages that were meant; a machine that stands still makes others."""
    return [each for each in watchdog.stats().latest if "block_the_loop" in each.stack]


Make = Callable[..., Watchdog]


@pytest.fixture
def make() -> Iterator[Make]:
    """Return a function that makes a watchdog; it is stopped at the end."""
    made: list[Watchdog] = []

    def make(settings: WatchdogSettings = QUICK, attribute: Callable[[FrameType], str | None] = nobody) -> Watchdog:
        made.append(Watchdog(settings, attribute))
        return made[-1]

    yield make
    for each in made:
        each.stop()


@pytest.fixture
def patient_join(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every `join` wait long enough for a thread that ends, though the machine stand still."""
    join = threading.Thread.join
    monkeypatch.setattr(threading.Thread, "join", lambda thread, timeout=None: join(thread, 20))


async def settled(watchdog: Watchdog) -> None:
    """Wait until no blockage goes on."""
    async with asyncio.timeout(60):
        while watchdog.stats().ongoing:  # noqa: ASYNC110 - a thread tells no event
            await asyncio.sleep(0.01)


async def test_a_blocked_loop_is_noticed_while_it_is(make: Make) -> None:
    """A loop that is blocked for long is reported within 1.3 s, with the stack, while it is still blocked."""

    async def block() -> None:
        began = time.monotonic()
        watchdog, noticed = make(WatchdogSettings()), list[float]()
        watchdog._log = SimpleNamespace(warning=lambda *_, **__: noticed.append(time.monotonic() - began))  # pyright: ignore[reportAttributeAccessIssue]
        block_the_loop(watchdog, longer=0.01)
        thread = watchdog._thread
        watchdog.stop()
        assert thread is not None
        thread.join(60)
        (blockage,) = watchdog.stats().latest
        assert len(noticed) == 1
        assert noticed[0] >= 0.99
        assert "block_the_loop" in blockage.stack
        assert 1.0 <= blockage.seconds <= time.monotonic() - began

    assert await kept(1.5, block)


@pytest.mark.parametrize("factory", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_callback_that_blocks(
    factory: Callable[[], asyncio.AbstractEventLoop], caplog: pytest.LogCaptureFixture
) -> None:
    """On either kind of loop a blocking callback is logged once, however long it takes."""
    took = list[float]()

    async def main() -> Watchdog:
        watchdog, began = Watchdog(QUICK, nobody), time.monotonic()
        asyncio.get_running_loop().call_soon(block_the_loop, watchdog)
        await asyncio.sleep(0.01)
        await settled(watchdog)
        watchdog.stop()
        took.append(time.monotonic() - began)
        return watchdog

    with asyncio.Runner(loop_factory=factory) as runner, caplog.at_level(logging.WARNING):
        watchdog = runner.run(main())
    (blockage,), stats = noticed_here(watchdog), watchdog.stats()
    assert not blockage.ongoing
    lines = [record.getMessage() for record in caplog.records]
    assert all(line.startswith("loop.blocked plugin=None") for line in lines)
    assert (len(lines), sum("block_the_loop" in line for line in lines)) == (stats.blockages, 1)
    functions = [line.rpartition(" in ")[2] for line in blockage.stack.splitlines() if line.startswith("  File")]
    assert (functions[0], functions.count("block_the_loop")) == ("block_the_loop", 1)
    assert functions[1:2] in ([], ["start"])  # the thread may run before `start` is over
    assert 0.49 <= blockage.seconds <= stats.seconds <= took[0]


def test_a_loop_that_is_blocked_before_it_ever_answered() -> None:
    """It is reported, although nothing is known of its thread yet, and so neither plugin nor stack."""

    async def block() -> Blockage:
        block_the_loop(watchdog)
        (noticed,) = watchdog.stats().latest
        assert watchdog.stats().blockages == 1
        await settled(watchdog)
        return noticed

    loop, watchdog = asyncio.new_event_loop(), Watchdog(QUICK, nobody)
    watchdog.start(loop)
    noticed = loop.run_until_complete(block())
    watchdog.stop()
    loop.close()
    (blockage,) = (each for each in watchdog.stats().latest if each.at == noticed.at)
    assert (blockage.plugin_id, blockage.stack) == (None, "")


async def test_a_busy_loop_that_answers_is_not_blocked(make: Make) -> None:
    """A loop that computes all the time in short steps is left alone."""
    watchdog = make(WatchdogSettings(threshold_seconds=0.5, interval_seconds=0.02))
    watchdog.start(asyncio.get_running_loop())
    turns = [time.monotonic()]
    while turns[-1] < turns[0] + 1.0:
        time.sleep(0.02)  # noqa: ASYNC251 - a busy loop is the matter here
        await asyncio.sleep(0)
        turns.append(time.monotonic())
    long_steps = sum(after - before > 0.4 for before, after in pairwise(turns))
    assert watchdog.stats().blockages <= long_steps  # of which a machine that never stands still has none


async def test_the_plugin_is_named(make: Make) -> None:
    """Of two instances of one type the blockage names the one whose method runs."""
    entries = [Plugged("a", Blocking()), Plugged("b", Blocking())]
    watchdog = make(attribute=PluginFrames(lambda: entries))
    plugin: Any = entries[1].plugin
    plugin.validate(watchdog, None)
    await settled(watchdog)
    assert watchdog.stats().latest[0].plugin_id == "b"


async def test_the_history_is_bounded(make: Make) -> None:
    """Every blockage counts, and the newest are kept."""
    watchdog = make(WatchdogSettings(threshold_seconds=0.1, interval_seconds=0.01, history=2))
    for _ in range(3):
        block_the_loop(watchdog, longer=0.0)
        await settled(watchdog)
        await asyncio.sleep(0.02)
    stats = watchdog.stats()
    assert stats.blockages >= 3
    assert len(stats.latest) == 2


async def test_a_blockage_can_be_seen_from_outside_while_it_goes_on(make: Make) -> None:
    """Another thread sees the blockage, and how long it takes so far."""
    watchdog, seen = make(), []

    def look() -> None:
        while not (stats := watchdog.stats()).ongoing:
            time.sleep(0.01)
        seen.append(stats)

    outside = threading.Thread(target=look, daemon=True)
    outside.start()
    watchdog.start(asyncio.get_running_loop())
    outside.join(60)
    assert (seen[0].ongoing, seen[0].latest[0].ongoing, seen[0].blockages) == (True, True, 1)
    assert seen[0].seconds >= 0.2


async def test_an_attribution_that_fails_costs_only_the_name(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    """When nobody can say whose code runs, the stack is reported all the same."""

    def attribute(frame: FrameType) -> str | None:
        raise LookupError

    watchdog = make(attribute=attribute)
    block_the_loop(watchdog)
    await settled(watchdog)
    assert watchdog.stats().latest[0].plugin_id is None
    assert "block_the_loop" in watchdog.stats().latest[0].stack


async def test_a_deep_stack_is_cut(make: Make) -> None:
    """Of a very deep stack the innermost frames are kept."""

    def descend(levels: int) -> None:
        descend(levels - 1) if levels else block_the_loop(watchdog)

    watchdog = make()
    descend(300)
    await settled(watchdog)
    stack = watchdog.stats().latest[0].stack
    assert "block_the_loop" in stack
    assert len(stack) < 40 * 400


def test_it_survives_the_loop() -> None:
    """When the loop is closed without `stop`, the thread ends and counts nothing."""

    async def main() -> tuple[Watchdog, threading.Thread]:
        watchdog = Watchdog(WatchdogSettings(threshold_seconds=20, interval_seconds=0.02), nobody)
        watchdog.start(asyncio.get_running_loop())
        assert watchdog._thread is not None
        return watchdog, watchdog._thread

    watchdog, thread = asyncio.run(main())
    thread.join(60)
    assert not thread.is_alive()
    assert watchdog.stats().blockages == 0
    watchdog.stop()


def test_a_loop_that_does_not_run_is_not_blocked() -> None:
    """Between two runs of a loop its silence is no blockage."""
    loop, took = asyncio.new_event_loop(), list[float]()
    watchdog = Watchdog(QUICK, nobody)
    watchdog.start(loop)
    for pause in (0.5, 0.0):
        began = time.monotonic()
        loop.run_until_complete(asyncio.sleep(0.05))
        took.append(time.monotonic() - began)
        time.sleep(pause)
    watchdog.stop()
    loop.close()
    assert watchdog.stats().blockages <= sum(
        each > 0.15 for each in took
    )  # a run of 0.05 s that stood still is blocked


def test_a_loop_that_ends_without_an_answer_was_not_blocked() -> None:
    """A question that the loop's last round left unanswered is no blockage."""
    loop = asyncio.new_event_loop()
    watchdog = Watchdog(QUICK, nobody)
    watchdog.start(loop)
    asked_at = list[float]()

    def await_question() -> None:
        while not watchdog._asked:
            time.sleep(0.001)
        asked_at.append(watchdog._asked)

    loop.call_soon(loop.stop)
    loop.call_soon(await_question)
    loop.run_forever()
    took = time.monotonic() - asked_at[0]
    time.sleep(0.4)
    watchdog.stop()
    loop.close()
    assert watchdog.stats().blockages <= (took > 0.15)  # it takes a millisecond unless the machine stands still


@pytest.mark.usefixtures("patient_join")
async def test_stop_does_not_wait_for_an_answer() -> None:
    """`stop` ends the thread although the loop owes an answer for a minute."""
    watchdog = Watchdog(WatchdogSettings(threshold_seconds=60, interval_seconds=0.01), nobody)
    watchdog.start(asyncio.get_running_loop())
    thread = watchdog._thread
    while not watchdog._asked:
        time.sleep(0.01)  # noqa: ASYNC251 - blocking the loop is the matter here
    watchdog.stop()
    assert thread is not None
    assert not thread.is_alive()


@pytest.mark.usefixtures("patient_join")
async def test_stop_is_quick_and_final() -> None:
    """`stop` ends the thread at once, may be called twice, and `start` begins anew."""
    watchdog = Watchdog(WatchdogSettings(interval_seconds=60), nobody)
    for _ in range(2):
        watchdog.start(asyncio.get_running_loop())
        thread = watchdog._thread
        watchdog.stop()
        watchdog.stop()
        assert thread is not None
        assert not thread.is_alive()


async def test_a_disabled_watchdog_has_no_thread() -> None:
    """Where the settings disable it nothing is started."""
    watchdog = Watchdog(WatchdogSettings(enabled=False), nobody)
    watchdog.start(asyncio.get_running_loop())
    assert watchdog._thread is None


def frame_here(subject: object) -> FrameType:
    """Return this function's frame, whose first argument is `subject`."""
    return sys._getframe()


def test_frames_are_attributed_by_instance_then_by_module() -> None:
    """An instance as first argument is exact; a function beside the class names every instance of its module."""
    entries = [Plugged("b", Blocking()), Plugged("a", Blocking())]
    attribute = PluginFrames(lambda: entries)
    assert attribute(frame_here(entries[0].plugin)) == "b"
    assert attribute(frame_here(None)) == "a or b"
    assert PluginFrames(list)(frame_here(None)) is None


def test_submodules_of_a_generation_belong_to_it() -> None:
    """Code in any module of a plugin package is the plugin's; that of another generation is not."""
    plugin = type("Loaded", (Blocking,), {"__module__": "hotplane_plugins.pack_0123_g2.main"})()
    attribute = PluginFrames(lambda: [Plugged("pack", plugin)])
    namespaces = [{"__name__": f"hotplane_plugins.pack_0123_{name}"} for name in ("g2.deep.er", "g2", "g1", "g22")]
    for namespace in namespaces:
        exec("import sys\ndef frame(): return sys._getframe()", namespace)
    assert [attribute(eval("frame()", namespace)) for namespace in namespaces] == ["pack", "pack", None, None]
