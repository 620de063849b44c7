"""The manager: loads, starts, stops and switches plugins in a running host, one operation per plugin at a time.

Imports only `plugins`, `registry`, `records`, `errors` and its own room; storage and types come as arguments.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from pydantic import BaseModel, ValidationError

from hotplane.errors import (
    DuplicatePlugin,
    HotplaneError,
    InvalidMetadata,
    PluginMisconfigured,
    PluginStartFailed,
    Problem,
    UnknownPlugin,
)
from hotplane.host.hooks import call_hook
from hotplane.host.lifecycle import Lifecycle, Transition
from hotplane.host.settings import HostSettings
from hotplane.host.slot import NO_CALLS, PluginSpec, PluginStatus, Slot
from hotplane.plugins import Plugin, PluginContext, Runner, kind_name, kind_of
from hotplane.plugins.base import check_plugin_class
from hotplane.records import PluginState
from hotplane.registry import Offload, Registry
from hotplane.values import Json, pointer

__all__ = ["Manager", "Overrides"]


class Overrides(Protocol):
    """Where changes of an operator are kept, per plugin and field."""

    async def set_override(self, plugin_id: str, field: str, value: Json) -> None:
        """Keep a value over restarts."""
        ...

    async def reset_override(self, plugin_id: str, field: str | None) -> None:
        """Forget one field's value, or all."""
        ...


