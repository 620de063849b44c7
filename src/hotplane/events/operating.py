"""What operators do with deliveries: look, send again, replay, try out. Imports only its own room and `storage`.

Every method but `try_out` works whether or not the handler serves, or is known at all: deliveries outlive handlers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from hotplane.errors import DeliveryUnderWay, HandlerNotServing, UnknownDelivery
from hotplane.events.addressing import supported_by
from hotplane.events.calling import Absence, Answer, Caller
from hotplane.events.figures import Figures
from hotplane.events.settings import DeliverySettings
from hotplane.plugins import Clock
from hotplane.records import Event
from hotplane.storage import (
    Delivery,
    DeliveryAttempt,
    DeliveryFilter,
    DeliveryState,
    EventRange,
    Page,
    StoredDeliveries,
)
from hotplane.storage.delivery import add_attempt
from hotplane.storage.tables import microseconds

__all__ = ["Operating", "Replayed"]

_ALL = DeliveryFilter()
_EVERYTHING = EventRange()
_CLOSED = (DeliveryState.DELIVERED, DeliveryState.DEAD)


class Replayed(Struct, frozen=True):
    """What one call of a replay did."""

    deliveries: int
    """How many will be delivered anew."""
    next_after: int | None
    """Where the next call goes on; null when everything was looked at."""


class Operating:
    """The operators' side of the outbox.

    Args:
        deliveries: Where they are.
        caller: Calls handlers.
        clock: What time it is.
        settings: Gives a handler's settings.
        figures: Where attempts are counted.
    """

    def __init__(
        self,
        deliveries: StoredDeliveries,
        caller: Caller,
        clock: Clock,
        settings: Callable[[str], DeliverySettings],
        figures: Figures,
    ) -> None:
        self._deliveries = deliveries
        self._caller = caller
        self._clock = clock
        self._limits = settings
        self._figures = figures

    async def list(
        self, handler: str, filter: DeliveryFilter = _ALL, *, limit: int = 50, cursor: str | None = None
    ) -> Page[Delivery]:
        """Return a handler's deliveries, those of the newest events first.

        Raises:
            InvalidCursor, Invalid: The cursor is not one of this store's, or the limit is not 1 to 1000.
        """
        return await self._deliveries.list(handler, filter, limit=limit, cursor=cursor)

    async def list_all(
        self, filter: DeliveryFilter = _ALL, *, limit: int = 50, cursor: str | None = None
    ) -> Page[Delivery]:
        """Return the deliveries to all handlers, those of the newest events first.

        Raises:
            InvalidCursor, Invalid: The cursor is not one of this method's, or the limit is not 1 to 1000.
        """
        return await self._deliveries.list_all(filter, limit=limit, cursor=cursor)

    async def get(self, handler: str, sequence: int) -> Delivery:
        """Return the delivery of the event with this sequence.

        Raises:
            UnknownDelivery: There is none.
        """
        return (await self._get(handler, sequence))[0]

    async def retry(self, handler: str, sequence: int) -> Delivery:
        """Send an event now, whatever its delivery's state, and return the delivery as it is afterwards.

        A success closes it. A failure is noted, and changes neither the count of attempts nor when it is due. No
        breaker is asked.

        Raises:
            UnknownDelivery: There is none.
            DeliveryUnderWay: The schedule is at it right now.
            HandlerNotServing: The handler is disabled, has failed, or does not take this type any more.
        """
        delivery, event = await self._get(handler, sequence)
        if delivery.state is DeliveryState.DELIVERING:
            raise DeliveryUnderWay(handler, sequence)
        answer = await self._send(handler, event, attempt=delivery.attempts, by_hand=True)
        history = add_attempt(_body_of(delivery), answer.attempt)
        outcome = DeliveryState.DELIVERED if answer.attempt.ok else DeliveryState.FAILED
        self._figures.of(handler).note(outcome, answer.attempt.duration_ms / 1e3)
        now = microseconds(self._clock.now())
        await self._deliveries.amend(delivery, history, delivered=answer.attempt.ok, now=now)
        self.wake(handler)
        return await self.get(handler, sequence)

    async def replay(self, handler: str, sequences: Sequence[int]) -> int:
        """Deliver single events anew: those that are delivered or dead, and those that never had a delivery here.

        What is under way, or will be tried again anyway, stays as it is. Replayed events stand outside the order of
        their key.

        Args:
            handler: To whom.
            sequences: Which events, 1000 at most.

        Returns:
            How many will be delivered.

        Raises:
            Invalid: There are too many.
        """
        now = microseconds(self._clock.now())
        count = await self._deliveries.replay(handler, sequences, now=now, states=_CLOSED, create=True)
        self.wake(handler)
        return count

    async def replay_range(
        self,
        handler: str,
        wanted: EventRange = _EVERYTHING,
        *,
        dead_only: bool = True,
        after: int = 0,
        limit: int = 1_000,
    ) -> Replayed:
        """Deliver a range of events anew, oldest first; call it again with `next_after` until that is None.

        Args:
            handler: To whom.
            wanted: Which events.
            dead_only: Only those whose delivery is dead; otherwise every event, also those that came before the
                handler did.
            after: Where the call before ended; 0 at first.
            limit: How many events one call looks at, 1 to 1000.
        """
        taken = wanted if dead_only else self._supported(handler, wanted)
        if taken is None:
            return Replayed(0, None)
        if dead_only:
            found = await self._deliveries.find_dead(handler, taken, after=after, limit=limit)
        else:
            found = await self._deliveries.find_events(taken, after=after, limit=limit)
        states = (DeliveryState.DEAD,) if dead_only else _CLOSED
        now = microseconds(self._clock.now())
        count = await self._deliveries.replay(handler, found, now=now, states=states, create=not dead_only)
        self.wake(handler)
        return Replayed(count, found[-1] if len(found) == limit else None)

    async def try_out(self, handler: str, event: Event, *, dry_run: bool = True) -> DeliveryAttempt:
        """Hand an event over once, without storing anything.

        Args:
            handler: To whom.
            event: Which.
            dry_run: Have the handler do everything but what can be seen outside.

        Raises:
            HandlerNotServing: The handler is disabled, has failed, or does not take events of this type.
        """
        return (await self._send(handler, event, attempt=0, by_hand=True, dry_run=dry_run)).attempt

    async def forget(self, handler: str) -> None:
        """Delete every delivery to a handler that is gone, whatever its state, with its attempts."""
        while (await self._deliveries.list(handler, limit=1)).items:
            await self._deliveries.forget(handler)

    def wake(self, handler: str) -> None:
        """Have a handler's deliveries looked at now."""
        raise NotImplementedError

    async def _get(self, handler: str, sequence: int) -> tuple[Delivery, Event]:
        found = await self._deliveries.get(handler, sequence)
        if found is None:
            raise UnknownDelivery(handler, sequence)
        return found

    async def _send(self, handler: str, event: Event, *, attempt: int, by_hand: bool, dry_run: bool = False) -> Answer:
        settings = self._limits(handler)
        answer = await self._caller.call(
            handler,
            event,
            attempt=attempt,
            max_retries=len(settings.schedule_seconds),
            limit=settings.timeout_seconds,
            dry_run=dry_run,
            by_hand=by_hand,
        )
        if isinstance(answer, Absence):
            raise HandlerNotServing(handler, answer.value)
        return answer

    def _supported(self, handler: str, wanted: EventRange) -> EventRange | None:
        """Narrow a range to the types that a handler takes, so that no deliveries are made to be dropped."""
        plugin = self._caller.find(handler)
        if plugin is None:
            return wanted
        supported = frozenset(supported_by(plugin))
        types = wanted.types & supported if wanted.types else supported
        return replace(wanted, types=types) if types else None


def _body_of(delivery: Delivery) -> bytes | None:
    body: bytes | None = None
    for attempt in delivery.history:
        body = add_attempt(body, attempt)
    return body
