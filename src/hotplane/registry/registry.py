"""The registry: readers take one immutable snapshot, writers replace it.

Imports only `plugins`, `errors`, `identity` and its own room.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, TypeVar, cast

from msgspec.structs import replace

from hotplane.errors import DuplicatePlugin, InvalidMetadata, ReservedId, UnknownPlugin
from hotplane.identity import check_id
from hotplane.plugins import Plugin, kind_name, kind_of
from hotplane.registry.chain import Chain, Link, Offload
from hotplane.registry.entry import Entry, Snapshot
from hotplane.registry.lease import Lease, LiveChains
from hotplane.registry.stats import PluginStats
from hotplane.registry.turns import Turns

__all__ = ["RESERVED_IDS", "Registry"]

P = TypeVar("P", bound="Plugin[Any]")

RESERVED_IDS = frozenset({"health", "system", "events"})
"""Ids that the API uses as paths below ``/api/plugins``."""


_EMPTY: Chain[Any] = Chain(())
"""Shared by the kinds without plugins: nothing can leave it, and it is asked for at every execution."""


class _Chains(dict[type[Plugin[Any]], Chain[Any]]):
    """Chains by kind; a kind without plugins has an empty one."""

    def __missing__(self, kind: type[Plugin[Any]]) -> Chain[Any]:
        return _EMPTY


class Registry:
    """What is plugged in, by kind. Safe under concurrent threads and tasks.

    Args:
        offload: Runs sync calls of plugins that declare themselves `blocking`; without it they run in place.
        turns: How many of them run at once; without it as many as are called.
    """

    def __init__(self, *, offload: Offload | None = None, turns: Turns | None = None) -> None:
        self._offload = offload
        self._turns = turns
        self._writing = threading.Lock()
        self._live = LiveChains()
        self._snapshot = Snapshot(entries={}, ordered=())
        self._by_kind: Mapping[type[Plugin[Any]], Mapping[str, Any]] = {}
        self.chains: Mapping[type[Plugin[Any]], Chain[Any]] = _Chains()
        """The compiled chain of every kind, replaced as a whole at every change; the hot path reads it here.

        `Chain.run` and `run_async` may be called at any time later; who goes over `links` takes a `lease`."""

    # --- reading: no lock, one snapshot ------------------------------------------------------------------

    def resolve(self, kind: type[P], id: str) -> P | None:
        """Return the plugin of `kind` with this id, enabled or not; None when there is none."""
        try:
            return self._by_kind[kind][id]
        except KeyError:
            entry = self._snapshot.entries.get(id)
            return entry.plugin if entry is not None and isinstance(entry.plugin, kind) else None

    def list(self, kind: type[P], *, enabled_only: bool = True) -> tuple[P, ...]:
        """Return the plugins of `kind` by priority descending, then id; `enabled_only` leaves the disabled out."""
        return tuple(
            entry.plugin
            for entry in self._snapshot.ordered
            if isinstance(entry.plugin, kind) and (entry.enabled or not enabled_only)
        )

    def count(self, kind: type[Plugin[Any]], *, enabled_only: bool = False) -> int:
        """Return how many plugins of `kind` there are."""
        return len(self.list(kind, enabled_only=enabled_only))

    def contains(self, kind: type[Plugin[Any]], id: str) -> bool:
        """Tell whether a plugin of `kind` has this id."""
        return self.resolve(kind, id) is not None

    def chain(self, kind: type[P]) -> Chain[P]:
        """Return the compiled chain of a kind: its enabled, active plugins in order."""
        return self.chains[kind]

    def lease(self, kind: type[P]) -> Lease[P]:
        """Hold the compiled chain of a kind, so that none of its plugins is stopped meanwhile.

        For going over its links::

        with registry.lease(Validator) as chain:
            results = [await link.invoke(execution, context) for link in chain.links]
        """
        return Lease(partial(self.chain, kind))

    def users_of(self, plugin: Plugin[Any]) -> int:
        """Return how many runs are on chains with this plugin, old chains included.

        Once a plugin has been taken out or swapped, the number only falls, and 0 means that nobody will call it.
        """
        return self._live.users_of(plugin)

    def entry(self, id: str) -> Entry:
        """Return the entry with this id.

        Raises:
            UnknownPlugin: There is none.
        """
        entries = self._snapshot.entries
        try:
            return entries[id]
        except KeyError:
            raise UnknownPlugin(id, entries) from None

    def entries(self) -> tuple[Entry, ...]:
        """Return every entry by priority descending, then id."""
        return self._snapshot.ordered

    # --- writing: one at a time, the snapshot is replaced ------------------------------------------------

    def register(
        self,
        plugin: Plugin[Any],
        *,
        id: str | None = None,
        enabled: bool | None = None,
        priority: int | None = None,
        active: bool = True,
        generation: int = 1,
        limit: float | None = None,
        on_error: str | None = None,
        on_fail: str | None = None,
        stats: PluginStats | None = None,
    ) -> Entry:
        """Plug `plugin` in.

        Args:
            plugin: An instance of a kind.
            id: Unique over all kinds; the plugin's own id, or its type's name, by default.
            enabled: Whether it is in its kind's chain; the plugin's own `is_enabled` by default.
            priority: Higher runs earlier; the plugin's own by default.
            active: Whether its lifecycle has come to `active`; only then it is in the chain.
            generation: Which loaded version of the plugin this is.
            limit: Seconds that one call may take.
            on_error: ``open`` or ``closed``, where the kind's own rule is overridden.
            on_fail: ``reject`` or ``fix``, where a validator's objection has to have that consequence.
            stats: Counters to go on with; fresh ones by default.

        Raises:
            DuplicatePlugin: The id is taken.
            ReservedId, InvalidId: The id cannot be used.
            InvalidMetadata: `plugin` is not an instance of a kind.
        """
        kind = kind_of(type(plugin))
        if kind.method and not callable(getattr(plugin, kind.method, None)):
            raise InvalidMetadata(type(plugin).__qualname__, f"it has no method `{kind.method}`")
        entry = Entry(
            id=self.check_usable(id or plugin.id or plugin.name),
            kind=kind,
            plugin=plugin,
            enabled=plugin.is_enabled if enabled is None else enabled,
            priority=plugin.priority if priority is None else priority,
            active=active,
            generation=generation,
            limit=limit,
            on_error=on_error,
            on_fail=on_fail,
            stats=PluginStats() if stats is None else stats,
        )
        with self._writing:
            taken = self._snapshot.entries.get(entry.id)
            if taken is not None:
                raise DuplicatePlugin(entry.id, kind_name(taken.kind))
            self._publish([*self._snapshot.ordered, entry])
        return entry

    def unregister(self, kind: type[P], id: str) -> P | None:
        """Take the plugin of `kind` with this id out and return it; None when there was none."""
        with self._writing:
            entry = self._snapshot.entries.get(id)
            if entry is None or not isinstance(entry.plugin, kind):
                return None
            self._publish(other for other in self._snapshot.ordered if other is not entry)
            return entry.plugin

    def clear(self, kind: type[Plugin[Any]]) -> int:
        """Take every plugin of `kind` out; return how many there were."""
        with self._writing:
            kept = [entry for entry in self._snapshot.ordered if not isinstance(entry.plugin, kind)]
            removed = len(self._snapshot.ordered) - len(kept)
            self._publish(kept)
            return removed

    def clear_all(self) -> int:
        """Take every plugin out; return how many there were."""
        return self.clear(Plugin)

    def update(
        self, id: str, *, enabled: bool | None = None, priority: int | None = None, active: bool | None = None
    ) -> Entry:
        """Change an entry; what is None stays as it is.

        Raises:
            UnknownPlugin: There is no such entry.
        """
        changes: dict[str, Any] = {"enabled": enabled, "priority": priority, "active": active}
        return self._replace(id, {name: value for name, value in changes.items() if value is not None})

    def swap(
        self,
        id: str,
        plugin: Plugin[Any],
        *,
        generation: int,
        priority: int | None = None,
        stats: PluginStats | None = None,
    ) -> Entry:
        """Put another generation in the place of the one that is there.

        Args:
            id: Whose place.
            plugin: The new generation, of a kind with the same name.
            generation: Its number.
            priority: The new one; by default it stays.
            stats: Counters to go on with; fresh ones by default.

        Raises:
            UnknownPlugin: There is no such entry.
        """
        changes = {
            "plugin": plugin,
            "kind": kind_of(type(plugin)),  # a kind of the user's own may be part of the generation
            "generation": generation,
            "stats": PluginStats() if stats is None else stats,
        }
        return self._replace(id, changes if priority is None else {**changes, "priority": priority})

    def _replace(self, id: str, changes: Mapping[str, Any]) -> Entry:
        with self._writing:
            entry = self.entry(id)
            changed = replace(entry, **changes)
            self._publish(changed if other is entry else other for other in self._snapshot.ordered)
            return changed

    @staticmethod
    def check_usable(id: str) -> str:
        """Return `id` when a plugin may have it.

        Raises:
            ReservedId, InvalidId: It may not.
        """
        if id in RESERVED_IDS:
            raise ReservedId(id)
        return check_id(id, "a plugin's id")

    def _publish(self, entries: Iterable[Entry]) -> None:
        ordered = tuple(sorted(entries, key=lambda entry: (-entry.priority, entry.id)))
        for entry in ordered:
            # Plugins show their own standing; the registry is its only writer.
            entry.plugin.id, entry.plugin.is_enabled, entry.plugin.priority = entry.id, entry.enabled, entry.priority
        chains = _Chains()
        by_kind: dict[type[Plugin[Any]], Mapping[str, Any]] = {}
        for kind in {entry.kind for entry in ordered}:
            own = [entry for entry in ordered if entry.kind is kind]
            by_kind[kind] = {entry.id: entry.plugin for entry in own}
            if kind.method:
                chains[kind] = self._compile(kind, own)
        before = self._snapshot.ordered
        self._live.publish(chains.values())
        self._snapshot = Snapshot(entries={entry.id: entry for entry in ordered}, ordered=ordered)
        self._by_kind, self.chains = by_kind, chains
        staying = {id(entry.plugin) for entry in ordered}
        self._live.retire([entry.plugin for entry in before if id(entry.plugin) not in staying])

    def _compile(self, kind: type[Plugin[Any]], entries: Iterable[Entry]) -> Chain[Any]:
        links = tuple(
            Link(
                entry.plugin,
                plugin_id=entry.id,
                stats=entry.stats,
                limit=entry.limit,
                generation=entry.generation,
                on_error=entry.on_error,
                on_fail=entry.on_fail,
                offload=self._offload,
                turns=self._turns,
            )
            for entry in entries
            if entry.enabled and entry.active
        )
        return cast("Chain[Any]", Chain(links, partial(self.chain, kind)))
