"""The thread pool: nobody waits longer than they said, whatever a function does."""

import asyncio
import gc
import threading
import time
import weakref
from contextlib import suppress
from contextvars import ContextVar

import pytest

from hotplane.errors import Overloaded, ShuttingDown, TooManyStuckThreads
from hotplane.programs import DaemonThreads, ThreadExit
from hotplane.programs.jobs import Job

BOUND = 60.0
"""Seconds within which something that has to happen has happened."""


class Gate:
    """A function that says when it runs and then hangs until the test lets it go."""

    def __init__(self):
        self.entered = threading.Semaphore(0)
        self.opened = threading.Event()
        self.left = threading.Semaphore(0)

    def __call__(self):
        self.entered.release()
        assert self.opened.wait(BOUND)
        self.left.release()
        return "late"

    async def wait_entered(self):
        assert await asyncio.to_thread(self.entered.acquire, True, BOUND)

    async def open(self):
        self.opened.set()


async def until(condition):
    """Wait until `condition()` is true."""
    limit = time.monotonic() + BOUND
    while not condition():
        assert time.monotonic() < limit, "the condition did not come true in time"
        await asyncio.sleep(0.001)


@pytest.fixture
def gate():
    """Give a gate that is open when the test ends."""
    made = Gate()
    yield made
    made.opened.set()


@pytest.fixture
def pools():
    """Give a maker of pools that are closed when the test ends."""
    made = []

    def make(**limits):
        made.append(DaemonThreads(**limits))
        return made[-1]

    yield make
    for pool in made:
        pool.close()


async def test_a_call_returns_what_the_function_returns(pools):
    """Arguments go in, the result comes out."""
    assert await pools().call(divmod, 7, 2) == (3, 1)


async def test_a_call_runs_in_a_daemon_thread_with_the_callers_context(pools):
    """Context variables are visible in the thread, and changes do not leak back."""
    variable = ContextVar("variable", default="outside")
    variable.set("caller")

    def look():
        seen = variable.get()
        variable.set("thread")
        return seen, threading.current_thread().daemon

    assert await pools().call(look) == ("caller", True)
    assert variable.get() == "caller"


async def test_an_exception_reaches_the_caller(pools):
    """What the function raises is raised where it was called."""
    with pytest.raises(ZeroDivisionError):
        await pools().call(divmod, 1, 0)


@pytest.mark.parametrize(
    "error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit(), StopIteration(), asyncio.CancelledError()]
)
async def test_what_a_loop_cannot_carry_is_wrapped_and_the_thread_lives(pools, error):
    """SystemExit and its like neither end the thread nor the loop."""
    pool = pools(max_threads=1)

    def leave():
        raise error

    with pytest.raises(ThreadExit) as caught:
        await pool.call(leave)
    assert caught.value.error is error
    assert await pool.call(int) == 0
    assert pool.threads == 1


async def test_idle_threads_are_reused(pools):
    """One call after the other needs one thread."""
    pool = pools()
    assert len({await pool.call(threading.get_ident) for _ in range(20)}) == 1
    assert pool.threads == 1


async def test_a_caller_goes_on_when_its_time_is_up(pools, gate):
    """The timeout comes on time although the function hangs, and its thread counts as stuck."""
    pool = pools()
    started = time.monotonic()
    with pytest.raises(TimeoutError):
        await pool.call(gate, timeout=0.05)
    assert 0.045 <= time.monotonic() - started < 60
    assert pool.stuck == 1


async def test_no_time_left_means_not_started(pools):
    """A timeout of zero refuses at once, without a thread."""
    pool = pools()
    with pytest.raises(TimeoutError):
        await pool.call(int, timeout=0)
    assert pool.threads == 0


async def test_a_stuck_thread_is_replaced_and_leaves_when_it_returns(pools, gate):
    """With one thread and that one stuck, the next call still runs; later the stuck one goes."""
    pool = pools(max_threads=1)
    with pytest.raises(TimeoutError):
        await pool.call(gate, timeout=0.02)
    assert await pool.call(int, timeout=BOUND) == 0
    assert pool.threads == 2
    await gate.open()
    await until(lambda: pool.stuck == 0)
    assert pool.threads == 1


