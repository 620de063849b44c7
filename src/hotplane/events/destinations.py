"""One breaker for each place that events go to. Imports only `plugins` and `routing`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hotplane.plugins import Logger, WebhookHandler
from hotplane.routing import Breaker, BreakerSettings, BreakerSnapshot, BreakerState

__all__ = ["Destinations", "wait_of"]

_MARGIN_SECONDS = 10.0
_MAX_LENGTH = 300
_HOLDING = (BreakerState.OPEN, BreakerState.HALF_OPEN)


class Destinations:
    """Keeps the breakers; handlers that go to the same place share one.

    Args:
        settings: Of every breaker.
        clock: Seconds that pass steadily.
        log: Told of handlers that cannot say where they go.
    """

    def __init__(self, settings: BreakerSettings, *, clock: Callable[[], float], log: Logger) -> None:
        self._settings = settings
        self._clock = clock
        self._log = log
        self._breakers: dict[str, Breaker] = {}
        self._used: dict[str, str] = {}
        self._known: dict[str, tuple[object, object, Breaker]] = {}

    def of(self, handler: str, plugin: WebhookHandler[Any], limit: float) -> Breaker:
        """Return the breaker of where a handler's events go now; attempts take `limit` seconds at most."""
        known = self._known.get(handler)
        if known is not None and known[0] is plugin and known[1] is plugin.config:
            return known[2]
        breaker = self._find(handler, self._place(handler, plugin), limit)
        self._known[handler] = plugin, plugin.config, breaker
        return breaker

    def _find(self, handler: str, place: str, limit: float) -> Breaker:
        if self._used.get(handler) != place:
            self.forget(handler)
            self._used[handler] = place
        breaker = self._breakers.get(place)
        if breaker is None:
            # A probe that is still within its own limit must not count as failed.
            lease = max(self._settings.permit_seconds, limit + _MARGIN_SECONDS)
            settings = self._settings.model_copy(update={"permit_seconds": lease})
            breaker = self._breakers[place] = Breaker(place, settings, clock=self._clock)
        return breaker

    def forget(self, handler: str) -> None:
        """Let go of the breaker that only this handler used."""
        self._known.pop(handler, None)
        place = self._used.pop(handler, None)
        if place is not None and place not in self._used.values():
            self._breakers.pop(place, None)

    def snapshots(self) -> tuple[BreakerSnapshot, ...]:
        """Return the state of every breaker, by destination."""
        return tuple(self._breakers[place].snapshot() for place in sorted(self._breakers))

    def _place(self, handler: str, plugin: WebhookHandler[Any]) -> str:
        try:
            return str(plugin.destination())[:_MAX_LENGTH]
        except Exception:
            self._log.exception("events.no-destination", handler=handler)
            return handler


def wait_of(breaker: Breaker) -> float | None:
    """Return for how many seconds nothing goes to a destination, None when something does."""
    if breaker.state not in _HOLDING:
        return None
    return breaker.snapshot().retry_after or None
