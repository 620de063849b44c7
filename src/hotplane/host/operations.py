"""The steps of a plugin's life: finding its code, loading, replacing, draining, unloading.

Imports only `plugins`, `registry`, `records`, `errors` and its own room. Every method is called while the slot's lock
is held, draining aside; what follows from a failure is decided by the manager.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from itertools import count
from pathlib import Path
from typing import Any, cast

from hotplane.errors import PluginImportFailed, PluginIncompatible
from hotplane.host.code import Code, describe_path, import_path
from hotplane.host.dependencies import Dependencies
from hotplane.host.instances import Instances
from hotplane.host.settings import HostSettings
from hotplane.host.slot import PluginSpec, Slot, literal_metadata
from hotplane.host.source import Source, read_source
from hotplane.plugins import Plugin, Runner, WebhookHandler, kind_name, kind_of
from hotplane.plugins.checking import check_plugin_class
from hotplane.records import PluginMetadata, PluginState
from hotplane.registry import Offload, Registry

__all__ = ["Operations"]

_FIRST_LOOK = 0.001
_LATER_LOOKS = 0.05
"""Seconds between looks at how many calls are left; the time between them doubles."""


class Operations:
    """Brings one plugin from one state to another.

    Args:
        registry: Where active plugins are plugged in.
        find_type: Gives the class for a type's name; raises a HotplaneError where there is none.
        instances: Makes plugins of classes.
        dependencies: Tells what may start.
        offload: Runs imports.
        settings: Limits.
    """

    def __init__(
        self,
        registry: Registry,
        *,
        find_type: Callable[[str], type[Plugin[Any]]],
        instances: Instances,
        dependencies: Dependencies,
        offload: Offload,
        settings: HostSettings,
    ) -> None:
        self._registry = registry
        self._find_type = find_type
        self._instances = instances
        self._dependencies = dependencies
        self._offload = offload
        self._settings = settings
        self._activations = count(1)
        self._in_a_hurry = False

    # --- code --------------------------------------------------------------------------------------------

    async def code_of(self, slot: Slot) -> Code:
        """Import the slot's class anew.

        Raises:
            HotplaneError: It cannot be imported, or does not fit; the message says why.
        """
        spec = slot.spec
        if spec.path is None:
            given = type(spec.instance) if spec.instance is not None else spec.cls
            return Code(check_plugin_class(given or await self._found(spec)))
        limit = self._settings.import_timeout_seconds
        found = await describe_path(spec.path, limit=limit, offload=self._offload)
        slot.tried = found.sha256
        if found.problems and found.sha256 is not None:  # it was read, and no import could make it good
            raise PluginImportFailed(str(spec.path), "; ".join(found.problems))
        if not slot.keeps_id and found.declared not in (None, spec.id):  # it was half-written when it was taken in
            reason = f"it declares the name {found.declared!r} by now, and the next look takes it in under that"
            raise PluginImportFailed(str(spec.path), reason)
        literal = literal_metadata(found)
        if literal is not None:
            self.check_fit(slot, literal)
        code = await import_path(spec.path, slot.generation + 1, limit=limit, offload=self._offload)
        slot.moved(spec.path, found)
        slot.tried = code.source.sha256 if code.source is not None else None
        return code

    async def _found(self, spec: PluginSpec) -> type[Plugin[Any]]:
        limit = self._settings.import_timeout_seconds
        try:
            return cast("type[Plugin[Any]]", await self._offload(self._find_type, spec.type, timeout=limit))
        except TimeoutError:
            raise PluginImportFailed(spec.type, f"its import takes longer than {limit:g} s") from None

    async def fingerprint(self, path: Path) -> str | None:
        """Return the SHA-256 of a plugin's files as they are now, read off the loop; None where they cannot be read."""
        try:
            source = cast(
                "Source", await self._offload(read_source, path, timeout=self._settings.import_timeout_seconds)
            )
        except (PluginImportFailed, TimeoutError):
            return None
        return source.sha256

    def check_fit(self, slot: Slot, metadata: PluginMetadata) -> None:
        """Check a version against the host and the other plugins.

        Raises:
            PluginIncompatible: It does not fit; what is wrong is named.
        """
        problem = self._dependencies.host_problem(metadata)
        if problem is None:
            problem = self._dependencies.start_problem(slot, metadata)
            slot.blocked = problem is not None
        if problem is not None:
            raise PluginIncompatible(slot.spec.id, problem)

    async def class_of(self, spec: PluginSpec) -> type[Plugin[Any]]:
        """Return the class that a spec's type means, where it is not in a file of its own."""
        return check_plugin_class(spec.cls or await self._found(spec))

    async def rehearse(self, spec: PluginSpec) -> type[Plugin[Any]]:
        """Make an instance of what a spec asks for, start it, stop it again, and return its class.

        Raises:
            BaseException: Why it would not come up.
        """
        cls = await self.class_of(spec)
        plugin = await self._instances.make(spec, cls, spec.configuration)
        await self._instances.start(plugin)
        await self._instances.stop(plugin)
        return cls

    # --- loading -----------------------------------------------------------------------------------------

    async def load(self, slot: Slot, code: Code | None = None) -> None:
        """Bring a slot that is `loading` to `active`.

        Args:
            slot: Which.
            code: What to make it of; imported by default.

        Raises:
            BaseException: Why it did not come up; nothing of it is left.
        """
        literal = slot.metadata if code is None else None
        if literal is not None and not slot.spec.path:
            self.check_fit(slot, literal)
        if code is None and slot.preloaded:
            code, slot.preloaded = slot.code, False
        fresh = code if code is not None else await self.code_of(slot)
        try:
            self.check_fit(slot, fresh.cls.metadata)
            plugin = await self._instances.make(slot.spec, fresh.cls, slot.configuration)
            await self._instances.start(plugin)
        except BaseException:
            if fresh is not slot.code:
                fresh.release()
            raise
        if slot.code is not None and slot.code is not fresh:
            slot.code.release()
        slot.code, slot.plugin = fresh, plugin
        slot.generation += 1
        slot.activation = next(self._activations)
        self._plug_in(slot, plugin)
        slot.lifecycle.to(PluginState.ACTIVE)

    def _plug_in(self, slot: Slot, plugin: Plugin[Any]) -> None:
        self._registry.register(
            plugin,
            id=slot.spec.id,
            enabled=slot.enabled,
            priority=slot.priority,
            generation=slot.generation,
            limit=self._limit(slot.spec, plugin),
            on_error=slot.spec.on_error,
            on_fail=slot.spec.on_fail,
            stats=slot.versions.serve(plugin.version, slot.generation),
        )

    def _limit(self, spec: PluginSpec, plugin: Plugin[Any]) -> float | None:
        if spec.limit is None and isinstance(plugin, Runner | WebhookHandler):
            return None  # a runner has the task's deadline, a handler its delivery's
        return spec.limit or self._settings.call_timeout_seconds

    # --- replacing ---------------------------------------------------------------------------------------

    async def replace(
        self, slot: Slot, code: Code, configuration: Mapping[str, Any], drained: Callable[[int], None]
    ) -> None:
        """Put a new generation in the place of the one that serves, without a moment in between.

        Args:
            slot: An active slot whose generation before is gone.
            code: What to make it of.
            configuration: What to give it.
            drained: Told how many calls were still on the old generation when it was stopped.

        Raises:
            BaseException: Why not; the old generation serves on and nothing of the new one is left but `code`.
        """
        old, old_code = cast("Plugin[Any]", slot.plugin), slot.code
        self._check_successor(slot, old, code)
        new = await self._instances.make(slot.spec, code.cls, configuration)
        await self._instances.start(new)
        try:
            await self._instances.check_health(new)
            await self._instances.carry_state(old, new)
        except BaseException:
            await self._instances.stop(new)
            raise
        slot.generation += 1
        self._registry.swap(
            slot.spec.id,
            new,
            generation=slot.generation,
            priority=slot.priority_of(code.cls),
            stats=slot.versions.serve(new.version, slot.generation),
        )
        slot.plugin, slot.code, slot.leaving = new, code, old
        slot.draining = asyncio.create_task(
            self._leave(slot, old, old_code if old_code is not code else None, drained),
            name=f"hotplane-drain-{slot.spec.id}",
        )

    def _check_successor(self, slot: Slot, old: Plugin[Any], code: Code) -> None:
        check_plugin_class(code.cls)
        before, after = kind_name(kind_of(type(old))), kind_name(kind_of(code.cls))
        if before != after:
            reason = f"it was a {before} and would be a {after}; remove it, then load it anew"
            raise PluginIncompatible(slot.spec.id, reason)
        self.check_fit(slot, code.cls.metadata)
        lost = self._dependencies.lost_by(slot, code.cls.metadata)
        if lost is not None:
            raise PluginIncompatible(slot.spec.id, lost)

    async def _leave(self, slot: Slot, old: Plugin[Any], code: Code | None, drained: Callable[[int], None]) -> None:
        try:
            left = await self._drain(old, self._settings.drain_timeout_seconds)
            await self._instances.stop(old)
            drained(left)
        finally:
            if code is not None:
                code.release()
            slot.leaving = slot.draining = None

    async def _drain(self, plugin: Plugin[Any], limit: float) -> int:
        """Wait until nobody is on `plugin` any more; return how many were left at the limit."""
        clock = asyncio.get_running_loop().time
        ends_at, pause = clock() + limit, _FIRST_LOOK
        while (users := self._registry.users_of(plugin)) and clock() < ends_at and not self._in_a_hurry:
            await asyncio.sleep(min(pause, max(0.0, ends_at - clock())))
            pause = min(2 * pause, _LATER_LOOKS)
        return users

    def hurry(self) -> None:
        """Wait for no call any more: the host is shutting down, and has waited for its executions already."""
        self._in_a_hurry = True

    async def settle(self, slot: Slot) -> None:
        """Wait until the generation before is gone: at most two live at a time."""
        if slot.draining is not None:
            await asyncio.wait({slot.draining})

    # --- unloading ---------------------------------------------------------------------------------------

    async def unload(self, slot: Slot, reason: str) -> None:
        """Bring a slot to `unloaded`; a stop that fails or hangs is forced."""
        slot.lifecycle.to(PluginState.UNLOADING, reason)
        trouble = await self.take_out(slot)
        if slot.code is not None:
            slot.code.release()
        slot.code = None
        slot.lifecycle.to(PluginState.UNLOADED, "; ".join(filter(None, (reason, trouble))))

    async def take_out(self, slot: Slot) -> str:
        """Take a slot's plugin out of its chain and stop it; its code is kept.

        Returns:
            What went wrong; empty when nothing did.
        """
        plugin = slot.plugin
        if plugin is None:
            return ""
        self._registry.unregister(Plugin, slot.spec.id)
        slot.plugin = None
        slot.versions.end()
        left = await self._drain(plugin, self._settings.stop_timeout_seconds)
        trouble = await self._instances.stop(plugin)
        calls = f"{left} call{'s were' if left > 1 else ' was'} still running" if left else ""
        return "; ".join(filter(None, (calls, trouble)))
