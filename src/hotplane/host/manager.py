"""The manager: brings plugins in and out of a running host; operations on one plugin queue.

Imports only `plugins`, `registry`, `records`, `errors` and its own room; storage and types come as arguments.
What an operation consists of is in `operations` and `reload`, what follows from a failure in `supervision`.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from hotplane.errors import DeclaredInFile, HotplaneError, PluginStartFailed
from hotplane.host.dependencies import Dependencies
from hotplane.host.instances import Admit, Instances, reason_of
from hotplane.host.operations import Operations
from hotplane.host.paths import Doors
from hotplane.host.reload import Reloader
from hotplane.host.restarts import RestartSettings
from hotplane.host.settings import HostSettings
from hotplane.host.slot import PluginSpec
from hotplane.host.starting import Starter
from hotplane.host.status import PluginStatus
from hotplane.host.supervision import Sleep, Supervision
from hotplane.host.supervisor import Supervisor
from hotplane.host.switchboard import Overrides, Switchboard
from hotplane.host.table import PluginNews
from hotplane.plugins import Clock, Plugin, PluginContext
from hotplane.records import PluginState
from hotplane.registry import Offload, Registry
from hotplane.values import Json

__all__ = ["Manager"]


class Manager(Switchboard):
    """Every plugin of a host, loaded or not.

    Args:
        registry: Where active plugins are plugged in.
        find_type: Gives the class for a type's name, in a thread; raises a HotplaneError where there is none.
        make_context: Makes a plugin's context from its id and configuration.
        overrides: Keeps what operators change.
        offload: Runs imports and sync hooks.
        settings: Limits.
        host_version: PEP 440; what plugins require is checked against it.
        clock: Of restarts; `sleep` waits on it.
        sleep: Waits for so many seconds.
        chance: Returns a number in [0, 1) for the jitter of restarts.
        restart: For plugins without restart settings of their own.
        doors: From where plugins may be loaded while the host runs; nowhere by default.
        on_news: Told of every step and every reload of every plugin.
        admit: What configurations may not say; everything by default.
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
        host_version: str,
        clock: Clock,
        sleep: Sleep = asyncio.sleep,
        chance: Callable[[], float] = random.random,
        restart: RestartSettings | None = None,
        doors: Doors | None = None,
        on_news: Callable[[PluginNews], None] | None = None,
        admit: Admit | None = None,
    ) -> None:
        super().__init__(registry, on_news)
        self._overrides = overrides
        self._doors = doors or Doors()
        self._instances = Instances(make_context=make_context, offload=offload, settings=settings, admit=admit)
        self._dependencies = Dependencies(self._slots, host_version)
        self._operations = Operations(
            registry,
            find_type=find_type,
            instances=self._instances,
            dependencies=self._dependencies,
            offload=offload,
            settings=settings,
        )
        self._starter = Starter(self._slots, self._operations, self._dependencies)
        self._starter.supervision = Supervision(
            Supervisor(clock, chance),
            clock=clock,
            sleep=sleep,
            settings=restart or RestartSettings(),
            restart=self._starter.due,
        )
        self._reloader = Reloader(self._operations, start=self._starter.by_hand, tell=self._tell)

    # --- all of them -------------------------------------------------------------------------------------

    async def start_all(self) -> None:
        """Load every plugin that is wanted, dependencies first; one that fails stays behind with the reason.

        Raises:
            PluginStartFailed: A plugin marked `required` did not start; what started before was stopped again.
        """
        wanted = [slot for slot in self._slots.values() if slot.enabled]
        await self._starter.get_to_know(wanted)
        for slot in self._dependencies.in_order(wanted):
            try:
                await self.start(slot.spec.id)
            except HotplaneError as error:
                if slot.spec.required:
                    await self.stop_all()
                    why = error.reason if isinstance(error, PluginStartFailed) else reason_of(error)
                    raise PluginStartFailed(slot.spec.id, f"{why.rstrip('.')}; it is marked `required`") from error

    async def stop_all(self) -> None:
        """Unload every plugin, the last started first, and restart nothing; a failure does not keep the others."""
        await self._starter.close()
        self._operations.hurry()
        self._reloader.close()
        for slot in sorted(self._slots.values(), key=lambda slot: -slot.activation):
            async with slot.operating:
                self._starter.supervision.cancel(slot)
                await self._operations.settle(slot)
                if slot.lifecycle.state in (PluginState.ACTIVE, PluginState.FAILED):
                    await self._operations.unload(slot, "the host is shutting down")
        self._feed.close()

    async def reload_all(self) -> tuple[PluginStatus, ...]:
        """Reload every plugin that is active or failed, one after the other; what came of each is in its status."""
        for slot in list(self._slots.values()):
            if slot.lifecycle.state in (PluginState.ACTIVE, PluginState.FAILED) and slot.spec.instance is None:
                await self._reloader.attempt(slot, "operator")
        return self.list()

    # --- one of them -------------------------------------------------------------------------------------

    async def start(self, plugin_id: str) -> PluginStatus:
        """Bring a plugin from unloaded or failed to active; one that is active stays as it is.

        Raises:
            PluginStartFailed: It did not start; its state is `failed` and says why.
        """
        slot = self._slot(plugin_id)
        async with slot.operating:
            if slot.lifecycle.state is not PluginState.ACTIVE:
                await self._starter.by_hand(slot)
            return self._status(slot)

    async def stop(self, plugin_id: str, *, cascade: bool = False) -> PluginStatus:
        """Bring a plugin to unloaded; its place is kept.

        Args:
            plugin_id: Which.
            cascade: Stop those that need it, too, before it.

        Raises:
            PluginNeeded: Others need it.
        """
        slot = self._slot(plugin_id)
        for dependent in self._starter.needing(slot, cascade=cascade):
            await self._starter.stop(dependent, f"stopped with {plugin_id!r}, which it needs")
        await self._starter.stop(slot, "stopped by an operator")
        return self._status(slot)

    async def restart(self, plugin_id: str) -> PluginStatus:
        """Stop a plugin and start it anew, from its file where it has one; those that need it stay.

        Raises:
            PluginStartFailed: It did not start again.
        """
        slot = self._slot(plugin_id)
        async with slot.operating:
            if slot.lifecycle.state is not PluginState.UNLOADED:
                await self._operations.unload(slot, "restarting")
            await self._starter.by_hand(slot)
            return self._status(slot)

    async def reload(self, plugin_id: str, trigger: str = "operator") -> PluginStatus:
        """Put a new generation in the place of the one that serves; one that is failed or unloaded is started.

        The code is read anew where the plugin comes from a file or package of its own; otherwise the same class is
        instantiated anew. Returns when the new generation serves; calls on the old one go on.

        Args:
            plugin_id: Which.
            trigger: ``operator``, or ``file``: then files that are what serves already change nothing, and what an
                operator stopped stays so.

        Raises:
            PluginReloadFailed: The old generation serves on; why is in the message and in `last_reload`.
            PluginStartFailed: It was not active, and did not start.
            NotReloadable: The program gave this very object.
        """
        slot = self._slot(plugin_id)
        await self._reloader.request(slot, trigger)
        return self._status(slot)

    def start_soon(self, plugin_id: str) -> None:
        """Have a plugin started without waiting for it."""
        self._starter.soon(self._slot(plugin_id))

    def reload_soon(self, plugin_id: str) -> None:
        """Have a plugin reloaded since its files may have changed, without waiting for it."""
        self._reloader.queue(self._slot(plugin_id), "file")

    async def remove(self, plugin_id: str, *, cascade: bool = False) -> None:
        """Unload a plugin and forget it, with what operators changed.

        A file of a directory is not touched: when it changes, or the host starts again, its plugin comes back.

        Raises:
            DeclaredInFile: The configuration file names it.
            PluginNeeded: Others need it.
        """
        slot = self._slot(plugin_id)
        if slot.spec.declared_in:
            raise DeclaredInFile(plugin_id, slot.spec.declared_in)
        await self.stop(plugin_id, cascade=cascade)
        async with slot.operating:
            self._starter.supervision.forget(slot)
            await self._overrides.reset_override(plugin_id, None)
            if slot.code is not None:
                slot.code.release()
            if self._slots.get(plugin_id) is slot:
                del self._slots[plugin_id]
        self._changed()

    async def report_failure(self, plugin_id: str, reason: str) -> PluginStatus:
        """Take an active plugin that was found not to work out of service, for example by its health checks.

        Its calls are drained and it is stopped; the supervisor decides whether and when it is started again.
        """
        slot = self._slot(plugin_id)
        await self._starter.report(slot, reason)
        return self._status(slot)

    # --- new ones ----------------------------------------------------------------------------------------

    async def load_path(
        self, path: Path, *, id: str | None = None, configuration: Mapping[str, Json] | None = None
    ) -> PluginStatus:
        """Take a plugin in from a file or package, and start it; one that is here already is reloaded.

        Raises:
            PathNotAllowed: It is neither in a plugin directory nor allowed by `plugins.paths`.
            PluginStartFailed, PluginReloadFailed: Why it does not serve.
        """
        real = self._doors.check_path(path)
        known = self.find_path(real)
        if known:
            return await self.reload(id if id in known else known[0])
        spec = PluginSpec(
            id=id or real.stem, type=real.stem, source="hand", path=real, configuration=configuration or {}
        )
        self.add(spec)
        return await self.start(spec.id)

    async def load_reference(
        self, reference: str, *, id: str | None = None, configuration: Mapping[str, Json] | None = None
    ) -> PluginStatus:
        """Take a plugin in by ``module:Class``, and start it.

        Raises:
            ReferenceNotAllowed: `plugins.paths` does not allow its module.
            PluginStartFailed: Why it does not serve.
        """
        self._doors.check_reference(reference)
        spec = PluginSpec(
            id=id or reference.partition(":")[2], type=reference, source="hand", configuration=configuration or {}
        )
        self.add(spec)
        return await self.start(spec.id)
