"""The states of a breaker and their exact boundaries, on a clock that the test turns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hotplane.errors import BreakerOpen, Unavailable
from hotplane.routing import Breaker, BreakerState, Cause, Permit, Rejection

CLOSED, OPEN, HALF_OPEN = BreakerState.CLOSED, BreakerState.OPEN, BreakerState.HALF_OPEN
FORCED_OPEN, DISABLED, METRICS_ONLY = BreakerState.FORCED_OPEN, BreakerState.DISABLED, BreakerState.METRICS_ONLY

Make = Callable[..., Any]


# --- closed ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reports", "state"),
    [
        ("fff", CLOSED),  # below the minimum volume
        ("ffff", OPEN),
        ("ffss", OPEN),  # exactly half; the result that completes the volume may be a success
        ("fsss", CLOSED),
        ("fssssff", CLOSED),  # 3 of 7
        ("fssssfff", OPEN),  # 4 of 8
        ("ssssssssfff", CLOSED),  # the window slides: 3 of 8
        ("ssssssssffff", OPEN),
        ("ssssfssffsf", OPEN),  # 4 of 8
        ("sssfsssssfff", CLOSED),  # the first failure has left the window
        ("LLLL", OPEN),  # all slow
        ("LLLs", CLOSED),
        ("lfss", CLOSED),  # exactly at the limit is not slow
        ("FLLL", OPEN),  # a slow failure counts as slow too
        ("cccccccc", CLOSED),  # cancellations are no volume
        ("cffcfcf", OPEN),
    ],
)
def test_closed_judges_both_rates_from_the_minimum_volume_on(bench: Make, reports: str, state: BreakerState) -> None:
    """A closed breaker opens at half failures or all slow, once four results are in its window of eight."""
    b = bench()
    for report in reports:
        permit = b.permit()
        match report:
            case "c":
                permit.cancelled()
            case "f" | "F":
                permit.failure(1.5 if report == "F" else 0.1)
            case _:
                permit.success({"s": 0.1, "l": 1.0, "L": 1.001}[report])
    assert b.breaker.state is state


@pytest.mark.parametrize(("slow", "state"), [(2, CLOSED), (3, OPEN)])
def test_the_slow_rate_has_its_own_threshold(bench: Make, slow: int, state: BreakerState) -> None:
    """Slow successes alone open the breaker when their share reaches the slow rate."""
    b = bench(slow_rate=0.6, minimum_calls=5)
    b.succeed(slow, seconds=2.0)
    b.succeed(5 - slow)
    assert b.breaker.state is state


def test_a_slow_trip_says_so(bench: Make) -> None:
    """The transition names the rate that led to it, with the figures."""
    b = bench()
    b.succeed(4, seconds=2.0)
    (heard,) = b.heard
    assert (heard.cause, heard.volume, heard.failures, heard.slow) == (Cause.SLOW_RATE, 4, 0, 4)


def test_a_rate_is_reached_to_the_last_call(bench: Make) -> None:
    """11 of 20 reaches 0.55, although 0.55 times 20 is a little more than 11 in floating point."""
    b = bench(failure_rate=0.55, window_calls=20, minimum_calls=20)
    b.succeed(9)
    b.fail(11)
    assert b.breaker.state is OPEN


def test_a_time_window_forgets_failures_after_its_seconds(bench: Make) -> None:
    """Failures older than the window no longer count towards volume or rate."""
    b = bench(window="time", window_seconds=10.0)
    b.fail(3)
    b.clock.advance(10.0)
    b.fail(3)
    assert b.breaker.state is CLOSED
    b.fail()
    assert b.breaker.state is OPEN


def test_a_time_window_keeps_failures_within_its_seconds(bench: Make) -> None:
    """Failures within the window add up."""
    b = bench(window="time", window_seconds=10.0)
    b.fail(3)
    b.clock.advance(8.9)
    b.fail()
    assert b.breaker.state is OPEN


def test_without_seconds_a_call_lasts_from_its_permit_to_its_report(bench: Make) -> None:
    """A report that names no duration is timed by the breaker's clock."""
    b = bench()
    permits = [b.permit() for _ in range(4)]
    b.clock.advance(1.5)
    for permit in permits:
        permit.success()
    assert b.heard[0].cause is Cause.SLOW_RATE


