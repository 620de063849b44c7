"""Every plugin of a host as it can be seen: the slots, their statuses, and the news about them.

Imports only `plugins`, `registry`, `records`, `errors` and its own room. It changes nothing but who is listed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from hotplane.errors import DuplicatePlugin, UnknownPlugin
from hotplane.host.discovery import Discovery, Found
from hotplane.host.feed import Feed, Subscription
from hotplane.host.health_report import HealthChange
from hotplane.host.lifecycle import Lifecycle, Transition
from hotplane.host.slot import PluginSpec, Slot
from hotplane.host.status import PluginStatus, Reload, VersionStats
from hotplane.plugins import Plugin
from hotplane.registry import Registry
from hotplane.values import Json

__all__ = ["Expected", "PluginNews", "PluginTable"]

PluginNews = Transition | Reload | HealthChange
"""What subscribers are told."""


class Expected(Struct, frozen=True):
    """A plugin that serves, or would if it had not failed."""

    id: str
    plugin: Plugin[Any] | None
    """What serves; null while nothing does."""
    cls: type[Plugin[Any]] | None
    """Its class, as far as it is known."""


class PluginTable:
    """Every plugin of a host, loaded or not.

    Args:
        registry: Where active plugins are plugged in.
        on_news: Told of every step and every reload of every plugin.
    """

    def __init__(self, registry: Registry, on_news: Callable[[PluginNews], None] | None = None) -> None:
        self._registry = registry
        self._on_news = on_news
        self._slots: dict[str, Slot] = {}
        self._feed: Feed[PluginNews] = Feed()
        self.discovery = Discovery(found=(), conflicts=(), problems=())
        """What was found where, with conflicts and problems; kept up to date by who looks."""
        self._watchers: list[Callable[[], None]] = []

    def list(self) -> tuple[PluginStatus, ...]:
        """Return every plugin, loaded or not, by kind, priority descending, id."""
        statuses = [self._status(slot) for slot in self._slots.values()]
        return tuple(sorted(statuses, key=lambda status: (status.kind, -status.priority, status.id)))

    def get(self, plugin_id: str) -> PluginStatus:
        """Return one plugin.

        Raises:
            UnknownPlugin: There is none with this id.
        """
        return self._status(self._slot(plugin_id))

    def find_path(self, path: Path) -> tuple[str, ...]:
        """Return the ids of the plugins that are loaded from a file or package."""
        return tuple(slot.spec.id for slot in self._slots.values() if slot.spec.path == path)

    def keeps_id(self, plugin_id: str) -> bool:
        """Tell whether a plugin's id stays whatever its file declares; not what comes from a file and never served."""
        return self._slot(plugin_id).keeps_id

    def config_schema(self, plugin_id: str) -> Mapping[str, Json]:
        """Return the JSON Schema of a plugin's configuration; empty while its type is not known."""
        cls = self._slot(plugin_id).cls
        return cls.Config.model_json_schema() if cls is not None else {}

    def stats(self, plugin_id: str) -> tuple[VersionStats, ...]:
        """Return the numbers of a plugin's latest versions, the latest last."""
        return self._slot(plugin_id).versions.list()

    def subscribe(self, limit: int = 1000) -> Subscription[PluginNews]:
        """Listen to every step and reload from now on; the oldest news go when more than `limit` wait."""
        return self._feed.subscribe(limit)

    def watch(self, watcher: Callable[[], None]) -> None:
        """Have `watcher` called, on the loop, after everything that may change who serves."""
        self._watchers.append(watcher)

    def expected(self, kind: str) -> tuple[Expected, ...]:
        """Return the enabled plugins of a kind that serve, or would: also those that have failed or are starting."""
        return tuple(
            Expected(slot.spec.id, slot.plugin, slot.cls)
            for slot in self._slots.values()
            if slot.enabled and not slot.stopped and slot.kind == kind
        )

    def add(self, spec: PluginSpec, overrides: Mapping[str, Json] | None = None) -> PluginStatus:
        """Take a plugin in without loading it.

        Raises:
            DuplicatePlugin: The id is taken.
            InvalidId, ReservedId: The id cannot be used.
        """
        self._registry.check_usable(spec.id)
        taken = self._slots.get(spec.id)
        if taken is not None:
            raise DuplicatePlugin(spec.id, self._status(taken).kind or "plugin")
        slot = Slot(spec, Lifecycle(spec.id, on_transition=self._tell))
        slot.overrides.update(overrides or {})
        if not slot.enabled:
            slot.lifecycle.reason = "disabled"
        self._slots[spec.id] = slot
        self._changed()
        return self._status(slot)

    def file_gone(self, plugin_id: str) -> None:
        """Note that a plugin's file is not there any more; what was loaded from it serves on."""
        self._slot(plugin_id).missing = True

    def file_moved(self, plugin_id: str, path: Path, found: Found) -> None:
        """Note where a plugin's file is now."""
        self._slot(plugin_id).moved(path, found)

    def tell_health(self, change: HealthChange) -> None:
        """Tell who listens of a change of a plugin's health."""
        self._tell(change)

    def _slot(self, plugin_id: str) -> Slot:
        try:
            return self._slots[plugin_id]
        except KeyError:
            raise UnknownPlugin(plugin_id, self._slots) from None

    def _status(self, slot: Slot) -> PluginStatus:
        draining = self._registry.users_of(slot.leaving) if slot.leaving is not None else 0
        return slot.status(slot.versions.current(), draining)

    def _changed(self) -> None:
        for watcher in self._watchers:
            watcher()

    def _tell(self, news: PluginNews) -> None:
        self._changed()
        self._feed.publish(news)
        if self._on_news is not None:
            self._on_news(news)
