"""Running programs: the answer comes by the deadline, and every failure is the program's own."""

import asyncio
import inspect
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotplane.errors import Overloaded, TooManyStuckThreads
from hotplane.plugins import ProgramFailed
from hotplane.programs import Program, Programs, ProgramSettings
from hotplane.values import equal

BOUND = 60.0
"""Seconds within which something that has to happen has happened."""


@pytest.fixture
def programs():
    """Give programs with small limits."""
    made = Programs(ProgramSettings(max_threads=4, max_stuck=2, max_stuck_tasks=2))
    yield made
    made.close()


@pytest.fixture
def release():
    """Give an event that is set when the test ends."""
    event = threading.Event()
    yield event
    event.set()


def program(function):
    """Return `function` as a program."""
    return Program("tests:it", function, inspect.iscoroutinefunction(function))


def either_way(function):
    """Return a program that calls `function` in a thread, and one that does it on the loop."""

    async def on_loop(value):
        return function(value)

    return [program(function), program(on_loop)]


async def until(condition):
    """Wait until `condition()` is true."""
    limit = time.monotonic() + BOUND
    while not condition():
        assert time.monotonic() < limit, "the condition did not come true in time"
        await asyncio.sleep(0.001)


async def failure(programs, function):
    """Return the failures of `function`, run as a sync and as an async program."""
    found = []
    for made in either_way(function):
        with pytest.raises(ProgramFailed) as caught:
            await programs.run(made, {"text": "hi"}, BOUND)
        assert caught.value.__context__ is None
        found.append(caught.value.failure)
    assert [f.type for f in found] == [found[0].type] * 2
    assert found[0].message == found[1].message
    return found[0]


@pytest.mark.parametrize("made", either_way(lambda value: {"got": value, "more": (1, 2.5, None)}))
async def test_a_program_turns_input_into_output(programs, made):
    """Sync and async programs answer alike, in plain JSON types."""
    assert await programs.run(made, [1], BOUND) == {"got": [1], "more": [1, 2.5, None]}


async def test_a_program_cannot_change_the_recorded_input(programs):
    """It works on a copy."""
    given = {"list": [1]}
    for made in either_way(lambda value: value["list"].append(2)):
        await programs.run(made, given, BOUND)
    assert given == {"list": [1]}


async def test_a_program_cannot_change_its_output_afterwards(programs):
    """What is recorded shares nothing with what the program keeps."""
    kept = [1]
    for made in either_way(lambda _: kept):
        assert await programs.run(made, None, BOUND) is not kept


async def test_a_sync_program_may_return_an_awaitable(programs):
    """A function that is not marked async but gives a coroutine is awaited on the loop."""

    async def inner(value):
        await asyncio.sleep(0)
        return [value, threading.current_thread() is threading.main_thread()]

    assert await programs.run(Program("tests:it", inner, is_async=False), 7, BOUND) == [7, True]


async def test_an_exception_is_a_failure_with_the_programs_frames(programs):
    """Type, message and traceback are the program's; the host's frames are left out."""

    def explode(value):
        raise LookupError(f"no {value['text']}")

    found = await failure(programs, explode)
    assert (found.type, found.message) == ("LookupError", "no hi")
    assert "in explode" in found.traceback
    assert "hotplane/programs" not in found.traceback


@pytest.mark.parametrize(
    "error",
    [
        TimeoutError("mine"),
        asyncio.CancelledError("mine"),
        SystemExit("mine"),
        KeyboardInterrupt("mine"),
        GeneratorExit("mine"),
    ],
)
async def test_whatever_a_program_raises_is_its_failure(programs, error):
    """A timeout or cancellation of its own is no deadline, and SystemExit does not end the host."""

    def leave(_):
        raise error

    found = await failure(programs, leave)
    assert (found.type, found.message) == (type(error).__name__, "mine")


async def test_an_endless_message_is_cut(programs):
    """Message and traceback keep within their limits, whatever the program says."""

    def shout(_):
        raise ValueError("x" * 1_000_000)

    found = await failure(programs, shout)
    assert len(found.message) == 2_000
    assert len(found.traceback) <= 8_000


async def test_an_endless_recursion_leaves_a_short_traceback(programs):
    """Only the innermost frames are kept."""

    def again(value):
        return again(value) + 1

    found = await failure(programs, again)
    assert found.type == "RecursionError"
    assert len(found.traceback) <= 8_000


async def test_an_error_that_cannot_be_shown_is_still_a_failure(programs):
    """An exception whose text raises is recorded without its text."""

    class Mute(Exception):
        def __str__(self):
            raise SystemExit

    def raise_mute(_):
        raise Mute

    found = await failure(programs, raise_mute)
    assert (found.type, found.message) == ("Mute", "(its message cannot be shown: SystemExit)")


async def test_a_message_with_a_lone_surrogate_can_be_stored(programs):
    """What UTF-8 cannot hold is written as an escape."""

    def odd(_):
        raise ValueError("\ud800")

    assert (await failure(programs, odd)).message == "\\ud800"


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ({"a": [1, float("nan")]}, "the number nan (at /a/1)"),
        ({"a": {1, 2}}, "an object of type set (at /a)"),
        ({1: 2}, "a key of type int"),
        (2**64, "an integer outside"),
    ],
)
async def test_an_output_that_is_not_json_is_a_failure_with_its_place(programs, output, message):
    """The failure says what is wrong and where."""
    found = await failure(programs, lambda _: output)
    assert found.type == "not-json"
    assert message in found.message


