"""One attempt after another, where it is cut short, comes too late, or finds nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import msgspec
import pytest

from hotplane.errors import Conflict
from hotplane.events.attempts import Attempts
from hotplane.events.calling import Caller
from hotplane.events.clock import WallClock
from hotplane.events.figures import Figures
from hotplane.events.held import Held, Ledger
from hotplane.events.lane import LaneParts
from hotplane.events.settings import DeliverySettings
from hotplane.identity import new_id
from hotplane.log import capture_logs, get_logger
from hotplane.plugins import Config, WebhookHandler
from hotplane.records import Event, EventType, PluginMetadata, now
from hotplane.registry import Registry
from hotplane.routing import Breaker, BreakerSettings, BreakerState
from hotplane.storage import DeliveryState, StoredEvent
from hotplane.storage.delivery import Claimed

DAYS = timedelta(days=10)


class Clock:
    """Both clocks, as the test sets them."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)

    def monotonic(self) -> float:
        return self.seconds


class Taking(WebhookHandler):
    """Takes events, or does what the test says instead."""

    metadata = PluginMetadata(name="taking", version="1")

    def __init__(self) -> None:
        self.taken = 0
        self.instead: Callable[[], Any] | None = None

    async def handle(self, event: Any, context: Any) -> None:
        if self.instead is not None:
            await self.instead()
        self.taken += 1


class Desk:
    """A handler's attempts, with a real registry and a real breaker."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.plugin = Taking()
        self.plugin.config = Config()
        self.registry = Registry()
        self.registry.register(self.plugin, id="taking")
        self.ledger = Ledger()
        self.breaker = Breaker("there", BreakerSettings(minimum_calls=1), clock=self.clock.monotonic)
        self.disabled: list[str] = []
        self.refusal: Exception | None = None
        self.judged = 0
        parts = LaneParts(
            deliveries=cast("Any", self),
            caller=Caller(self.registry, self.clock),
            destinations=cast("Any", None),
            clock=self.clock,
            holder="me",
            log=get_logger(room="events"),
            disable=self.disable,
            figures=Figures(),
            chance=lambda: 0.5,
        )
        self.attempts = Attempts("taking", parts, DeliverySettings(), self.ledger, WallClock(self.clock))

    async def disable(self, handler: str, reason: str) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.disabled.append(reason)

    async def failing_since(self, handler: str) -> tuple[int, datetime]:
        self.judged += 1
        return 9, self.clock.now() - DAYS

    def chain(self, count: int, lease_seconds: float = 120.0) -> list[Held]:
        """Return claimed deliveries of one key."""
        made = list[Held]()
        for sequence in range(1, count + 1):
            event = Event(id=new_id(), type=EventType.TASK_CREATED, time=now(), sequence=sequence)
            stored = StoredEvent(sequence, msgspec.json.encode(event), None, None, None, None, None, None)
            row = Claimed(sequence, 0, "key", None, stored)
            made.append(Held(row, event, self.clock.seconds + lease_seconds))
        return made

    async def settled(self) -> None:
        """Wait until the attempts have nothing more on hand."""
        async with asyncio.timeout(20):
            while self.attempts._tasks:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0)


def _later() -> None:
    """Leave outcomes where they are."""


@pytest.fixture
def desk() -> Desk:
    """Return a desk."""
    return Desk()


async def test_what_cannot_end_within_its_lease_is_not_begun(desk: Desk) -> None:
    """Another host may have it by then: it goes back as it was, and so does the rest of its key."""
    await desk.attempts.work_through(desk.chain(2, lease_seconds=29.0), desk.breaker, _later)
    settlement = desk.ledger.take_settlement()
    assert (settlement.returned, settlement.outcomes, desk.plugin.taken) == ([1, 2], [], 0)


async def test_a_handler_that_has_just_gone_costs_nothing(desk: Desk) -> None:
    """Neither an attempt of the schedule nor the breaker's trust in the destination."""
    desk.registry.update("taking", enabled=False)
    await desk.attempts.work_through(desk.chain(2), desk.breaker, _later)
    settlement = desk.ledger.take_settlement()
    assert (settlement.returned, settlement.outcomes) == ([1, 2], [])
    snapshot = desk.breaker.snapshot()
    assert (snapshot.volume, snapshot.state) == (0, BreakerState.CLOSED)


async def test_a_long_chain_is_written_down_on_its_way(desk: Desk) -> None:
    """Every second, so that a host that dies in the midst of it has little to send again."""
    written = list[int]()

    async def slowly() -> None:
        desk.clock.seconds += 0.6

    desk.plugin.instead = slowly
    await desk.attempts.work_through(
        desk.chain(6), desk.breaker, lambda: written.append(len(desk.ledger.take_settlement().outcomes))
    )
    assert (written, desk.plugin.taken) == ([2, 2, 2], 6)


async def test_an_attempt_that_is_cut_short_goes_back_with_the_rest(desk: Desk) -> None:
    """What was delivered before it stays delivered; the breaker has its permit back."""
    begun, chain = asyncio.Event(), desk.chain(3)

    async def hang() -> None:
        if desk.plugin.taken:
            begun.set()
            await asyncio.sleep(60)

    desk.plugin.instead = hang
    working = asyncio.create_task(desk.attempts.work_through(chain, desk.breaker, _later))
    await asyncio.wait_for(begun.wait(), 20)
    working.cancel()
    await asyncio.wait({working})
    settlement = desk.ledger.take_settlement()
    assert [(each.sequence, each.state) for each in settlement.outcomes] == [(1, DeliveryState.DELIVERED)]
    assert settlement.returned == [2, 3]
    assert desk.breaker.snapshot().volume == 1


async def test_a_handler_of_which_nothing_is_taken_is_judged_once_a_minute(desk: Desk) -> None:
    """However many of its deliveries die meanwhile."""
    for _ in range(3):
        desk.attempts.judge_soon()
    await desk.settled()
    assert (desk.judged, len(desk.disabled)) == (1, 1)
    assert "9 deliveries died" in desk.disabled[0]
    desk.clock.seconds += 61
    desk.attempts.judge_soon()
    await desk.settled()
    assert desk.judged == 2


@pytest.mark.parametrize(
    ("refusal", "level"), [(Conflict("its entry forbids it"), "warning"), (RuntimeError("a mistake"), "error")]
)
async def test_a_handler_that_cannot_be_disabled_is_told(desk: Desk, refusal: Exception, level: str) -> None:
    """The next judgement tries again."""
    desk.refusal = refusal
    with capture_logs() as logs:
        desk.attempts.judge_soon()
        await desk.settled()
    ((said, how),) = [(entry["why"], entry["log_level"]) for entry in logs if entry["event"] == "events.not-disabled"]
    assert (str(refusal) in said, how) == (True, level)
    desk.refusal = None
    desk.clock.seconds += 61
    desk.attempts.judge_soon()
    await desk.settled()
    assert len(desk.disabled) == 1
