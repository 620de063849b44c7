"""A place is given to one caller at a time, first come, first served, whatever is cancelled in between."""

import asyncio

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from hotplane.valkyrie import DeadlineExceeded, PeerOverloaded
from hotplane.valkyrie.window import Window


def window(size: int = 1, max_waiting: int = 10) -> Window:
    """Return a window of the running loop."""
    return Window(asyncio.get_running_loop(), size, max_waiting)


def soon() -> float:
    """Return a deadline that no test reaches."""
    return asyncio.get_running_loop().time() + 50


async def started(*waiting: "asyncio.Task[None]") -> None:
    """Let these tasks begin to wait."""
    for _ in waiting:
        await asyncio.sleep(0)


async def test_a_freed_place_goes_to_who_waited_longest():
    """Waiters are served in their order, and nobody overtakes them."""
    places, order = window(), list[str]()

    async def take(name: str) -> None:
        await places.take(soon())
        order.append(name)

    await take("first")
    tasks = [asyncio.create_task(take(name)) for name in ("second", "third")]
    await started(*tasks)
    places.give_back()
    assert not places.try_take()
    await tasks[0]
    places.give_back()
    await tasks[1]
    assert order == ["first", "second", "third"]


async def test_too_many_waiters_are_refused_at_once():
    """The queue in front of a full window is bounded too."""
    places = window(max_waiting=0)
    assert places.try_take()
    with pytest.raises(PeerOverloaded, match="max_waiting") as caught:
        await places.take(soon())
    assert caught.value.executed == "no"


async def test_waiting_ends_at_the_deadline():
    """A caller does not wait longer than its call may last."""
    places = window()
    places.try_take()
    with pytest.raises(DeadlineExceeded) as caught:
        await places.take(asyncio.get_running_loop().time() + 0.01)
    assert caught.value.executed == "no"
    assert places.waiting == 0


async def test_a_place_handed_to_a_cancelled_waiter_is_not_lost():
    """Cancellation in the same turn as the hand-over passes the place on."""
    places = window()
    places.try_take()
    doomed = asyncio.create_task(places.take(soon()))
    next_one = asyncio.create_task(places.take(soon()))
    await started(doomed, next_one)
    places.give_back()
    doomed.cancel()
    await next_one
    assert places.taken == 1


async def test_a_closed_window_gives_no_place_until_it_opens():
    """While the peer does not read, nobody gets one."""
    places = window(size=2)
    places.closed = True
    assert not places.try_take()
    waiting = asyncio.create_task(places.take(soon()))
    await started(waiting)
    places.closed = False
    places.wake()
    await waiting
    assert places.taken == 1


async def test_a_waiter_that_was_cancelled_first_is_passed_over():
    """Cancellation in the same turn as the hand-over, the other way round: the place goes to the next."""
    places = window()
    places.try_take()
    doomed = asyncio.create_task(places.take(soon()))
    next_one = asyncio.create_task(places.take(soon()))
    await started(doomed, next_one)
    doomed.cancel()
    places.give_back()
    await next_one
    assert places.taken == 1


async def test_a_place_that_comes_as_the_deadline_passes_is_kept(monkeypatch):
    """Who was handed a place has it, though its time to wait is over in the same turn."""
    loop, places = asyncio.get_running_loop(), window()
    began = loop.time()
    monkeypatch.setattr(loop, "time", lambda: began)
    mishaps = list[object]()
    loop.set_exception_handler(lambda _, context: mishaps.append(context))
    places.try_take()
    deadline = began + 0.1
    waiting = asyncio.create_task(places.take(deadline))
    await started(waiting)
    loop.call_at(deadline - 0.01, places.give_back)
    monkeypatch.setattr(loop, "time", lambda: began + 0.15)  # both are due in the same turn
    await waiting
    assert (places.taken, mishaps) == (1, [])


async def test_when_all_are_refused_the_cancelled_stays_cancelled():
    """Everybody else gets an error of its own."""
    places = window()
    places.try_take()
    tasks = [asyncio.create_task(places.take(soon())) for _ in range(3)]
    await started(*tasks)
    tasks[1].cancel()
    places.refuse_all(lambda: PeerOverloaded("no more"))
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(end) for end in ends] == [PeerOverloaded, asyncio.CancelledError, PeerOverloaded]
    assert ends[0] is not ends[2]
    assert places.waiting == 0


class WindowMachine(RuleBasedStateMachine):
    """Takes, gives back and cancels in any order, against plain counting."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.window = Window(self.loop, 2, 3)
        self.held = 0
        self.tasks: list[asyncio.Task[None]] = []

    def settle(self) -> None:
        for _ in range(3):
            self.loop.run_until_complete(asyncio.sleep(0))
        done = [task for task in self.tasks if task.done()]
        self.tasks = [task for task in self.tasks if not task.done()]
        self.held += sum(not task.cancelled() and task.exception() is None for task in done)

    @rule()
    def take(self) -> None:
        self.tasks.append(self.loop.create_task(self.window.take(self.loop.time() + 60)))
        self.settle()

    @precondition(lambda self: self.held)
    @rule(cancel=st.booleans())
    def give_back(self, cancel: bool) -> None:
        self.held -= 1
        self.window.give_back()
        if cancel and self.tasks:
            self.tasks[0].cancel()
        self.settle()

    @precondition(lambda self: self.tasks)
    @rule(which=st.integers(min_value=0, max_value=5))
    def cancel(self, which: int) -> None:
        self.tasks[which % len(self.tasks)].cancel()
        self.settle()

    @invariant()
    def counts_agree(self) -> None:
        """Places are neither lost nor given twice, and nobody waits beside a free one."""
        assert self.window.taken == self.held <= 2
        assert self.window.waiting == len(self.tasks) <= 3
        assert not (self.window.waiting and self.held < 2)

    def teardown(self) -> None:
        for task in self.tasks:
            task.cancel()
        self.settle()
        self.loop.close()


TestWindowMachine = WindowMachine.TestCase
TestWindowMachine.settings = hypothesis_settings(max_examples=40, stateful_step_count=30, deadline=None)