def test_a_permit_counts_once(bench: Make) -> None:
    """Only the first report of a permit counts; later ones do nothing."""
    b = bench()
    permit = b.permit()
    permit.success()
    permit.failure()
    permit.cancelled()
    counters = b.breaker.snapshot().counters
    assert (counters.succeeded, counters.failed, counters.cancelled, counters.stale) == (1, 0, 0, 0)


# --- open ------------------------------------------------------------------------------------------------


def test_open_refuses_and_says_when_to_return(bench: Make) -> None:
    """An open breaker rejects each call with the seconds that are left."""
    b = bench()
    b.trip()
    b.clock.advance(2.0)
    rejection = b.breaker.admit()
    assert rejection == Rejection("engine", OPEN, 3.0)
    assert not rejection


def test_acquire_raises_what_admit_returns(bench: Make) -> None:
    """The raising form carries name, state and time, in attributes and in words."""
    b = bench()
    b.trip()
    with pytest.raises(BreakerOpen, match=r"'engine' is open.*Try again in 5 s") as caught:
        b.breaker.acquire()
    assert isinstance(caught.value, Unavailable)
    assert (caught.value.breaker, caught.value.state, caught.value.retry_after) == ("engine", "open", 5.0)


@pytest.mark.parametrize(("waited", "state"), [(4.999, OPEN), (5.0, HALF_OPEN), (500.0, HALF_OPEN)])
def test_the_first_call_after_the_open_time_is_a_probe(bench: Make, waited: float, state: BreakerState) -> None:
    """Open ends at its time exactly, and lazily: the call that finds it over gets the first permit."""
    b = bench()
    b.trip()
    b.clock.advance(waited)
    assert b.breaker.state is OPEN
    assert isinstance(b.breaker.admit(), Permit) is (state is HALF_OPEN)
    assert b.breaker.state is state


def test_looking_does_not_end_the_open_state(bench: Make) -> None:
    """A snapshot after the open time still says open, with nothing left to wait for."""
    b = bench()
    b.trip()
    b.clock.advance(9.0)
    snapshot = b.breaker.snapshot()
    assert (snapshot.state, snapshot.retry_after, snapshot.age) == (OPEN, 0.0, 9.0)


def test_the_open_time_doubles_to_its_cap(bench: Make) -> None:
    """Each failed round of probes doubles the open time up to the cap, and the cap holds with jitter."""
    b = bench(half_open_permits=1, open_jitter=0.0)
    waits = [b.trip()]
    for _ in range(2000):
        b.probe().failure()
        waits.append(b.open_seconds())
    assert waits[:6] == [5.0, 10.0, 20.0, 40.0, 60.0, 60.0]
    assert set(waits[6:]) == {60.0}


@pytest.mark.parametrize(("draw", "first", "capped"), [(0.0, 4.0, 48.0), (0.5, 5.0, 54.0), (0.999999, 6.0, 60.0)])
def test_the_open_time_is_spread_but_never_above_the_cap(bench: Make, draw: float, first: float, capped: float) -> None:
    """Jitter spreads the open time by a fifth up and down; at the cap only the lower part is left."""
    b = bench(half_open_permits=1, draw=lambda: draw)
    waits = [b.trip()]
    for _ in range(6):
        b.probe().failure()
        waits.append(b.open_seconds())
    assert waits[0] == pytest.approx(first, abs=1e-4)
    assert waits[-1] == pytest.approx(capped, abs=1e-4)
    assert max(waits) <= 60.0


@pytest.mark.parametrize(("healthy", "wait"), [(59.999, 10.0), (60.0, 5.0)])
def test_growth_is_forgotten_after_a_healthy_period(bench: Make, healthy: float, wait: float) -> None:
    """A breaker that stayed closed for a minute starts over; one that trips sooner goes on growing."""
    b = bench(half_open_permits=1)
    b.trip()
    b.probe().success()
    b.clock.advance(healthy)
    assert b.trip() == pytest.approx(wait)


def test_the_transition_to_open_tells_how_long(bench: Make) -> None:
    """The listener learns the open time that was drawn."""
    b = bench()
    wait = b.trip()
    assert (b.heard[0].previous, b.heard[0].state, b.heard[0].open_seconds) == (CLOSED, OPEN, wait)


# --- half-open -------------------------------------------------------------------------------------------


def test_half_open_lets_no_more_than_its_permits_through(bench: Make) -> None:
    """Of a hundred calls at once, three become probes."""
    b = bench()
    b.trip()
    b.clock.advance(5.0)
    answers = [b.breaker.admit() for _ in range(100)]
    assert [bool(answer) for answer in answers] == [True] * 3 + [False] * 97
    assert answers[3] == Rejection("engine", HALF_OPEN, 5.0)