async def test_a_waiting_call_gets_the_thread_that_replaces_a_stuck_one(pools, gate):
    """A call that waits in the queue runs as soon as the thread before it is given up."""
    pool = pools(max_threads=1)
    overrunning = asyncio.create_task(pool.call(gate, timeout=0.05))
    await gate.wait_entered()
    assert await pool.call(int, timeout=BOUND) == 0
    with pytest.raises(TimeoutError):
        await overrunning


async def test_calls_are_refused_with_too_many_stuck_threads(pools, gate):
    """At `max_stuck` calls fail at once; when one thread returns they work again."""
    pool = pools(max_threads=4, max_stuck=2)
    for _ in range(2):
        with pytest.raises(TimeoutError):
            await pool.call(gate, timeout=0.02)
    with pytest.raises(TooManyStuckThreads) as refused:
        await pool.call(int)
    assert (refused.value.stuck, refused.value.limit) == (2, 2)
    await gate.open()
    await until(lambda: pool.stuck < 2)
    assert await pool.call(int) == 0


async def test_waiting_calls_fail_when_no_thread_is_left(pools, gate):
    """When the last allowed thread sticks, those who wait for it hear of it instead of waiting for ever."""
    pool = pools(max_threads=1, max_stuck=1)
    overrunning = asyncio.create_task(pool.call(gate, timeout=0.05))
    await gate.wait_entered()
    with pytest.raises(TooManyStuckThreads):
        await asyncio.wait_for(pool.call(int), BOUND)
    with pytest.raises(TimeoutError):
        await overrunning


async def test_a_waiting_call_whose_time_is_up_never_runs(pools, gate):
    """A withdrawn call leaves the queue and is not run when a thread comes free."""
    pool = pools(max_threads=1)
    ran = []
    busy = asyncio.create_task(pool.call(gate))
    await gate.wait_entered()
    with pytest.raises(TimeoutError):
        await pool.call(ran.append, 1, timeout=0.02)
    assert pool.queued == 0
    await gate.open()
    assert await busy == "late"
    await pool.call(int)
    assert (ran, pool.stuck) == ([], 0)


async def test_a_cancelled_caller_withdraws_a_waiting_call(pools, gate):
    """Cancellation empties the queue as a timeout does."""
    pool = pools(max_threads=1)
    busy = asyncio.create_task(pool.call(gate))
    await gate.wait_entered()
    waiting = asyncio.create_task(pool.call(int))
    await until(lambda: pool.queued == 1)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert pool.queued == 0
    await gate.open()
    await busy


async def test_a_cancelled_caller_abandons_a_running_call_until_it_returns(pools, gate):
    """The thread counts as stuck only as long as it runs."""
    pool = pools()
    running = asyncio.create_task(pool.call(gate))
    await gate.wait_entered()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert pool.stuck == 1
    await gate.open()
    await until(lambda: pool.stuck == 0)


async def test_a_full_queue_refuses(pools, gate):
    """A call beyond the limit fails at once and names the setting."""
    pool = pools(max_threads=1, queue_limit=1)
    busy = asyncio.create_task(pool.call(gate))
    await gate.wait_entered()
    waiting = asyncio.create_task(pool.call(int))
    await until(lambda: pool.queued == 1)
    with pytest.raises(Overloaded, match=r"programs\.queue_limit"):
        await pool.call(int)
    await gate.open()
    await asyncio.gather(busy, waiting)


async def test_no_thread_to_be_had_is_an_overload(pools, monkeypatch):
    """When the system gives no thread the call is refused, and the next one tries again."""
    pool = pools()

    def refuse(thread):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(Overloaded):
            await pool.call(int)
    assert await pool.call(int) == 0


async def test_close_fails_waiting_calls_and_finishes_running_ones(pools, gate):
    """A running call still answers; a waiting one and a new one are refused; no thread is left."""
    pool = pools(max_threads=1)
    running = asyncio.create_task(pool.call(gate))
    await gate.wait_entered()
    waiting = asyncio.create_task(pool.call(int))
    await until(lambda: pool.queued == 1)
    pool.close()
    for refused in (waiting, pool.call(int)):
        with pytest.raises(ShuttingDown):
            await refused
    await gate.open()
    assert await running == "late"
    await until(lambda: pool.threads == 0)


