"""How events are delivered to single handlers: as configured, as the API made it, or as it changed it.

Imports `events`, `host`, `errors` and its own room.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import cast

from hotplane.errors import ConfigurationError
from hotplane.events import DeliverySettings, Outbox
from hotplane.host import PluginStatus
from hotplane.values import Json
from hotplane.webhooks.checking import delivery_of

__all__ = ["Pace"]


class Pace:
    """Tells the outbox.

    Args:
        outbox: Delivers.
        own: How the configuration has events delivered to single handlers.
    """

    def __init__(self, outbox: Outbox, own: Mapping[str, DeliverySettings]) -> None:
        self._outbox = outbox
        self._own = dict(own)
        self._overridden: set[str] = set()

    def take(self, name: str, own: DeliverySettings | None) -> None:
        """Take what a handler has of its own from now on."""
        if own is None:
            self._own.pop(name, None)
        else:
            self._own[name] = own
        self._outbox.set_settings(name, own)

    def forget(self, name: str) -> None:
        """Let go of a handler that is gone."""
        self._overridden.discard(name)
        self.take(name, None)

    def settle(self, handlers: Iterable[PluginStatus]) -> None:
        """Have events delivered as the overrides say, and as before where one is gone."""
        seen: set[str] = set()
        for status in handlers:
            if isinstance(changed := status.overrides.get("delivery"), Mapping):
                seen.add(status.id)
                self._outbox.set_settings(status.id, _readable(changed))
        for name in self._overridden - seen:
            self._outbox.set_settings(name, self._own.get(name))
        self._overridden = seen

    def own(self, name: str, overrides: Mapping[str, Json]) -> Mapping[str, Json] | None:
        """Return what a handler has of its own."""
        if "delivery" in overrides:
            return cast("Mapping[str, Json] | None", overrides["delivery"])
        own = self._own.get(name)
        return None if own is None else own.model_dump(mode="json", exclude_unset=True)


def _readable(changed: Mapping[str, Json]) -> DeliverySettings | None:
    try:
        return delivery_of(changed)
    except ConfigurationError:  # an older version had other settings
        return None