class Manager:
    """Every plugin of a host, loaded or not.

    Args:
        registry: Where active plugins are plugged in.
        find_type: Gives the class for a type's name; raises a HotplaneError where there is none.
        make_context: Makes a plugin's context from its id and configuration.
        overrides: Keeps what operators change.
        offload: Runs sync hooks.
        settings: Limits.
        on_transition: Told of every step of every plugin.
    """

    def __init__(
        self,
        registry: Registry,
        *,
        find_type: Callable[[str], type[Plugin[Any]]],
        make_context: Callable[[str, BaseModel], PluginContext],
        overrides: Overrides,
        offload: Offload,
        settings: HostSettings,
        on_transition: Callable[[Transition], None] | None = None,
    ) -> None:
        self._registry = registry
        self._find_type = find_type
        self._make_context = make_context
        self._overrides = overrides
        self._offload = offload
        self._settings = settings
        self._on_transition = on_transition
        self._slots: dict[str, Slot] = {}

    # --- looking -----------------------------------------------------------------------------------------

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

    def config_schema(self, plugin_id: str) -> Mapping[str, Json]:
        """Return the JSON Schema of a plugin's configuration; empty while its type is not known."""
        cls = self._slot(plugin_id).cls
        return cls.Config.model_json_schema() if cls is not None else {}

    # --- coming and going --------------------------------------------------------------------------------

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
        lifecycle = Lifecycle(spec.id, reason=spec.unavailable, on_transition=self._on_transition)
        slot = Slot(spec, lifecycle)
        slot.overrides.update(overrides or {})
        if not slot.enabled and not spec.unavailable:
            lifecycle.reason = "disabled"
        self._slots[spec.id] = slot
        return self._status(slot)

    async def start_all(self) -> None:
        """Load every plugin that is wanted; one that fails stays behind as `failed`, with the reason.

        Raises:
            PluginStartFailed: A plugin marked `required` did not start.
        """
        for plugin_id, slot in list(self._slots.items()):
            if not slot.enabled or slot.spec.unavailable:
                continue
            try:
                await self.start(plugin_id)
            except HotplaneError as error:
                if slot.spec.required:
                    raise PluginStartFailed(plugin_id, f"{error} It is marked `required`") from error

    async def stop_all(self) -> None:
        """Unload every plugin, the last loaded first; a failure does not keep the others."""
        for plugin_id in reversed(list(self._slots)):
            slot = self._slots[plugin_id]
            async with slot.operating:
                if slot.lifecycle.state in (PluginState.ACTIVE, PluginState.FAILED):
                    await self._unload(slot, "the host is shutting down")

    async def start(self, plugin_id: str) -> PluginStatus:
        """Bring a plugin from unloaded or failed to active; one that is active stays as it is.

        Raises:
            PluginStartFailed: It did not start; its state is `failed` and says why.
        """
        slot = self._slot(plugin_id)
        async with slot.operating:
            if slot.lifecycle.state is not PluginState.ACTIVE:
                await self._load(slot)
            return self._status(slot)

    async def stop(self, plugin_id: str) -> PluginStatus:
        """Bring a plugin to unloaded; its place is kept."""
        slot = self._slot(plugin_id)
        async with slot.operating:
            if slot.lifecycle.state is not PluginState.UNLOADED:
                await self._unload(slot, "stopped by an operator")
            return self._status(slot)

    async def restart(self, plugin_id: str) -> PluginStatus:
        """Stop a plugin and start it anew."""
        slot = self._slot(plugin_id)
        async with slot.operating:
            if slot.lifecycle.state is not PluginState.UNLOADED:
                await self._unload(slot, "restarting")
            await self._load(slot)
            return self._status(slot)

    async def remove(self, plugin_id: str) -> None:
        """Unload a plugin and forget it."""
        await self.stop(plugin_id)
        del self._slots[plugin_id]

    # --- switching ---------------------------------------------------------------------------------------

    async def enable(self, plugin_id: str) -> PluginStatus:
        """Put a plugin into its kind's chain, loading it where it is not loaded; kept over restarts."""
        return await self._switch(plugin_id, enabled=True)

    async def disable(self, plugin_id: str) -> PluginStatus:
        """Take a plugin out of its kind's chain; it stays active. Kept over restarts."""
        return await self._switch(plugin_id, enabled=False)

    async def set_priority(self, plugin_id: str, priority: int) -> PluginStatus:
        """Move a plugin within its kind's chain: higher runs earlier. Kept over restarts."""
        slot = self._slot(plugin_id)
        async with slot.operating:
            await self._override(slot, "priority", priority)
            if slot.plugin is not None and slot.lifecycle.state is PluginState.ACTIVE:
                self._registry.update(plugin_id, priority=priority)
            return self._status(slot)

    async def reset(self, plugin_id: str) -> PluginStatus:
        """Forget what operators changed: the configuration holds again."""
        slot = self._slot(plugin_id)
        async with slot.operating:
            await self._overrides.reset_override(plugin_id, None)
            slot.overrides.clear()
            if slot.lifecycle.state is PluginState.ACTIVE:
                self._registry.update(plugin_id, enabled=slot.enabled, priority=slot.priority)
            return self._status(slot)

    async def _switch(self, plugin_id: str, *, enabled: bool) -> PluginStatus:
        slot = self._slot(plugin_id)
        async with slot.operating:
            await self._override(slot, "enabled", enabled)
            if slot.lifecycle.state is PluginState.ACTIVE:
                self._registry.update(plugin_id, enabled=enabled)
            elif enabled and not slot.spec.unavailable:
                await self._load(slot)
            elif not slot.spec.unavailable and slot.lifecycle.state is PluginState.UNLOADED:
                slot.lifecycle.reason = "disabled"
            return self._status(slot)

    async def _override(self, slot: Slot, field: str, value: Json) -> None:
        await self._overrides.set_override(slot.spec.id, field, value)
        slot.overrides[field] = value

    # --- the steps ---------------------------------------------------------------------------------------

    async def _load(self, slot: Slot) -> None:
        if slot.spec.unavailable:
            raise PluginStartFailed(slot.spec.id, slot.spec.unavailable)
        slot.lifecycle.to(PluginState.LOADING)
        try:
            slot.plugin = plugin = self._make(slot)
            context = self._make_context(slot.spec.id, plugin.config)
            limit = self._settings.start_timeout_seconds
            await call_hook(plugin, "start", context, limit=limit, offload=self._offload)
        except BaseException as error:
            slot.lifecycle.to(PluginState.FAILED, _reason(error))
            if isinstance(error, asyncio.CancelledError | KeyboardInterrupt):
                raise
            raise PluginStartFailed(slot.spec.id, _reason(error)) from error
        slot.generation += 1
        self._registry.register(
            plugin,
            id=slot.spec.id,
            enabled=slot.enabled,
            priority=slot.priority,
            generation=slot.generation,
            limit=self._limit(slot.spec, plugin),
            on_error=slot.spec.on_error,
        )
        slot.lifecycle.to(PluginState.ACTIVE)

    def _make(self, slot: Slot) -> Plugin[Any]:
        spec = slot.spec
        if spec.instance is not None:
            check_plugin_class(type(spec.instance))
            return spec.instance
        slot.cls = cls = check_plugin_class(spec.cls or self._find_type(spec.type))
        found = kind_name(kind_of(cls))
        if spec.kind is not None and found != spec.kind:
            raise InvalidMetadata(cls.__qualname__, f"it is a {found}, but is configured as a {spec.kind}")
        plugin = cls.__new__(cls)
        plugin.id = spec.id
        plugin.config = read_configuration(spec.id, cls, spec.configuration)
        plugin.__init__()
        return plugin

    def _limit(self, spec: PluginSpec, plugin: Plugin[Any]) -> float | None:
        if spec.limit is None and isinstance(plugin, Runner):
            return None  # a runner has the task's deadline
        return spec.limit or self._settings.call_timeout_seconds

    async def _unload(self, slot: Slot, reason: str) -> None:
        slot.lifecycle.to(PluginState.UNLOADING, reason)
        plugin = slot.plugin
        if plugin is not None:
            self._registry.unregister(Plugin, slot.spec.id)
            limit = self._settings.stop_timeout_seconds
            try:
                await call_hook(plugin, "stop", limit=limit, offload=self._offload)
            except Exception as error:
                reason = f"{reason}; its stop failed and was forced: {_reason(error)}"
        slot.plugin = slot.spec.instance
        slot.lifecycle.to(PluginState.UNLOADED, reason)

    # --- helpers of this class ---------------------------------------------------------------------------

    def _slot(self, plugin_id: str) -> Slot:
        try:
            return self._slots[plugin_id]
        except KeyError:
            raise UnknownPlugin(plugin_id, self._slots) from None

    def _status(self, slot: Slot) -> PluginStatus:
        active = slot.lifecycle.state is PluginState.ACTIVE
        return slot.status(self._registry.entry(slot.spec.id).stats.snapshot() if active else NO_CALLS)


def read_configuration(plugin_id: str, cls: type[Plugin[Any]], configuration: Mapping[str, Any]) -> BaseModel:
    """Read a plugin's configuration with its own model.

    Raises:
        PluginMisconfigured: It does not fit; every error is named with its path.
    """
    try:
        return cls.Config.model_validate(configuration)
    except ValidationError as error:
        problems = [Problem(str(each["msg"]), pointer(*each["loc"])) for each in error.errors(include_url=False)]
        listing = "; ".join(f"{problem.pointer or '/'}: {problem.message}" for problem in problems)
        raise PluginMisconfigured(f"The configuration of {plugin_id!r} does not fit: {listing}") from None


def _reason(error: BaseException) -> str:
    if isinstance(error, HotplaneError):
        return str(error)
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