async def test_close_sends_idle_threads_home(pools):
    """Idle threads end, they are not only forgotten."""
    pool = pools()
    thread = await pool.call(threading.current_thread)
    pool.close()
    thread.join(BOUND)
    assert not thread.is_alive()


async def test_a_coroutine_that_comes_too_late_is_closed(pools, gate):
    """A late result that wants to be awaited gives no warning."""
    pool = pools()

    async def unwanted():
        raise AssertionError

    def make():
        gate()
        return unwanted()

    with pytest.raises(TimeoutError):
        await pool.call(make, timeout=0.02)
    await gate.open()
    await until(lambda: pool.stuck == 0)
    gc.collect()


async def test_an_idle_thread_keeps_nothing_of_its_last_call(pools):
    """Arguments and results are freed when the caller lets go of them."""

    class Big:
        pass

    pool = pools()
    big = Big()
    seen = weakref.ref(big)
    await pool.call(lambda value: value, big)
    del big
    await until(lambda: seen() is None)


def test_several_loops_share_a_pool(pools):
    """Callers on loops in different threads each get their own answers."""
    pool = pools(max_threads=4)
    answers = []

    async def ask(start):
        return await asyncio.gather(*(pool.call(abs, -n, timeout=BOUND) for n in range(start, start + 200)))

    loops = [threading.Thread(target=lambda n=n: answers.append(asyncio.run(ask(n)))) for n in (0, 1000, 2000)]
    for loop in loops:
        loop.start()
    for loop in loops:
        loop.join(BOUND)
    assert sorted(answers) == [list(range(n, n + 200)) for n in (0, 1000, 2000)]


def test_a_loop_that_is_gone_harms_nobody(pools, gate):
    """A call that ends after its caller's loop was closed is dropped, and the thread serves the next loop."""
    pool = pools(max_threads=1, max_stuck=2)

    async def leave():
        pending = asyncio.ensure_future(pool.call(gate))
        await gate.wait_entered()
        pending.cancel()
        with suppress(asyncio.CancelledError):
            await pending

    asyncio.run(leave())
    gate.opened.set()
    assert asyncio.run(pool.call(int, timeout=BOUND)) == 0


def test_a_closed_loop_is_forgotten(pools):
    """A loop that was closed before it fetched an answer is freed when the next loop comes."""
    pool = pools()
    loop = asyncio.new_event_loop()
    seen = weakref.ref(loop)
    outbox = pool._outbox(loop)
    outbox.post(Job(loop, outbox, int))
    loop.close()
    del loop, outbox
    assert asyncio.run(pool.call(int, timeout=BOUND)) == 0
    gc.collect()
    assert seen() is None


async def test_hundreds_of_concurrent_calls_some_overrunning(pools):
    """Every caller gets its own answer or its timeout, limits hold, and at the end nothing is left over."""
    pool = pools(max_threads=8, max_stuck=64, queue_limit=2000)
    most = 0

    def work(number, seconds):
        if seconds:
            time.sleep(seconds)
        return number

    async def one(number):
        nonlocal most
        overruns, leaves = number % 40 == 0, number % 33 == 1
        call = asyncio.ensure_future(
            pool.call(work, number, 0.15 if overruns else 0, timeout=0.05 if overruns else BOUND)
        )
        if leaves:
            asyncio.get_running_loop().call_soon(call.cancel)
        try:
            result = await call
        except TimeoutError:
            result = "timeout"
        except asyncio.CancelledError:
            result = "cancelled"
        most = max(most, pool.threads)
        allowed = {number, "timeout"} if overruns else {number}
        assert result in (allowed | {"cancelled"} if leaves else allowed)
        return result

    results = await asyncio.gather(*(one(number) for number in range(1200)))
    assert "timeout" in results
    assert most <= 8 + 64
    await until(lambda: pool.stuck == 0 and pool.queued == 0)
    assert pool.threads <= 8
    assert await pool.call(int, timeout=BOUND) == 0