def test_a_reported_probe_makes_no_room_for_another(bench: Make) -> None:
    """A permit that was reported on is used up: three results decide, not more."""
    b = bench()
    b.trip()
    b.probe().success()
    assert len([answer for answer in (b.breaker.admit() for _ in range(10)) if answer]) == 2


@pytest.mark.parametrize(
    ("reports", "state"),
    [("sss", CLOSED), ("fss", CLOSED), ("ffs", OPEN), ("sff", OPEN), ("fff", OPEN), ("LLL", OPEN), ("LLs", CLOSED)],
)
def test_half_open_is_judged_by_both_rates_when_all_probes_ended(
    bench: Make, reports: str, state: BreakerState
) -> None:
    """The verdict falls with the last of the three results and not before."""
    b = bench()
    b.trip()
    b.clock.advance(5.0)
    for permit, report in zip([b.permit() for _ in range(3)], reports, strict=True):
        assert b.breaker.state is HALF_OPEN
        (permit.failure if report == "f" else permit.success)(2.0 if report == "L" else 0.1)
    assert b.breaker.state is state


def test_closing_begins_with_an_empty_window(bench: Make) -> None:
    """Neither the failures before the trip nor the probes count after closing."""
    b = bench(half_open_permits=1)
    b.trip()
    b.probe().success()
    b.fail(3)
    assert b.breaker.state is CLOSED
    assert b.breaker.snapshot().volume == 3


@pytest.mark.parametrize(("waited", "expired"), [(29.999, 0), (30.0, 1)])
def test_a_probe_that_never_ends_loses_its_permit_and_counts_as_failed(
    bench: Make, waited: float, expired: int
) -> None:
    """At the end of its lease a probe counts as failed, so half-open cannot hang."""
    b = bench(half_open_permits=1)
    b.trip()
    b.probe()
    b.clock.advance(waited)
    assert not b.breaker.admit()
    assert b.breaker.snapshot().counters.expired == expired
    assert b.breaker.state is (OPEN if expired else HALF_OPEN)


def test_one_lost_probe_does_not_outvote_the_others(bench: Make) -> None:
    """With two quick successes and one expired lease the failure rate is a third: the breaker closes."""
    b = bench()
    b.trip()
    b.probe()
    b.succeed(2)
    b.clock.advance(30.0)
    assert isinstance(b.breaker.admit(), Permit)
    assert b.breaker.state is CLOSED


def test_the_result_of_an_expired_probe_is_dropped(bench: Make) -> None:
    """A probe that reports at the end of its lease is too late, even if nobody noticed before."""
    b = bench()
    b.trip()
    late = b.probe()
    b.clock.advance(30.0)
    late.success()
    snapshot = b.breaker.snapshot()
    assert (snapshot.state, snapshot.volume, snapshot.failures, snapshot.slow) == (HALF_OPEN, 1, 1, 1)
    assert (snapshot.counters.expired, snapshot.counters.stale, snapshot.counters.succeeded) == (1, 1, 0)


def test_leases_end_one_by_one(bench: Make) -> None:
    """Each probe has its own deadline."""
    b = bench()
    b.trip()
    b.probe()
    b.clock.advance(10.0)
    b.permit()
    b.clock.advance(20.0)
    b.permit()
    snapshot = b.breaker.snapshot()
    assert (snapshot.counters.expired, snapshot.probes) == (1, 2)


def test_half_open_says_when_the_next_lease_ends(bench: Make) -> None:
    """A refused call is told the end of the next lease, or the open time if that is shorter."""
    b = bench(half_open_permits=1)
    b.trip()
    b.probe()
    b.clock.advance(28.0)
    assert b.breaker.admit() == Rejection("engine", HALF_OPEN, 2.0)


def test_a_cancelled_probe_gives_its_permit_back(bench: Make) -> None:
    """A cancelled probe counts as neither, and another one takes its place."""
    b = bench(half_open_permits=1)
    b.trip()
    b.probe().cancelled()
    assert b.breaker.state is HALF_OPEN
    b.permit().success()
    assert b.breaker.state is CLOSED


# --- stale results ---------------------------------------------------------------------------------------


