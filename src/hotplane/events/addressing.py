"""Whom an event has to be delivered to. Imports only `settings`, `host`, `plugins`, `records` and `storage`.

It is asked for every event that is stored, on the execution path, so that it keeps an answer for each type.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, Protocol, cast

from hotplane.events.settings import DeliverySettings
from hotplane.host.table import Expected
from hotplane.plugins import ALL_EVENTS
from hotplane.records import EventType
from hotplane.storage import Addressee, Ending, Told

__all__ = ["KIND", "AddressedStore", "Addressing", "HandlerTable", "supported_by"]

KIND = "webhook-handler"

_ABOUT_PLUGINS = frozenset(
    kind for kind in EventType if kind.value.startswith("plugin.") or kind is EventType.WEBHOOK_DISABLED
)


class HandlerTable(Protocol):
    """The plugins of a host."""

    def expected(self, kind: str) -> tuple[Expected, ...]:
        """Return the enabled plugins of a kind that serve, or would if nothing had failed."""
        ...

    def watch(self, watcher: Callable[[], None]) -> None:
        """Have `watcher` called after everything that may change that."""
        ...


class AddressedStore(Protocol):
    """The store, as far as it asks for addressees."""

    addressees: Callable[[Told], Sequence[Addressee]] | None


class Addressing:
    """Answers for the store; where no handler is enabled the store does not even ask.

    A handler that is down is addressed all the same: its deliveries wait for it. While it is down, what it supports
    is what it supported last, or what its class says, or everything where not even that is known.

    Args:
        table: The plugins.
        store: Who asks.
        settings: Gives a handler's settings.
    """

    def __init__(self, table: HandlerTable, store: AddressedStore, settings: Callable[[str], DeliverySettings]) -> None:
        self._table = table
        self._store = store
        self._settings = settings
        self._supported: dict[str, Collection[EventType]] = {}
        self._answers: dict[EventType, tuple[Addressee, ...]] = {}
        self._final: dict[EventType, tuple[Addressee, ...]] = {}
        """Those of them to which nothing in an event adds or takes away: asked for with every execution."""
        self._keyed: dict[EventType, tuple[tuple[str, str], ...]] = {}
        self.handlers: frozenset[str] = frozenset()
        """Who is addressed at all."""
        table.watch(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Look at the plugins and the settings again."""
        expected = self._table.expected(KIND)
        self._supported = {each.id: self._types_of(each) for each in expected}
        self.handlers = frozenset(self._supported)
        orders = {each.id: self._settings(each.id).order for each in expected}
        self._answers, self._keyed = {}, {}
        for kind in EventType:
            wanting = [handler for handler, supported in self._supported.items() if kind in supported]
            self._answers[kind] = tuple(Addressee(handler) for handler in wanting if orders[handler] == "none")
            self._keyed[kind] = tuple((handler, orders[handler]) for handler in wanting if orders[handler] != "none")
        self._final = {
            kind: answer
            for kind, answer in self._answers.items()
            if not self._keyed[kind] and kind not in _ABOUT_PLUGINS
        }
        self._store.addressees = self.of if expected else None

    def of(self, event: Told) -> Sequence[Addressee]:
        """Return who has to get `event`."""
        kind = event.type
        final = self._final.get(kind)
        if final is not None:
            return final
        addressees = self._answers[kind]
        if self._keyed[kind]:
            addressees = (*addressees, *(Addressee(name, _key(event, order)) for name, order in self._keyed[kind]))
        if kind in _ABOUT_PLUGINS and not isinstance(event, Ending):
            # A handler that fails would otherwise cause an event about itself for itself, again and again.
            about = event.payload.get("plugin")
            return tuple(each for each in addressees if each.handler != about)
        return addressees

    def _types_of(self, expected: Expected) -> Collection[EventType]:
        if expected.plugin is not None:
            return supported_by(expected.plugin)
        if expected.id in self._supported:
            return self._supported[expected.id]
        return ALL_EVENTS if expected.cls is None else supported_by(expected.cls)


def supported_by(plugin: object) -> Collection[EventType]:
    """Return the event types that a handler, or its class, supports; all of them when it cannot say."""
    try:
        return frozenset(cast("Any", plugin).supported_events)
    except Exception:  # an author may have made it a property; who delivers asks again
        return ALL_EVENTS


def _key(event: Told, order: str) -> str | None:
    return event.task_id if order == "task" else event.execution_id
