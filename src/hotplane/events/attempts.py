"""One attempt after another: the breaker's leave, the call, and what follows from its answer.

Imports only its own room, `plugins`, `routing` and `storage`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta
from enum import Enum
from typing import TYPE_CHECKING

from hotplane.errors import HotplaneError
from hotplane.events.calling import Absence, Answer
from hotplane.events.clock import WallClock
from hotplane.events.held import Chain, Held, Ledger
from hotplane.events.schedule import delay_after
from hotplane.events.settings import DeliverySettings
from hotplane.routing import Breaker, Rejection
from hotplane.storage import DeliveryState, Outcome
from hotplane.storage.delivery import add_attempt

if TYPE_CHECKING:
    from hotplane.events.lane import LaneParts

__all__ = ["Attempts"]

_JUDGE_SECONDS = 60.0
_UNSETTLED_SECONDS = 1.0


class _Step(Enum):
    """What came of one delivery of a chain."""

    CLOSED = "delivered, dead, or not wanted: the next of its key may go"
    FAILED = "it will be tried again: the rest of its key waits behind it"
    NOT_BEGUN = "it goes back as it was, and so does the rest"


class Attempts:
    """Makes one handler's attempts.

    Args:
        handler: Whose.
        parts: What all lanes share.
        settings: Schedule and limits.
        ledger: Where outcomes go.
        wall: The clock that due times are written in.
    """

    def __init__(
        self, handler: str, parts: LaneParts, settings: DeliverySettings, ledger: Ledger, wall: WallClock
    ) -> None:
        self._handler = handler
        self._parts = parts
        self._settings = settings
        self._ledger = ledger
        self._wall = wall
        self._tasks: set[asyncio.Task[None]] = set()
        self._judged_at = float("-inf")
        self._disabling = self._retired = False
        self.lease_seconds = max(60.0, 3 * settings.timeout_seconds + 30.0)
        """How long a claim holds. A delivery is not begun when the rest of it is too short for its attempt."""
        self.delivered = self.failed = self.died = 0
        """What was done since the lane began."""

    async def work_through(self, chain: Chain, breaker: Breaker, settle: Callable[[], None]) -> None:
        """Make an attempt for each delivery of a chain, until one of them fails or cannot be begun.

        Args:
            chain: The deliveries.
            breaker: That of where they go.
            settle: Has outcomes written down; called every second. A long chain to a slow receiver would otherwise be
                sent again as a whole when the host dies in the midst of it.
        """
        closed, step, settled_at = 0, _Step.CLOSED, self._parts.clock.monotonic()
        try:
            for held in chain:
                step = _Step.NOT_BEGUN  # also where the attempt is cut short
                step = await self._attempt(held, breaker)
                if step is not _Step.CLOSED:
                    break
                closed += 1
                if self._parts.clock.monotonic() >= settled_at + _UNSETTLED_SECONDS:
                    settled_at = self._parts.clock.monotonic()
                    settle()
        finally:
            if step is _Step.NOT_BEGUN:
                self._ledger.give_back(chain[closed:])
            elif step is _Step.FAILED:
                self._ledger.park(chain[closed + 1 :])

    async def _attempt(self, held: Held, breaker: Breaker) -> _Step:
        if self._parts.clock.monotonic() + self._settings.timeout_seconds > held.lease_until:
            return _Step.NOT_BEGUN
        permit = breaker.admit()
        if isinstance(permit, Rejection):
            return _Step.NOT_BEGUN
        try:
            answer = await self._parts.caller.call(
                self._handler,
                held.event,
                attempt=held.row.attempts,
                max_retries=len(self._settings.schedule_seconds),
                limit=self._settings.timeout_seconds,
            )
        except BaseException:
            permit.cancelled()
            raise
        if isinstance(answer, Absence):
            permit.cancelled()
            return self._absent(held, answer)
        if answer.down:
            permit.failure()
        else:
            permit.success()
        return self._note(held, answer)

    def _absent(self, held: Held, absence: Absence) -> _Step:
        if absence is Absence.DOWN:
            return _Step.NOT_BEGUN
        self._ledger.drop(held.row)
        return _Step.CLOSED

    def _note(self, held: Held, answer: Answer) -> _Step:
        attempts = held.row.attempts + 1
        state, due_at = DeliveryState.DELIVERED, None
        if answer.gone:
            # It wants nothing any more: that is no try of the schedule, and it is due when it is enabled again.
            state, due_at, attempts = DeliveryState.FAILED, self._wall.now(), held.row.attempts
            self._disable_soon("the receiver is gone (410) and wants no events any more")
        elif not answer.attempt.ok:
            state, due_at = self._next(attempts, answer)
        history = add_attempt(held.row.history, answer.attempt)
        self._ledger.finish(held.row, Outcome(held.row.sequence, state, attempts, due_at, history))
        self._count(state, answer.attempt.duration_ms)
        return _Step.FAILED if state is DeliveryState.FAILED else _Step.CLOSED

    def _next(self, attempts: int, answer: Answer) -> tuple[DeliveryState, int | None]:
        delay = delay_after(
            self._settings,
            attempts,
            chance=self._parts.chance(),
            throttled=answer.throttled,
            retry_after=answer.retry_after,
        )
        if delay is None:
            return DeliveryState.DEAD, None
        return DeliveryState.FAILED, self._wall.now() + round(delay * 1e6)

    def _count(self, state: DeliveryState, took_ms: float) -> None:
        self._parts.figures.of(self._handler).note(state, took_ms / 1e3)
        if state is DeliveryState.DELIVERED:
            self.delivered += 1
        elif state is DeliveryState.DEAD:
            self.died += 1
        else:
            self.failed += 1

    # --- giving a handler up -----------------------------------------------------------------------------

    def retire(self) -> None:
        """Have the answers that are still to come disable nothing: they speak of what the handler was."""
        self._retired = True

    def judge_soon(self) -> None:
        """Look whether nothing was taken for so long that the handler has to be disabled; once a minute at most."""
        now = self._parts.clock.monotonic()
        if self._settings.disable_after_hours and now >= self._judged_at + _JUDGE_SECONDS:
            self._judged_at = now
            self._keep(self._judge())

    async def _judge(self) -> None:
        died, since = await self._parts.deliveries.failing_since(self._handler)
        limit = timedelta(hours=self._settings.disable_after_hours)
        if since is not None and died >= self._settings.disable_after_dead and self._parts.clock.now() - since >= limit:
            self._disable_soon(f"nothing was taken since {since:%Y-%m-%d %H:%M} UTC, and {died} deliveries died")

    def _disable_soon(self, reason: str) -> None:
        if not self._disabling and not self._retired:
            self._disabling = True
            self._keep(self._disable(reason))

    async def _disable(self, reason: str) -> None:
        try:
            await self._parts.disable(self._handler, reason)
        finally:
            self._disabling = False

    def _keep(self, coroutine: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            say = self._parts.log.warning if isinstance(error, HotplaneError) else self._parts.log.error
            say("events.not-disabled", handler=self._handler, why=f"{type(error).__name__}: {error}")
