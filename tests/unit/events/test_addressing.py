"""Whom an event is addressed to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from hotplane.events.addressing import Addressing
from hotplane.events.settings import DeliverySettings
from hotplane.host.table import Expected
from hotplane.identity import new_id
from hotplane.plugins import WebhookHandler
from hotplane.records import Event, EventType, now
from hotplane.storage import Addressee, Told


class Table:
    """Plugins that a test sets."""

    def __init__(self, *plugins: Expected) -> None:
        self.plugins = plugins
        self.watchers: list[Callable[[], None]] = []

    def expected(self, kind: str) -> tuple[Expected, ...]:
        assert kind == "webhook-handler"
        return self.plugins

    def watch(self, watcher: Callable[[], None]) -> None:
        self.watchers.append(watcher)

    def become(self, *plugins: Expected) -> None:
        self.plugins = plugins
        for watcher in self.watchers:
            watcher()


class Asking:
    """A store that asks."""

    addressees: Callable[[Told], Sequence[Addressee]] | None = None

    def of(self, kind: EventType, **fields: Any) -> set[tuple[str, str | None]]:
        assert self.addressees is not None
        event = Event(id=new_id(), type=kind, time=now(), **fields)
        return {(each.handler, each.order_key) for each in self.addressees(event)}


class Tasks(WebhookHandler[Any]):
    supported_events = frozenset({EventType.TASK_CREATED})


class Everything(WebhookHandler[Any]):
    pass


def addressed(*plugins: Expected, **orders: Any) -> tuple[Table, Asking]:
    """Return a table, and a store that asks about it."""
    table, store = Table(*plugins), Asking()
    Addressing(table, store, lambda name: DeliverySettings(order=orders.get(name, "none")))
    return table, store


def test_without_handlers_the_store_does_not_even_ask() -> None:
    """The first handler makes it ask, the last one that goes ends it."""
    table, store = addressed()
    assert store.addressees is None
    table.become(Expected("all", Everything(), Everything))
    assert store.of(EventType.TASK_DELETED) == {("all", None)}
    table.become()
    assert store.addressees is None


def test_only_handlers_that_support_the_type_are_addressed() -> None:
    """Each by what it says itself."""
    _, store = addressed(Expected("all", Everything(), Everything), Expected("tasks", Tasks(), Tasks))
    assert store.of(EventType.TASK_CREATED) == {("all", None), ("tasks", None)}
    assert store.of(EventType.TASK_DELETED) == {("all", None)}


def test_a_handler_that_is_down_is_addressed_by_what_it_supported_last() -> None:
    """What its instance said holds before what its class says; of one that nobody has seen, everything is kept."""
    chosen = Everything()
    chosen.supported_events = frozenset({EventType.TASK_UPDATED})  # type: ignore[misc]
    table, store = addressed(Expected("a", chosen, Everything), Expected("b", None, Tasks), Expected("c", None, None))
    table.become(Expected("a", None, Everything), Expected("b", None, Tasks), Expected("c", None, None))
    assert store.of(EventType.TASK_UPDATED) == {("a", None), ("c", None)}
    assert store.of(EventType.TASK_CREATED) == {("b", None), ("c", None)}


def test_the_order_key_is_that_of_the_handlers_setting() -> None:
    """By task, by execution, or none; an event without the key is outside the order."""
    plugins = [Expected(name, Everything(), Everything) for name in ("free", "tasks", "runs")]
    _, store = addressed(*plugins, tasks="task", runs="execution")
    found = store.of(EventType.VALIDATION_FAILED, task_id="t", execution_id="e")
    assert found == {("free", None), ("tasks", "t"), ("runs", "e")}
    assert store.of(EventType.BATCH_FINISHED) == {("free", None), ("tasks", None), ("runs", None)}


def test_no_handler_is_told_of_itself() -> None:
    """Or else one that fails would cause an event that it fails to take, for ever."""
    _, store = addressed(Expected("a", Everything(), Everything), Expected("b", Everything(), Everything))
    for kind in (EventType.PLUGIN_FAILED, EventType.WEBHOOK_DISABLED, EventType.PLUGIN_RESTARTED):
        assert store.of(kind, payload={"plugin": "a"}) == {("b", None)}
