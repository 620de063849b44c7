"""Breakers under threads: permits are never given twice, counters add up, listeners hear in order."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from itertools import pairwise
from random import Random
from threading import Barrier, Event, Lock, Thread
from typing import Any

import pytest

from hotplane.routing import Breaker, BreakerSettings, BreakerState, Transition

THREADS = 8


@pytest.fixture(autouse=True)
def switch_often() -> Iterator[None]:
    """Let the interpreter change threads every few instructions, so that races have a chance to show."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def run_in_threads(work: Callable[[int], None]) -> None:
    """Run `work` in eight threads that begin together; fail with the first error of any."""
    errors: list[BaseException] = []
    begin = Barrier(THREADS)

    def body(index: int) -> None:
        try:
            begin.wait(60)
            work(index)
        except BaseException as error:
            errors.append(error)

    threads = [Thread(target=body, args=(index,), daemon=True) for index in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not any(thread.is_alive() for thread in threads)
    if errors:
        raise errors[0]


@pytest.mark.parametrize("permits", [1, 3, 20])
def test_half_open_gives_its_permits_once_to_all_threads_together(bench: Any, permits: int) -> None:
    """Eight threads with fifty calls each get as many probes as there are permits."""
    b = bench(half_open_permits=permits)
    b.trip()
    b.clock.advance(5.0)
    given: list[object] = []
    run_in_threads(lambda _: given.extend(p for p in (b.breaker.admit() for _ in range(50)) if p))
    assert len(given) == permits
    counters = b.breaker.snapshot().counters
    assert (counters.admitted, counters.rejected) == (4 + permits, THREADS * 50 - permits)


def test_probes_in_flight_never_exceed_the_permits_under_fire() -> None:
    """Through hundreds of trips, with cancelled, failed and slow probes, each half-open keeps to its three permits."""
    settings = BreakerSettings(
        minimum_calls=5, window_calls=10, open_seconds=0.0002, open_max_seconds=0.0004, healthy_seconds=0.0
    )
    heard: list[Transition] = []
    breaker = Breaker("engine", settings, on_transition=heard.append)
    probing: dict[int, int] = {}
    most = Lock()
    broken: list[str] = []

    def work(index: int) -> None:
        random = Random(index)
        for _ in range(3000):
            permit = breaker.admit()
            if not permit:
                continue
            snapshot = breaker.snapshot()
            if snapshot.probes > 3:
                broken.append(f"{snapshot.probes} probes")
            with most:
                probing[permit.generation] = probing.get(permit.generation, 0) + 1
            draw = random.random()
            if draw < 0.1:
                with most:
                    probing[permit.generation] -= 1
                permit.cancelled()
            elif draw < 0.6:
                permit.failure(0.0)
            else:
                permit.success(0.0)

    run_in_threads(work)
    counters = breaker.snapshot().counters
    assert not broken
    assert counters.admitted == counters.succeeded + counters.failed + counters.cancelled + counters.stale
    assert counters.admitted + counters.rejected == THREADS * 3000
    assert counters.transitions == len(heard) > 10
    half_open = {t.generation for t in heard if t.state is BreakerState.HALF_OPEN}
    assert max(count for generation, count in probing.items() if generation in half_open) <= 3


def test_a_listener_hears_every_transition_once_and_in_order() -> None:
    """Operators in eight threads: the generations arrive in ascending order, each state following its previous one."""
    heard: list[Transition] = []
    breaker = Breaker("engine", on_transition=heard.append)
    actions = [breaker.force_open, breaker.disable, breaker.metrics_only, breaker.reset]

    def work(index: int) -> None:
        for turn in range(200):
            actions[(index + turn) % 4]()

    run_in_threads(work)
    assert len(heard) == breaker.snapshot().counters.transitions
    assert all(b.generation > a.generation and b.previous is a.state for a, b in pairwise(heard))


def test_a_listener_that_hangs_holds_up_no_call() -> None:
    """While one thread is caught in the listener, others are answered, and their transitions wait."""
    entered, release = Event(), Event()
    heard: list[BreakerState] = []

    def listener(transition: Transition) -> None:
        entered.set()
        assert release.wait(60)
        heard.append(transition.state)

    breaker = Breaker("engine", on_transition=listener)
    thread = Thread(target=breaker.force_open, daemon=True)
    thread.start()
    assert entered.wait(60)
    assert not breaker.admit()
    breaker.reset()
    assert breaker.admit()
    release.set()
    thread.join(60)
    assert heard == [BreakerState.FORCED_OPEN, BreakerState.CLOSED]


def test_transitions_wait_in_a_bounded_queue() -> None:
    """Behind a listener that hangs at most a thousand transitions wait; the oldest are dropped."""
    entered, release = Event(), Event()
    heard: list[int] = []

    def listener(transition: Transition) -> None:
        entered.set()
        assert release.wait(60)
        heard.append(transition.generation)

    breaker = Breaker("engine", on_transition=listener)
    thread = Thread(target=breaker.force_open, daemon=True)
    thread.start()
    assert entered.wait(60)
    for _ in range(1000):
        breaker.reset()
        breaker.force_open()
    release.set()
    thread.join(60)
    assert heard == [2, *range(1003, 2003)]


def test_no_lock_is_held_while_a_call_runs() -> None:
    """Inside a block, in the predicate and in the listener, other threads can use the breaker."""

    def use_elsewhere(*_: object) -> bool:
        thread = Thread(target=lambda: breaker.acquire().success(), daemon=True)
        thread.start()
        thread.join(60)
        assert not thread.is_alive()
        return True

    breaker = Breaker("engine", on_transition=use_elsewhere, failure_if=use_elsewhere)
    breaker.metrics_only()
    with contextlib.suppress(OSError), breaker.acquire():
        use_elsewhere()
        raise OSError
    counters = breaker.snapshot().counters
    assert (counters.succeeded, counters.failed) == (3, 1)