def test_a_call_begun_before_the_trip_is_no_probe(bench: Make) -> None:
    """A success of the closed state that arrives in half-open neither closes the breaker nor takes a permit."""
    b = bench(half_open_permits=1)
    old = b.permit()
    b.trip()
    b.probe()
    old.success()
    snapshot = b.breaker.snapshot()
    assert (snapshot.state, snapshot.probes, snapshot.counters.stale) == (HALF_OPEN, 1, 1)


def test_a_result_is_stale_after_two_transitions_too(bench: Make) -> None:
    """A probe's failure that arrives when a later half-open runs is dropped."""
    b = bench(half_open_permits=2)
    b.trip()
    first = b.probe()
    b.breaker.reset()
    b.trip()
    b.probe()
    first.failure()
    snapshot = b.breaker.snapshot()
    assert (snapshot.state, snapshot.volume, snapshot.counters.stale) == (HALF_OPEN, 0, 1)


def test_a_result_is_stale_in_a_second_closed_state(bench: Make) -> None:
    """Closed, open, half-open, closed: the state has the same name, but the result belongs to the first."""
    b = bench(half_open_permits=1)
    old = b.permit()
    b.trip()
    b.probe().success()
    old.failure()
    assert b.breaker.snapshot().volume == 0
    assert b.breaker.snapshot().counters.stale == 1


def test_a_cancelled_old_probe_frees_no_permit_of_the_new_state(bench: Make) -> None:
    """A permit of an older half-open cannot be given back to a newer one."""
    b = bench(half_open_permits=1)
    b.trip()
    old = b.probe()
    b.clock.advance(30.0)
    assert not b.breaker.admit()
    b.probe()
    old.cancelled()
    assert not b.breaker.admit()


# --- states that somebody asks for -------------------------------------------------------------------------


def test_forced_open_refuses_until_it_is_reset(bench: Make) -> None:
    """However long it lasts, forced-open lets nothing through and promises no time."""
    b = bench()
    b.breaker.force_open()
    b.clock.advance(1e6)
    assert b.breaker.admit() == Rejection("engine", FORCED_OPEN, None)
    with pytest.raises(BreakerOpen, match="until somebody resets it"):
        b.breaker.acquire()
    b.breaker.reset()
    assert b.breaker.admit()


def test_disabled_lets_everything_through_and_judges_nothing(bench: Make) -> None:
    """Failures are counted, not judged."""
    b = bench()
    b.breaker.disable()
    b.fail(100)
    snapshot = b.breaker.snapshot()
    assert (snapshot.state, snapshot.volume, snapshot.counters.failed) == (DISABLED, 0, 100)


def test_metrics_only_announces_once_and_lets_everything_through(bench: Make) -> None:
    """The listener hears once that the breaker would have opened; the state stays."""
    b = bench()
    b.breaker.metrics_only()
    b.fail(100)
    assert b.breaker.state is METRICS_ONLY
    assert [(t.previous, t.state, t.cause) for t in b.heard] == [
        (CLOSED, METRICS_ONLY, Cause.REQUESTED),
        (METRICS_ONLY, METRICS_ONLY, Cause.FAILURE_RATE),
    ]


def test_metrics_only_announces_again_when_it_is_asked_for_again(bench: Make) -> None:
    """Leaving metrics-only and coming back arms the announcement anew."""
    b = bench()
    for _ in range(2):
        b.breaker.metrics_only()
        b.fail(8)
        b.breaker.reset()
    assert [t.cause for t in b.heard].count(Cause.FAILURE_RATE) == 2


def test_metrics_only_shows_the_rates(bench: Make) -> None:
    """The figures are those that a closed breaker would judge."""
    b = bench()
    b.breaker.metrics_only()
    b.fail(3)
    b.succeed(1, seconds=2.0)
    snapshot = b.breaker.snapshot()
    assert (snapshot.volume, snapshot.failure_rate, snapshot.slow_rate) == (4, 0.75, 0.25)


def test_asking_for_the_present_state_is_no_transition(bench: Make) -> None:
    """A second request for the same state changes nothing, the announcement included."""
    b = bench()
    b.breaker.metrics_only()
    b.fail(4)
    b.breaker.metrics_only()
    b.fail(4)
    assert b.breaker.snapshot().counters.transitions == 1
    assert len(b.heard) == 2


