"""What operators change on plugins that are there, kept over restarts: enabled, priority, configuration.

Imports only `plugins`, `registry`, `records`, `errors` and its own room; storage comes as an argument.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol, cast

import msgspec
from msgspec import Struct

from hotplane.errors import ConfigurationError, PluginMisconfigured
from hotplane.host.hooks import has_hook
from hotplane.host.instances import Instances
from hotplane.host.operations import Operations
from hotplane.host.reload import Reloader
from hotplane.host.slot import PluginSpec, Slot
from hotplane.host.starting import Starter
from hotplane.host.status import Disabled, PluginStatus
from hotplane.host.table import PluginTable
from hotplane.plugins import Plugin
from hotplane.records import PluginState
from hotplane.values import Json

__all__ = ["Overrides", "Switchboard", "Wanted"]


class Wanted(Struct, frozen=True, kw_only=True):
    """What is wanted of a plugin, secrets included: not to be shown."""

    spec: PluginSpec
    overrides: Mapping[str, Json]
    configuration: Mapping[str, Any]
    """That of the overrides, else of the spec."""
    cls: type[Plugin[Any]] | None
    """As far as it is known."""
    plugin: Plugin[Any] | None
    """What serves."""


class Overrides(Protocol):
    """Where changes of an operator are kept, per plugin and field."""

    async def set_override(self, plugin_id: str, field: str, value: Json) -> None:
        """Keep a value over restarts."""
        ...

    async def reset_override(self, plugin_id: str, field: str | None) -> None:
        """Forget one field's value, or all."""
        ...


