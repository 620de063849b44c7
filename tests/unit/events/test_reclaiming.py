"""When the leases of other hosts are taken away."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from hotplane.events.clock import WallClock
from hotplane.events.holder import holder_name
from hotplane.events.reclaiming import Reclaiming
from hotplane.storage import StoredDeliveries

ELSEWHERE = "elsewhere.1.1.x"
"""A holder of whom nothing can be told."""
LATER = 31.0


class Clock:
    """Both clocks, set by the test."""

    def __init__(self) -> None:
        self.steady = 1_000.0
        self.wall = datetime(2026, 1, 15, tzinfo=UTC)

    def pass_(self, seconds: float) -> None:
        self.steady += seconds
        self.wall += timedelta(seconds=seconds)

    def now(self) -> datetime:
        return self.wall

    def monotonic(self) -> float:
        return self.steady


class Leases:
    """What the store says of leases, and whose were taken away."""

    def __init__(self) -> None:
        self.held: dict[str, int] = {}
        self.reclaimed: list[tuple[str, int | None]] = []

    async def leases(self, handler: str) -> dict[str, int]:
        return dict(self.held)

    async def reclaim(self, handler: str, holder: str, *, now: int, ended_by: int | None = None) -> None:
        self.reclaimed.append((holder, ended_by))


@pytest.fixture
def clock() -> Clock:
    """The clock of the test."""
    return Clock()


@pytest.fixture
def leases() -> Leases:
    """The store of the test."""
    return Leases()


@pytest.fixture
def reclaiming(clock: Clock, leases: Leases) -> Reclaiming:
    """What looks at the leases of one handler."""
    return Reclaiming("h", "me", cast("StoredDeliveries", leases), clock, WallClock(clock))


def dead_process() -> str:
    """Return the name of a process of this machine that is gone: its number began at another time."""
    place, _, began, rest = holder_name().split(".", 3)
    return f"{place}.{os.getpid()}.{int(began) + 1}.{rest}"


async def test_a_lease_that_ended_is_watched_before_it_is_taken(
    clock: Clock, leases: Leases, reclaiming: Reclaiming
) -> None:
    """Only when it did not change for half a minute of the steady clock is its holder taken for dead."""
    end = WallClock(clock).now()
    leases.held = {ELSEWHERE: end}
    for _ in range(2):
        clock.pass_(LATER)
        assert leases.reclaimed == []
        await reclaiming.look()
    assert leases.reclaimed == [(ELSEWHERE, end)]


async def test_a_lease_that_is_renewed_stays(clock: Clock, leases: Leases, reclaiming: Reclaiming) -> None:
    """A clock that was set forward makes leases seem ended, but the living renew theirs."""
    for _ in range(4):
        leases.held = {ELSEWHERE: WallClock(clock).now()}
        clock.pass_(LATER)
        await reclaiming.look()
    assert leases.reclaimed == []


async def test_a_process_that_is_seen_to_be_gone_loses_its_leases_at_once(
    clock: Clock, leases: Leases, reclaiming: Reclaiming
) -> None:
    """However long they would hold; one's own are left alone."""
    gone = dead_process()
    leases.held = {gone: WallClock(clock).now() + 10**12, "me": 0}
    await reclaiming.look()
    assert leases.reclaimed == []  # it looks every half minute
    clock.pass_(LATER)
    await reclaiming.look()
    assert leases.reclaimed == [(gone, None)]


async def test_one_life_goes_on_where_the_last_one_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the start the leases of the dead are taken, those of the living are not."""
    clock, leases = Clock(), Leases()
    done: list[str] = []

    async def note(handler: str, *_: Any) -> None:
        done.append(handler)

    leases.__dict__ |= {"rebase": note, "unpark": note}
    gone = dead_process()
    leases.held = {gone: 0, ELSEWHERE: 0, "me": 0}
    await Reclaiming("h", "me", cast("StoredDeliveries", leases), clock, WallClock(clock)).recover()
    assert (leases.reclaimed, done) == ([(gone, None)], ["h", "h"])
