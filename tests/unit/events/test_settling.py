"""Writing down what became of deliveries while the store takes nothing."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from hotplane.errors import StorageFull
from hotplane.events import settling
from hotplane.events.clock import WallClock
from hotplane.events.held import Chain, Ledger
from hotplane.events.settling import Settler
from hotplane.log import capture_logs, get_logger
from hotplane.storage import DeliveryState, Outcome, StoredDeliveries


class Clock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return 0.0


class Row:
    def __init__(self, sequence: int, order_key: str | None = None) -> None:
        self.sequence = sequence
        self.order_key = order_key


class Full:
    """A store that takes nothing for some tries."""

    def __init__(self, tries: int) -> None:
        self.tries = tries
        self.written: list[list[int]] = []
        self.dropped: list[int] = []
        self.asked = asyncio.Event()

    async def settle(self, handler: str, holder: str, outcomes: list[Outcome], **rest: Any) -> None:
        self.asked.set()
        if self.tries:
            self.tries -= 1
            raise StorageFull("store.db")
        self.written.append([each.sequence for each in outcomes])
        self.dropped += rest["dropped"]


def settler(store: Full, ledger: Ledger, told: list[Outcome]) -> Settler:
    """Return a settler of a ledger."""
    return Settler(
        "h", "me", ledger, deliveries=cast("StoredDeliveries", store), clock=WallClock(Clock()), log=get_logger(),
        on_settled=told.extend, enough=1,
    )  # fmt: skip


def finished(ledger: Ledger, sequence: int) -> None:
    """Have a delivery held and finished."""
    ledger.held += 1
    outcome = Outcome(sequence, DeliveryState.DELIVERED, 1, None, b"[]")
    ledger.finish(cast("Any", Row(sequence, "key")), outcome)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try again soon."""
    monkeypatch.setattr(settling, "_FIRST_PAUSE", 0.01)


async def test_outcomes_are_kept_until_the_store_takes_them(quick: None) -> None:
    """In their order, with what came meanwhile behind, and one line of log for all the tries."""
    store, ledger, told = Full(3), Ledger(), list[Outcome]()
    writing = settler(store, ledger, told)
    with capture_logs() as logs:
        finished(ledger, 1)
        writing.soon()
        await store.asked.wait()
        finished(ledger, 2)
        assert await writing.finish(30.0)
    assert [sequence for group in store.written for sequence in group] == [1, 2]
    assert (ledger.held, [each.sequence for each in told]) == (0, [1, 2])
    assert [entry["event"] for entry in logs] == ["events.not-settled"]


async def test_what_cannot_be_written_in_time_stays_unsettled() -> None:
    """The leases end by time then; nothing of it is lost in the ledger."""
    store, ledger = Full(1_000), Ledger()
    writing = settler(store, ledger, [])
    finished(ledger, 1)
    ledger.take([], [cast("Any", Row(2))])
    ledger.give_back(cast("Chain", []))
    assert not await writing.finish(0.05)
    assert (ledger.unsettled, ledger.held) == (2, 2)
    store.tries = 0
    assert await writing.finish(30.0)
    assert (store.written, store.dropped) == ([[1]], [2])
