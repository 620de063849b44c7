"""Events about the host itself: what became of its plugins, and where the work of its runners goes.

Imports only `host`, `routing`, `plugins`, `records`, `identity` and `errors`; the store comes as an argument.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from hotplane.errors import HotplaneError
from hotplane.host import PluginNews, PluginStatus, Reload, Transition
from hotplane.host.status import ReloadOutcome
from hotplane.identity import new_id
from hotplane.plugins import Logger
from hotplane.records import Event, EventType, PluginState, Severity, now
from hotplane.routing import FallbackChange, FallbackWord
from hotplane.values import Json

__all__ = ["EventLog", "Happenings"]

_LIMIT = 10_000
"""Events that may wait while the store takes none; the oldest go first."""
_GROUP = 100
_OWN = "local"
"""The host's own runner, which is there whatever happens; its life is the host's."""
_PAUSE_SECONDS = 1.0


class EventLog(Protocol):
    """Where events go."""

    async def append_events(self, events: Sequence[Event]) -> None:
        """Return when the events are stored."""
        ...


class Happenings:
    """Turns news into events and has them stored, in their order; while the store takes none they wait.

    Args:
        store: Where they go.
        describe: Gives a plugin's status.
        log: Told when the store takes none.
    """

    def __init__(self, store: EventLog, describe: Callable[[str], PluginStatus], log: Logger) -> None:
        self._store = store
        self._describe = describe
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Event] = deque(maxlen=_LIMIT)
        self._writing: asyncio.Task[None] | None = None
        self._again: set[str] = set()

    def on_plugin(self, news: PluginNews) -> None:
        """Take what happened to a plugin; called on the loop."""
        if isinstance(news, Transition):
            self._on_step(news)
        elif isinstance(news, Reload):
            self._on_reload(news)

    def on_fallback(self, change: FallbackChange) -> None:
        """Take where a runner's work goes; called by any thread."""
        self._loop.call_soon_threadsafe(self._on_fallback, change)

    async def stop(self, limit: float) -> None:
        """Have what waits stored, within `limit` seconds."""
        writing = self._writing
        if writing is None:
            return
        await asyncio.wait({writing}, timeout=limit)
        if not writing.done():
            self._log.warning("events.not-stored", events=len(self._waiting))
            writing.cancel()
            await asyncio.wait({writing})

    def _on_step(self, step: Transition) -> None:
        if step.plugin_id == _OWN:
            return
        # A life that began after a failure, or in a restart, is no first one.
        if PluginState.FAILED in (step.before, step.after) or step.reason.startswith("restarting"):
            self._again.add(step.plugin_id)
        if step.after is PluginState.ACTIVE:
            again = step.plugin_id in self._again
            self._again.discard(step.plugin_id)
            kind = EventType.PLUGIN_RESTARTED if again else EventType.PLUGIN_STARTED
            self._put(kind, Severity.INFO, self._about(step.plugin_id))
        elif step.after is PluginState.FAILED:
            about = {**self._about(step.plugin_id), "before": str(step.before), "reason": step.reason}
            self._put(EventType.PLUGIN_FAILED, Severity.ERROR, about)
        elif step.after is PluginState.UNLOADED and not step.reason.startswith("restarting"):
            self._again.discard(step.plugin_id)

    def _on_reload(self, reload: Reload) -> None:
        if reload.outcome is ReloadOutcome.UNCHANGED:
            return
        about: dict[str, Json] = {
            "plugin": reload.plugin_id,
            "version": reload.version,
            "generation": reload.generation,
            "trigger": reload.trigger,
        }
        if reload.outcome is ReloadOutcome.SWAPPED:
            self._put(EventType.PLUGIN_RELOADED, Severity.INFO, about)
        else:
            self._put(EventType.PLUGIN_ROLLED_BACK, Severity.WARNING, {**about, "reason": reload.reason})

    def _on_fallback(self, change: FallbackChange) -> None:
        about: dict[str, Json] = {"runner": change.state.runner, "taken_by": change.state.taken_by}
        if change.word is FallbackWord.RECOVERED:
            self._put(EventType.RUNNER_FALLBACK_RECOVERED, Severity.INFO, about)
        elif change.word is FallbackWord.ACTIVATED:
            about["trigger"] = None if change.state.trigger is None else str(change.state.trigger)
            self._put(EventType.RUNNER_FALLBACK_ACTIVATED, Severity.WARNING, about)

    def _about(self, plugin_id: str) -> dict[str, Json]:
        about: dict[str, Json] = {"plugin": plugin_id}
        try:
            status = self._describe(plugin_id)
        except HotplaneError:  # it was removed meanwhile
            return about
        return {**about, "kind": status.kind, "version": status.version, "generation": status.generation}

    def _put(self, kind: EventType, severity: Severity, payload: dict[str, Json]) -> None:
        self._waiting.append(Event(id=new_id(), type=kind, time=now(), severity=severity, payload=payload))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write(), name="hotplane-happenings")

    async def _write(self) -> None:
        told = False
        try:
            while self._waiting:
                group = [self._waiting[index] for index in range(min(_GROUP, len(self._waiting)))]
                try:
                    await self._store.append_events(group)
                except HotplaneError as error:
                    if not told:
                        self._log.warning("events.wait-for-store", why=str(error))
                    told = True
                    await asyncio.sleep(_PAUSE_SECONDS)
                    continue
                # What was dropped meanwhile, from the same end, is not in the group any more.
                while self._waiting and self._waiting[0] in group:
                    self._waiting.popleft()
        finally:
            self._writing = None