@pytest.mark.parametrize("request_state", ["force_open", "disable", "metrics_only", "reset"])
@pytest.mark.parametrize("start", ["closed", "open", "half-open"])
def test_every_state_can_be_left_by_request(bench: Make, start: str, request_state: str) -> None:
    """From every state each request takes effect, and a call still under way is stale."""
    b = bench()
    permit = b.permit()
    if start != "closed":
        b.trip()
    if start == "half-open":
        permit = b.probe()
    getattr(b.breaker, request_state)()
    permit.failure()
    wanted = {"force_open": FORCED_OPEN, "disable": DISABLED, "metrics_only": METRICS_ONLY, "reset": CLOSED}
    snapshot = b.breaker.snapshot()
    assert (snapshot.state, snapshot.volume, snapshot.counters.stale) == (wanted[request_state], 0, 1)


def test_reset_forgets_the_growth_and_the_window(bench: Make) -> None:
    """After a reset the breaker is as new: empty window, first open time."""
    b = bench(half_open_permits=1)
    b.trip()
    b.probe().failure()
    b.breaker.reset()
    assert b.breaker.snapshot().volume == 0
    assert b.trip() == 5.0


def test_reset_of_a_closed_breaker_empties_it_without_a_transition(bench: Make) -> None:
    """Nothing is announced, and three more failures do not open it."""
    b = bench()
    b.fail(3)
    b.breaker.reset()
    b.fail(3)
    assert (b.breaker.state, b.heard) == (CLOSED, [])


# --- figures, clock, listener --------------------------------------------------------------------------------


def test_rates_are_not_shown_below_the_minimum_volume(bench: Make) -> None:
    """Three results of four are no rate yet, but they are shown."""
    b = bench()
    b.fail(3)
    snapshot = b.breaker.snapshot()
    assert (snapshot.volume, snapshot.failures, snapshot.failure_rate) == (3, 3, None)


def test_a_snapshot_of_a_time_window_is_of_now(bench: Make) -> None:
    """What left the window since the last report is not shown."""
    b = bench(window="time", window_seconds=10.0)
    b.fail(3)
    b.clock.advance(11.0)
    assert b.breaker.snapshot().volume == 0


def test_counters_add_up(bench: Make) -> None:
    """Every admission is accounted for: succeeded, failed, cancelled or stale."""
    b = bench()
    old = b.permit()
    b.succeed(2)
    b.permit().cancelled()
    b.fail(2, seconds=2.0)
    b.breaker.admit()
    old.success()
    c = b.breaker.snapshot().counters
    assert (c.admitted, c.succeeded, c.failed, c.cancelled, c.stale) == (6, 2, 2, 1, 1)
    assert (c.rejected, c.slow, c.expired, c.transitions) == (1, 2, 0, 1)


@pytest.mark.parametrize("window", ["count", "time"])
def test_a_clock_that_jumps_back_costs_no_time(bench: Make, window: str) -> None:
    """An hour back while open: the breaker probes after the rest of its open time, not an hour later."""
    b = bench(window=window)
    b.trip()
    b.clock.advance(2.0)
    assert not b.breaker.admit()
    b.clock.advance(-3600.0)
    assert b.breaker.admit() == Rejection("engine", OPEN, 3.0)
    b.clock.advance(3.0)
    assert b.breaker.admit()


def test_a_clock_that_jumps_back_makes_no_call_slow_or_negative(bench: Make) -> None:
    """A call over which the clock went back lasted no time."""
    b = bench()
    permit = b.permit()
    b.clock.advance(-100.0)
    permit.success()
    assert b.breaker.snapshot().counters.slow == 0
    assert b.breaker.snapshot().age >= 0.0


def test_a_listener_that_raises_is_logged_and_contained(clock: Any, caplog: pytest.LogCaptureFixture) -> None:
    """The caller gets its answer, and the log has the exception."""

    def listener(_: object) -> None:
        raise RuntimeError("no disk")

    breaker = Breaker("engine", clock=clock, on_transition=listener)
    breaker.force_open()
    assert breaker.state is FORCED_OPEN
    assert "no disk" in caplog.text


def test_a_listener_may_use_the_breaker(clock: Any) -> None:
    """Outside the lock a listener can look and even change the state; it hears of that afterwards, in order."""
    heard: list[tuple[BreakerState, BreakerState]] = []

    def listener(transition: Any) -> None:
        heard.append((transition.state, breaker.snapshot().state))
        if transition.state is FORCED_OPEN:
            breaker.reset()
            heard.append((FORCED_OPEN, breaker.state))

    breaker = Breaker("engine", clock=clock, on_transition=listener)
    breaker.force_open()
    assert heard == [(FORCED_OPEN, FORCED_OPEN), (FORCED_OPEN, CLOSED), (CLOSED, CLOSED)]
