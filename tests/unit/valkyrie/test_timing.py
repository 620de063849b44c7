"""One timer serves many deadlines; the clock of signs stops where nothing is waited for."""

import asyncio
from collections.abc import Callable
from math import inf

from hypothesis import given, settings
from hypothesis import strategies as st

from hotplane.valkyrie.timing import Deadlines, Liveness


class FakeLoop:
    """A loop of which only the timers exist; time moves when told."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timers: list[FakeTimer] = []

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[[], object]) -> "FakeTimer":
        timer = FakeTimer(when, callback)
        self.timers.append(timer)
        return timer

    def call_later(self, delay: float, callback: Callable[[], object]) -> "FakeTimer":
        return self.call_at(self.now + delay, callback)

    def advance(self, to: float) -> None:
        """Fire what is due, in order."""
        while due := [timer for timer in self.timers if timer.when <= to]:
            first = min(due, key=lambda timer: timer.when)
            self.timers.remove(first)
            self.now = max(self.now, first.when)
            if not first.cancelled:
                first.callback()
        self.now = to


class FakeTimer:
    def __init__(self, when: float, callback: Callable[[], object]) -> None:
        self.when = when
        self.callback = callback
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


def as_loop(loop: FakeLoop) -> asyncio.AbstractEventLoop:
    """Pass the fake for what it stands for."""
    return loop  # pyright: ignore[reportReturnType]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 50), st.booleans()), max_size=30))
def test_every_deadline_expires_in_time_and_none_early(calls: list[tuple[int, int, bool]]):
    """Whatever the order in which calls begin, those that are still open expire within two milliseconds."""
    loop, waiting, expired = FakeLoop(), dict[int, float](), dict[int, float]()

    def expire(now: float) -> float:
        for number, deadline in list(waiting.items()):
            if deadline <= now:
                expired[number] = loop.now
                del waiting[number]
        return min(waiting.values(), default=inf)

    deadlines = Deadlines(as_loop(loop), expire)
    due: dict[int, float] = {}
    for number, (begin, length, answered) in enumerate(sorted(calls)):
        loop.advance(float(begin))
        deadline = begin + length / 7
        deadlines.add(deadline)
        if not answered:
            waiting[number] = due[number] = deadline
    loop.advance(200.0)
    assert expired.keys() == due.keys()
    assert all(-0.0011 <= expired[number] - due[number] <= 0.002 for number in due)


def test_later_deadlines_set_no_timer():
    """Only an earlier deadline than all others costs a timer."""
    loop = FakeLoop()
    deadlines = Deadlines(as_loop(loop), lambda _: inf)
    for deadline in (5.0, 6.0, 7.0, 4.0, 8.0):
        deadlines.add(deadline)
    assert len(loop.timers) == 2


def test_a_stopped_clock_wakes_nobody():
    """After the connection's end nothing fires."""
    loop, woken = FakeLoop(), list[float]()
    deadlines = Deadlines(as_loop(loop), lambda now: woken.append(now) or inf)
    deadlines.add(1.0)
    deadlines.stop()
    loop.advance(10.0)
    assert woken == []


class Watched:
    """A connection as its clock sees it."""

    def __init__(self) -> None:
        self.loop = FakeLoop()
        self.busy = True
        self.signs: tuple[int, int, int] = (0, 0, 0)
        self.pings: list[float] = []
        self.lost: list[float] = []
        self.clock = Liveness(
            as_loop(self.loop), interval=0.5, misses=2,
            busy=lambda: self.busy, signs=lambda: self.signs,
            ping=lambda: self.pings.append(self.loop.now), lost=lambda _: self.lost.append(self.loop.now),
        )  # fmt: skip


def test_two_misses_in_a_row_mean_lost():
    """Pings after 0.5 and 1 s, lost after 1.5 s; then the clock stands."""
    watched = Watched()
    watched.clock.start()
    watched.loop.advance(10.0)
    assert (watched.pings, watched.lost) == ([0.5, 1.0], [1.5])
    assert not watched.clock.running


def test_a_sign_between_two_misses_begins_the_count_anew():
    """One missed interval is no harm."""
    watched = Watched()
    watched.clock.start()
    watched.loop.advance(1.2)
    watched.signs = (1, 20, 0)
    watched.loop.advance(2.2)
    assert watched.lost == []
    watched.loop.advance(3.0)
    assert watched.lost == [2.5]


def test_nothing_to_wait_for_stops_the_clock():
    """An idle connection is not asked, and begins anew with the next call."""
    watched = Watched()
    watched.clock.start()
    watched.busy = False
    watched.loop.advance(5.0)
    assert (watched.pings, watched.clock.running) == ([], False)
    watched.busy = True
    watched.clock.start()
    watched.loop.advance(6.0)
    assert watched.pings == [5.5, 6.0]
