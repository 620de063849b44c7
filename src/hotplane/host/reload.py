"""Reloading: one at a time for each plugin, requests meanwhile joined, every outcome told and kept.

Imports only `slot`, `operations`, `records`, `errors` and its own room.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import Any

from msgspec.structs import replace

from hotplane.errors import HotplaneError, NotReloadable, PluginImportFailed, PluginReloadFailed, PluginStartFailed
from hotplane.host.code import Code
from hotplane.host.instances import reason_of
from hotplane.host.operations import Operations
from hotplane.host.slot import Slot
from hotplane.host.status import Reload, ReloadOutcome
from hotplane.records import PluginState, now

__all__ = ["Reloader"]

_TRIES = 6
_PAUSE = 0.05
"""Seconds between tries at files that are being written."""


@dataclass(slots=True)
class _Attempt:
    trigger: str
    started: float
    code: Code | None = None


class Reloader:
    """Puts new generations in the place of old ones.

    Args:
        operations: The steps.
        start: Loads a plugin that is not active; called with the slot's lock held.
        tell: Told of every outcome.
    """

    def __init__(
        self, operations: Operations, *, start: Callable[[Slot], Awaitable[None]], tell: Callable[[Reload], None]
    ) -> None:
        self._operations = operations
        self._start = start
        self._tell = tell
        self._running: set[asyncio.Task[Reload]] = set()

    async def request(self, slot: Slot, trigger: str) -> Reload:
        """Have a slot reloaded, and wait for it.

        A request joins one that has not begun. One that has begun may have read the files already, so that another
        follows it: three requests at once make two reloads at most.
        """
        return await asyncio.shield(self.queue(slot, trigger))

    def queue(self, slot: Slot, trigger: str) -> asyncio.Task[Reload]:
        """Have a slot reloaded without waiting for it; see `request`."""
        waiting = slot.next_reload
        if waiting is None or trigger != "file":
            slot.next_trigger = trigger
        if waiting is None:
            waiting = asyncio.create_task(self._in_turn(slot), name=f"hotplane-reload-{slot.spec.id}")
            slot.next_reload = waiting
            self._running.add(waiting)
            waiting.add_done_callback(self._ended)
        return waiting

    async def attempt(self, slot: Slot, trigger: str) -> None:
        """Have a slot reloaded, and wait for it; a failure is told and kept, and goes no further."""
        with suppress(HotplaneError):
            await self.request(slot, trigger)

    def close(self) -> None:
        """Break off what is going on; the old generations stay."""
        for task in self._running:
            task.cancel()

    def _ended(self, task: asyncio.Task[Reload]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # told and kept; perhaps nobody waits for the task any more

    async def _in_turn(self, slot: Slot) -> Reload:
        try:
            async with slot.operating:
                slot.next_reload = None
                return await self._reload(slot, slot.next_trigger)
        finally:
            if slot.next_reload is asyncio.current_task():
                slot.next_reload = None

    async def _reload(self, slot: Slot, trigger: str) -> Reload:
        attempt = _Attempt(trigger, perf_counter())
        if trigger == "file" and not await self._has_news(slot):
            return self._unchanged(slot, attempt)
        if slot.lifecycle.state is not PluginState.ACTIVE:
            return await self._revive(slot, attempt)
        if slot.spec.instance is not None:
            raise NotReloadable(slot.spec.id, "the program gave this very object; give another one with `load`")
        await self._operations.settle(slot)
        return await self._with(slot, attempt, partial(self._import, slot), slot.configuration)

    async def replace(self, slot: Slot, configuration: Mapping[str, Any]) -> Reload:
        """Put an instance of the same class with another configuration in the place of the one that serves.

        Called while the slot's lock is held.
        """
        attempt = _Attempt("configuration", perf_counter())
        if slot.spec.instance is not None or slot.code is None:
            raise NotReloadable(slot.spec.id, "the program gave this very object, and it has no `reconfigure`")
        await self._operations.settle(slot)
        same = slot.code

        async def code() -> Code:
            return same

        return await self._with(slot, attempt, code, configuration)

    # --- one try -----------------------------------------------------------------------------------------

    async def _with(
        self, slot: Slot, attempt: _Attempt, code: Callable[[], Awaitable[Code]], configuration: Mapping[str, Any]
    ) -> Reload:
        serving = slot.code
        try:
            attempt.code = await code()
            await self._operations.replace(slot, attempt.code, configuration, partial(self._drained, slot))
        except BaseException as error:
            if attempt.code is not None and attempt.code is not serving:
                attempt.code.release()
            self._keep(slot, self._describe(slot, attempt, ReloadOutcome.FAILED, error))
            if isinstance(error, asyncio.CancelledError):
                raise
            raise PluginReloadFailed(slot.spec.id, reason_of(error), slot.generation) from error
        return self._keep(slot, self._describe(slot, attempt, ReloadOutcome.SWAPPED))

    async def _import(self, slot: Slot) -> Code:
        """Import, again and again while the files are being written."""
        for _ in range(_TRIES - 1):
            try:
                return await self._operations.code_of(slot)
            except PluginImportFailed as error:
                if not error.changed:
                    raise
            await asyncio.sleep(_PAUSE)
        return await self._operations.code_of(slot)

    async def _revive(self, slot: Slot, attempt: _Attempt) -> Reload:
        try:
            await self._start(slot)
        except BaseException as error:
            self._keep(slot, self._describe(slot, attempt, ReloadOutcome.FAILED, error))
            raise
        attempt.code = slot.code
        return self._keep(slot, self._describe(slot, attempt, ReloadOutcome.SWAPPED))

    async def _has_news(self, slot: Slot) -> bool:
        """Tell whether a file's change is worth a try: it was not tried before, and nobody stopped the plugin."""
        if slot.spec.path is None or slot.lifecycle.state is PluginState.UNLOADED:
            return False
        now_there = await self._operations.fingerprint(slot.spec.path)
        if now_there is None:
            return True
        source = slot.code.source if slot.code is not None else None
        if slot.lifecycle.state is PluginState.ACTIVE and source is not None and source.sha256 == now_there:
            slot.missing, slot.tried = False, now_there
            return False
        return slot.tried != now_there

    def _unchanged(self, slot: Slot, attempt: _Attempt) -> Reload:
        """Return that nothing was done; told where it means that a failed edit was taken back."""
        last, source = slot.last_reload, slot.code.source if slot.code is not None else None
        reload = self._describe(slot, attempt, ReloadOutcome.UNCHANGED)
        taken_back = source is not None and source.sha256 == slot.tried
        if last is not None and last.outcome is ReloadOutcome.FAILED and taken_back:
            return self._keep(slot, reload)
        return reload

    # --- telling -----------------------------------------------------------------------------------------

    def _describe(
        self, slot: Slot, attempt: _Attempt, outcome: ReloadOutcome, error: BaseException | None = None
    ) -> Reload:
        cause = error.__cause__ if isinstance(error, PluginStartFailed) else error
        return Reload(
            plugin_id=slot.spec.id,
            outcome=outcome,
            reason=reason_of(error) if error is not None else "",
            traceback=cause.traceback if isinstance(cause, PluginImportFailed) else "",
            trigger=attempt.trigger,
            at=now(),
            duration_ms=(perf_counter() - attempt.started) * 1e3,
            generation=slot.generation,
            version=slot.plugin.version if slot.plugin is not None else None,
            sha256=slot.tried,
            warnings=attempt.code.warnings if attempt.code is not None else (),
        )

    def _keep(self, slot: Slot, reload: Reload) -> Reload:
        slot.last_reload = reload
        self._tell(reload)
        return reload

    def _drained(self, slot: Slot, left: int) -> None:
        if left and slot.last_reload is not None:
            slot.last_reload = replace(slot.last_reload, abandoned=left)
            self._tell(slot.last_reload)
