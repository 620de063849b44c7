"""Bringing plugins up and down with everything that hangs on it: dependencies, restarts, plugins that waited.

Imports only `operations`, `supervision`, `dependencies`, `slot`, `records` and `errors`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import suppress

from hotplane.errors import HotplaneError, PluginNeeded, PluginStartFailed
from hotplane.host.code import Code
from hotplane.host.dependencies import Dependencies
from hotplane.host.instances import reason_of
from hotplane.host.operations import Operations
from hotplane.host.slot import Slot
from hotplane.host.supervision import Supervision
from hotplane.records import PluginState

__all__ = ["Starter"]


class Starter:
    """Starts and stops plugins. The supervision is given afterwards, since it restarts through this.

    Args:
        slots: Every slot of the host, by id.
        operations: The steps.
        dependencies: Who needs whom.
    """

    supervision: Supervision

    def __init__(self, slots: Mapping[str, Slot], operations: Operations, dependencies: Dependencies) -> None:
        self._slots = slots
        self._operations = operations
        self._dependencies = dependencies
        self._tasks: set[asyncio.Task[None]] = set()

    async def by_hand(self, slot: Slot) -> None:
        """Load a slot that is not active, forgetting its failures; called with the slot's lock held.

        Raises:
            PluginStartFailed: It did not start.
        """
        self.supervision.by_hand(slot)
        await self._load(slot)

    def soon(self, slot: Slot) -> None:
        """Have a slot loaded without waiting for it."""
        task = asyncio.create_task(self._start_quietly(slot), name=f"hotplane-start-{slot.spec.id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def due(self, slot: Slot) -> None:
        """Start a failed slot again, from the code that worked where there is any; the time has come."""
        async with slot.operating:
            if slot.lifecycle.state is PluginState.FAILED and slot.retry_at is not None:
                slot.restarts += 1
                with suppress(PluginStartFailed):  # told as a step, with the reason, and the next try is planned
                    await self._load(slot, slot.code)

    async def report(self, slot: Slot, reason: str) -> None:
        """Take an active plugin that does not work out of service; the supervisor decides what follows."""
        async with slot.operating:
            if slot.lifecycle.state is PluginState.ACTIVE:
                trouble = await self._operations.take_out(slot)
                self.supervision.reported(slot, "; ".join(filter(None, (reason, trouble))))

    async def stop(self, slot: Slot, reason: str) -> None:
        """Unload a slot that is loaded or failed."""
        async with slot.operating:
            slot.stopped = True
            self.supervision.by_hand(slot)
            if slot.lifecycle.state is not PluginState.UNLOADED:
                await self._operations.unload(slot, reason)

    async def get_to_know(self, slots: Iterable[Slot]) -> None:
        """Find out what each needs, by importing those whose source does not say it literally."""
        for slot in slots:
            if slot.metadata is None:
                with suppress(HotplaneError):  # it is tried, and told, again when the plugin is started
                    slot.code = await self._operations.code_of(slot)
                    slot.preloaded = True

    def needing(self, slot: Slot, *, cascade: bool) -> tuple[Slot, ...]:
        """Return the plugins that need this one, in the order of their stop.

        Raises:
            PluginNeeded: There are some, and nobody asked for a cascade.
        """
        dependents = self._dependencies.dependents_of(slot.spec.id)
        if dependents and not cascade:
            raise PluginNeeded(slot.spec.id, (each.spec.id for each in dependents))
        return dependents

    async def close(self) -> None:
        """Start nothing more."""
        await self.supervision.shut_down()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _load(self, slot: Slot, code: Code | None = None) -> None:
        await self._operations.settle(slot)
        slot.stopped = False
        slot.lifecycle.to(PluginState.LOADING)
        try:
            await self._operations.load(slot, code)
        except asyncio.CancelledError:
            slot.lifecycle.to(PluginState.FAILED, "its start was cancelled")
            raise
        except KeyboardInterrupt:
            slot.lifecycle.to(PluginState.FAILED, "its start was interrupted")
            raise
        except BaseException as error:
            self.supervision.failed(slot, error)
            raise PluginStartFailed(slot.spec.id, reason_of(error)) from error
        self.supervision.active(slot)
        self._start_those_that_waited()

    def _start_those_that_waited(self) -> None:
        for slot in self._slots.values():
            if slot.blocked and slot.enabled and slot.lifecycle.state is PluginState.FAILED:
                slot.blocked = False
                self.soon(slot)

    async def _start_quietly(self, slot: Slot) -> None:
        async with slot.operating:
            if slot.lifecycle.state is not PluginState.ACTIVE:
                with suppress(PluginStartFailed):  # told as a step, with the reason
                    await self._load(slot)