class Switchboard(PluginTable):
    """The plugins, and what can be changed on each. The manager sets the parts it works with."""

    _overrides: Overrides
    _instances: Instances
    _operations: Operations
    _reloader: Reloader
    _starter: Starter

    async def enable(self, plugin_id: str) -> PluginStatus:
        """Put a plugin into its kind's chain, loading it where it is not loaded; kept over restarts.

        Raises:
            PluginStartFailed: It is enabled, but did not start.
        """
        slot = self._slot(plugin_id)
        async with slot.operating:
            await self._override(slot, "enabled", True)
            await self._note(slot, None)
            if slot.lifecycle.state is PluginState.ACTIVE:
                self._registry.update(plugin_id, enabled=True)
                self._changed()
            else:
                await self._starter.by_hand(slot)
            return self._status(slot)

    async def disable(self, plugin_id: str, *, cascade: bool = False, because: Disabled | None = None) -> PluginStatus:
        """Take a plugin out of its kind's chain; it stays active. Kept over restarts.

        Args:
            plugin_id: Which.
            cascade: Disable those that need it, too, before it.
            because: Why, where the host does so by itself; shown until an operator enables or disables it.

        Raises:
            PluginNeeded: Others need it.
        """
        slot = self._slot(plugin_id)
        for each in (*self._starter.needing(slot, cascade=cascade), slot):
            async with each.operating:
                await self._note(each, because if each is slot else None)
                await self._override(each, "enabled", False)
                self._disable(each)
        return self._status(slot)

    def _disable(self, slot: Slot) -> None:
        if slot.lifecycle.state is PluginState.ACTIVE:
            self._registry.update(slot.spec.id, enabled=False)
        elif slot.lifecycle.state is PluginState.UNLOADED:
            slot.lifecycle.reason = "disabled"
        else:  # failed: while nothing operates on a slot it is in no other state
            self._starter.supervision.cancel(slot)

    async def set_priority(self, plugin_id: str, priority: int) -> PluginStatus:
        """Move a plugin within its kind's chain: higher runs earlier. Kept over restarts."""
        slot = self._slot(plugin_id)
        async with slot.operating:
            await self._override(slot, "priority", priority)
            if slot.lifecycle.state is PluginState.ACTIVE:
                self._registry.update(plugin_id, priority=priority)
            return self._status(slot)

    async def reconfigure(self, plugin_id: str, configuration: Mapping[str, Json]) -> PluginStatus:
        """Give a plugin another configuration, by its own hook or by a new generation of the same class.

        A plugin that is not active has it from its next start on. Kept over restarts.

        Raises:
            ConfigurationError: It does not fit; every problem is named with its pointer. Nothing has changed.
            PluginMisconfigured: The plugin itself refused it.
            PluginReloadFailed: The new generation did not come up; the old one serves on as before.
            NotReloadable: The program gave this very object, and it has no hook for it.
        """
        slot = self._slot(plugin_id)
        async with slot.operating:
            await self._apply(slot, configuration)
            await self._override(slot, "configuration", dict(configuration))
            return self._status(slot)

    async def reset(self, plugin_id: str) -> PluginStatus:
        """Forget what operators changed: the configuration file holds again.

        Raises:
            PluginReloadFailed, PluginMisconfigured: The file's configuration does not work; all stays as it is.
        """
        slot = self._slot(plugin_id)
        async with slot.operating:
            if "configuration" in slot.overrides:
                await self._apply(slot, slot.spec.configuration)
            await self._overrides.reset_override(plugin_id, None)
            slot.overrides.clear()
            if slot.lifecycle.state is PluginState.ACTIVE:
                self._registry.update(plugin_id, enabled=slot.enabled, priority=slot.priority)
            self._changed()
            return self._status(slot)

    async def rehearse(self, spec: PluginSpec) -> type[Plugin[Any]]:
        """Find out whether a plugin would come up, by starting and stopping an instance that is in no chain.

        Raises:
            BaseException: Why it would not.
        """
        return await self._operations.rehearse(spec)

    async def revise(
        self,
        plugin_id: str,
        spec: PluginSpec,
        overrides: Mapping[str, Json],
        keep: Callable[[], Awaitable[None]],
    ) -> PluginStatus:
        """Give a plugin another spec of the same type, and other overrides.

        Args:
            plugin_id: Which.
            spec: The whole of it.
            overrides: What an operator changed of that.
            keep: Has all of it stored, once the configuration serves, or else was tried.

        Raises:
            ConfigurationError, PluginReloadFailed, PluginMisconfigured, PluginStartFailed: As of `reconfigure` and
                `enable`; but for the last, nothing has changed.
        """
        slot = self._slot(plugin_id)
        wanted = overrides.get("configuration", spec.configuration)
        async with slot.operating:
            if wanted != slot.configuration:
                await self._apply(slot, cast("Mapping[str, Any]", wanted))
            await keep()
            slot.spec, slot.overrides = spec, dict(overrides)
            if slot.lifecycle.state is PluginState.ACTIVE:
                self._registry.update(plugin_id, enabled=slot.enabled, priority=slot.priority)
            elif slot.enabled:
                await self._starter.by_hand(slot)
            else:
                self._disable(slot)
            self._changed()
            return self._status(slot)

    async def class_of(self, spec: PluginSpec) -> type[Plugin[Any]]:
        """Return the class that a spec's type means.

        Raises:
            UnknownType, ReferenceNotAllowed, InvalidMetadata, PluginImportFailed: There is none that can be used.
        """
        return await self._operations.class_of(spec)

    def wanted(self, plugin_id: str) -> Wanted:
        """Return what is wanted of a plugin, secrets included.

        Raises:
            UnknownPlugin: There is none with this id.
        """
        slot = self._slot(plugin_id)
        return Wanted(
            spec=slot.spec,
            overrides=dict(slot.overrides),
            configuration=slot.configuration,
            cls=slot.cls,
            plugin=slot.plugin,
        )

    async def _apply(self, slot: Slot, configuration: Mapping[str, Any]) -> None:
        if slot.code is None:
            slot.code = await self._operations.code_of(slot)
        try:
            config = self._instances.read(slot.spec.id, slot.code.cls, configuration)
        except PluginMisconfigured as error:
            raise cast("ConfigurationError", error.__cause__) from None
        if slot.lifecycle.state is not PluginState.ACTIVE:
            return
        plugin = cast("Plugin[Any]", slot.plugin)
        if has_hook(plugin, "reconfigure"):
            await self._instances.reconfigure(plugin, config)
        else:
            await self._reloader.replace(slot, configuration)

    async def _note(self, slot: Slot, because: Disabled | None) -> None:
        if because is not None:
            await self._override(slot, "disabled", msgspec.to_builtins(because))
        elif "disabled" in slot.overrides:
            await self._overrides.reset_override(slot.spec.id, "disabled")
            del slot.overrides["disabled"]

    async def _override(self, slot: Slot, field: str, value: Json) -> None:
        await self._overrides.set_override(slot.spec.id, field, value)
        slot.overrides[field] = value
        self._changed()