async def test_an_output_that_raises_when_read_is_a_failure(programs):
    """A subclass of dict is code too."""

    class Trap(dict[str, int]):
        def items(self):
            raise OSError("trap")

    assert (await failure(programs, lambda _: Trap(a=1))).type == "OSError"


async def test_a_sync_program_that_hangs_times_out_on_time(programs, release):
    """The caller goes on within 50 ms of the deadline, and the thread counts as stuck until it returns."""
    started = time.monotonic()
    with pytest.raises(TimeoutError):
        await programs.run(program(lambda _: release.wait(60)), None, 0.1)
    assert 0.095 <= time.monotonic() - started < 60
    assert programs.stuck_threads == 1
    release.set()
    await until(lambda: programs.stuck_threads == 0)


async def test_an_async_program_is_cancelled_at_the_deadline(programs):
    """It may clean up, and nothing of it is left."""
    cleaned = asyncio.Event()

    async def wait(_):
        try:
            await asyncio.sleep(60)
        finally:
            cleaned.set()

    with pytest.raises(TimeoutError):
        await programs.run(program(wait), None, 0.02)
    await asyncio.wait_for(cleaned.wait(), BOUND)
    await until(lambda: programs.stuck_tasks == 0)


async def test_an_async_program_that_swallows_its_cancellation_is_abandoned(programs):
    """The caller goes on, the task counts as stuck until it ends, and its late failure disturbs nobody."""
    release = asyncio.Event()

    async def stubborn(_):
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue
        raise ValueError("late")

    with pytest.raises(TimeoutError):
        await programs.run(program(stubborn), None, 0.02)
    await asyncio.sleep(0)
    assert programs.stuck_tasks == 1
    release.set()
    await until(lambda: programs.stuck_tasks == 0)


async def test_too_many_stubborn_async_programs_are_refused(programs):
    """What ignores its cancellation does not pile up for ever."""
    release = asyncio.Event()

    async def stubborn(_):
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue

    for _ in range(2):
        with pytest.raises(TimeoutError):
            await programs.run(program(stubborn), None, 0.01)
    with pytest.raises(Overloaded, match="max_stuck_tasks"):
        await programs.run(program(stubborn), None, BOUND)
    release.set()
    await until(lambda: programs.stuck_tasks == 0)


async def test_an_async_program_that_blocks_the_loop_past_its_deadline_is_late(programs):
    """Its answer comes when the loop is free again, and it is a timeout, not a success."""

    async def block(_):
        time.sleep(0.05)  # noqa: ASYNC251 (that is what it is about)
        return "too late"

    with pytest.raises(TimeoutError):
        await programs.run(program(block), None, 0.01)


async def test_an_awaitable_of_a_sync_program_has_only_the_time_that_is_left(programs, monkeypatch):
    """One deadline covers the thread and the loop: of an hour, of which the thread takes nearly all."""
    passed = [0.0]
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: time.monotonic() + passed[0])

    async def inner():
        await asyncio.Event().wait()

    def slow(_):
        passed[0] = 3599.9
        return inner()

    with pytest.raises(TimeoutError):
        await programs.run(program(slow), None, 3600.0)


@pytest.mark.parametrize("made", either_way(lambda value: value))
async def test_no_time_left_is_a_timeout_without_a_run(programs, made):
    """At a deadline of zero the program is not started."""
    with pytest.raises(TimeoutError):
        await programs.run(made, None, 0.0)


async def test_a_cancelled_caller_cancels_an_async_program(programs):
    """Nobody waits, so the program is told to stop."""
    entered, cancelled = asyncio.Event(), asyncio.Event()

    async def wait(_):
        entered.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    caller = asyncio.create_task(programs.run(program(wait), None, 30))
    await entered.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    await asyncio.wait_for(cancelled.wait(), BOUND)


async def test_a_cancelled_caller_abandons_a_sync_program(programs, release):
    """The thread counts as stuck only while it runs."""
    entered = threading.Event()

    def hang(_):
        entered.set()
        release.wait(60)

    caller = asyncio.create_task(programs.run(program(hang), None, 30))
    await until(entered.is_set)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert programs.stuck_threads == 1
    release.set()
    await until(lambda: programs.stuck_threads == 0)


async def test_stuck_programs_are_refused_beyond_the_limit(programs, release):
    """At `max_stuck` hanging threads further sync programs are refused at once."""
    hang = program(lambda _: release.wait(60))
    for _ in range(2):
        with pytest.raises(TimeoutError):
            await programs.run(hang, None, 0.02)
    with pytest.raises(TooManyStuckThreads):
        await programs.run(hang, None, BOUND)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(json_values)
@settings(max_examples=50, deadline=None)
def test_every_json_value_goes_through_unchanged(value):
    """What goes in comes out, by thread and by loop."""

    async def through():
        made = Programs()
        try:
            return [await made.run(one, value, BOUND) for one in either_way(lambda given: given)]
        finally:
            made.close()

    assert all(equal(value, output) for output in asyncio.run(through()))
