"""One handler's deliveries: claimed in groups, handed over with bounded concurrency, settled in groups.

Imports only its own room, `plugins`, `records`, `routing` and `storage`. Lanes know nothing of each other, so that a
slow handler delays nobody but itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from typing import Any

from hotplane.errors import HotplaneError
from hotplane.events.attempts import Attempts
from hotplane.events.calling import Caller
from hotplane.events.clock import WallClock
from hotplane.events.destinations import Destinations, wait_of
from hotplane.events.figures import Figures
from hotplane.events.held import Ledger, chains_of
from hotplane.events.reclaiming import Reclaiming
from hotplane.events.settings import DeliverySettings
from hotplane.events.settling import Settler
from hotplane.plugins import Clock, Logger, WebhookHandler
from hotplane.routing import Breaker, BreakerState
from hotplane.storage import Claim, DeliveryState, Outcome, StoredDeliveries

__all__ = ["Lane", "LaneParts"]

_TICK_SECONDS = 15.0
"""So often at least a lane looks at the store and the clock, whether or not anybody woke it: other hosts that share
the store wake nobody here, and a clock may be turned."""
_GROUP = 32
"""Deliveries that a lane holds, for each one that may be under way."""
_SMALLEST_GROUP = 128
_EVERY = 4
"""Every so many claims what was tried before comes first."""
_SETTLE_SECONDS = 1.0
"""At a stop, what became of the last deliveries has this long to be written down, and the grace where that is more."""
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0


class LaneParts:
    """What all lanes of a host share.

    Args:
        deliveries: The store.
        caller: Calls the handlers.
        destinations: The breakers.
        clock: Both clocks.
        holder: The name under which this host takes leases.
        log: Told of trouble.
        disable: Disables a handler for a reason.
        figures: Where attempts are counted.
        chance: Numbers in [0, 1) for the jitter.
    """

    def __init__(
        self,
        *,
        deliveries: StoredDeliveries,
        caller: Caller,
        destinations: Destinations,
        clock: Clock,
        holder: str,
        log: Logger,
        disable: Callable[[str, str], Awaitable[None]],
        figures: Figures,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.deliveries = deliveries
        self.caller = caller
        self.destinations = destinations
        self.clock = clock
        self.holder = holder
        self.log = log
        self.disable = disable
        self.figures = figures
        self.chance = chance


class Lane:
    """Delivers to one handler.

    Args:
        handler: To which.
        parts: What it shares with other lanes.
        settings: How.
    """

    def __init__(self, handler: str, parts: LaneParts, settings: DeliverySettings) -> None:
        self.handler = handler
        self._parts = parts
        self._settings = settings
        self._most = max(_SMALLEST_GROUP, _GROUP * settings.concurrency)
        self._wall = WallClock(parts.clock)
        self._ledger = Ledger()
        self._attempts = Attempts(handler, parts, settings, self._ledger, self._wall)
        self._settler = Settler(
            handler,
            parts.holder,
            self._ledger,
            deliveries=parts.deliveries,
            clock=self._wall,
            log=parts.log,
            on_settled=self._settled,
            enough=max(1, self._most // 4),
        )
        self._reclaiming = Reclaiming(handler, parts.holder, parts.deliveries, parts.clock, self._wall)
        self._woken = asyncio.Event()
        self._running: set[asyncio.Task[None]] = set()
        self._claims = 0
        self._pause = 0.0
        self._draining = self._ending = False
        self._task = asyncio.create_task(self._run(), name=f"hotplane-deliver-{handler}")

    # --- from outside ------------------------------------------------------------------------------------

    @property
    def held(self) -> int:
        """How many deliveries it has a lease on."""
        return self._ledger.held

    @property
    def attempts(self) -> Attempts:
        """What it has done since it began."""
        return self._attempts

    def wake(self) -> None:
        """Have it look for deliveries now."""
        self._woken.set()

    async def stop(self, *, drain: float, grace: float) -> None:
        """Deliver what is due for `drain` seconds, let what is under way end within `grace`, give the rest back."""
        self._draining = True
        self.wake()
        await asyncio.wait({self._task}, timeout=drain)
        self._ending = True
        self._task.cancel()
        await asyncio.wait({self._task})
        self._ledger.give_back_waiting()
        if self._running:
            await asyncio.wait(self._running, timeout=grace)
        for task in self._running:
            task.cancel()
        if self._running:
            await asyncio.wait(self._running)
        if not await self._settler.finish(max(_SETTLE_SECONDS, grace)):
            self._parts.log.warning("events.leases-left", handler=self.handler, deliveries=self.held)

    # --- the loop ----------------------------------------------------------------------------------------

    async def _run(self) -> None:
        recovered = False
        while not self._ending:
            try:
                if not recovered:
                    await self._reclaiming.recover()
                    recovered = True
                wait = await self._turn()
                self._pause = 0.0
            except HotplaneError as error:
                wait = self._trouble(error)
            if self._draining and (self._pause or self._is_idle(wait)):
                return
            await self._sleep(wait)

    def _is_idle(self, wait: float) -> bool:
        return wait > 0 and not self._ledger.held

    def _trouble(self, error: HotplaneError) -> float:
        if not self._pause:
            self._parts.log.warning("events.store-trouble", handler=self.handler, why=str(error))
        self._pause = min(max(_FIRST_PAUSE, 2 * self._pause), _LONGEST_PAUSE)
        return self._pause

    async def _sleep(self, seconds: float) -> None:
        if seconds <= 0 or self._woken.is_set():
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(seconds, _TICK_SECONDS)):
                await self._woken.wait()

    async def _turn(self) -> float:
        """Claim what there is room for; return for how many seconds there is nothing to do."""
        asked = self._woken.is_set()
        self._woken.clear()
        setback = self._wall.setback()
        if setback:
            # What is not written down yet has due times of the old clock.
            await self._settler.finish(_TICK_SECONDS)
            await self._parts.deliveries.shift(self.handler, setback, self._wall.now())
        await self._reclaiming.look()
        plugin = self._parts.caller.find(self.handler)
        if plugin is None:
            self._ledger.give_back_waiting()
            self._settler.soon()
            return _TICK_SECONDS
        breaker = self._breaker(plugin)
        wait = wait_of(breaker)
        if wait is not None:
            return wait
        room = self._room(breaker)
        if room <= 0:
            return _TICK_SECONDS  # whoever makes room wakes the lane
        if not asked and not await self._is_due():
            return _TICK_SECONDS
        return await self._claim(room)

    async def _is_due(self) -> bool:
        """Look without taking the writers' lock; an idle lane does no more."""
        due = await self._parts.deliveries.next_due(self.handler)
        return due is not None and due <= self._wall.now()

    def _breaker(self, plugin: WebhookHandler[Any]) -> Breaker:
        return self._parts.destinations.of(self.handler, plugin, self._settings.timeout_seconds)

    def _room(self, breaker: Breaker) -> int:
        if breaker.state in (BreakerState.OPEN, BreakerState.HALF_OPEN):
            return 0 if self._ledger.held else breaker.settings.half_open_permits
        # Small groups cost as many commits as large ones.
        return self._most - self._ledger.held if self._ledger.held <= self._most // 2 else 0

    async def _claim(self, room: int) -> float:
        now, steady = self._wall.now(), self._parts.clock.monotonic()
        self._claims += 1
        lease = self._attempts.lease_seconds
        claim = await self._parts.deliveries.claim(
            Claim(
                self.handler,
                self._parts.holder,
                room,
                now,
                now + round(lease * 1e6),
                retries_only=self._claims % _EVERY == 0,
            )
        )
        self._ledger.take(*chains_of(claim.rows, steady + lease))
        self._settler.soon()
        self._pump()
        if claim.found == room or claim.retries_only:
            return 0.0 if claim.found else self._look_again()
        return _TICK_SECONDS if claim.next_due is None else max(0.0, (claim.next_due - self._wall.now()) / 1e6)

    def _look_again(self) -> float:
        self.wake()
        return 0.0

    # --- handing over ------------------------------------------------------------------------------------

    def _pump(self) -> None:
        free = self._settings.concurrency - len(self._running)
        for _ in range(min(free, len(self._ledger.waiting))):
            task = asyncio.create_task(self._deliver(), name=f"hotplane-delivery-{self.handler}")
            self._running.add(task)
            task.add_done_callback(self._delivered)

    async def _deliver(self) -> None:
        """Work through one chain after the other, for as long as there are any."""
        while self._ledger.waiting and not self._ending:
            plugin = self._parts.caller.find(self.handler)
            if plugin is None:
                self._ledger.give_back_waiting()
                return
            chain = self._ledger.waiting.popleft()
            await self._attempts.work_through(chain, self._breaker(plugin), self._settler.soon)
            self._settler.soon()

    def _delivered(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._parts.log.error("events.delivery-broke", handler=self.handler, why=repr(task.exception()))
        if not self._ending:
            self._pump()  # what was claimed between its last look and now
        self._settler.soon()

    def _settled(self, outcomes: list[Outcome]) -> None:
        self.wake()
        if any(outcome.state is DeliveryState.DEAD for outcome in outcomes):
            self._attempts.judge_soon()
