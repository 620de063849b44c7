"""Plugin directories: what lies in them is taken in, what changes is reloaded, what goes away serves on.

Imports only `discovery`, `survey`, `watching`, `manager`, `slot`, `plugins` and `errors`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from hotplane.errors import HotplaneError, PluginsUnreadable
from hotplane.host.discovery import Discovery, Found, Origin, find_path
from hotplane.host.manager import Manager
from hotplane.host.slot import PluginSpec
from hotplane.host.status import PluginStatus
from hotplane.host.survey import INSTALLED, survey
from hotplane.host.watching import Watch
from hotplane.plugins import Logger
from hotplane.records import PluginState
from hotplane.registry import Offload
from hotplane.values import Json

__all__ = ["Directories", "directory_spec"]


def directory_spec(found: Found) -> PluginSpec:
    """Return the spec of a plugin that no entry of the configuration names: its own name, priority and defaults."""
    return PluginSpec(
        id=found.name, type=found.name, source="directory", path=Path(found.path or found.reference), found=found
    )


class Directories:
    """Keeps the manager up to date with what lies in the plugin directories.

    Args:
        manager: What is told.
        directories: Where to look.
        scan: Looks at all sources, in a thread.
        overrides: Gives what operators changed, by plugin.
        offload: Runs the scan.
        log: Told of what stands in the way.
    """

    def __init__(
        self,
        manager: Manager,
        directories: Sequence[Path],
        *,
        scan: Callable[[], Discovery],
        overrides: Callable[[], Awaitable[Mapping[str, Mapping[str, Json]]]],
        offload: Offload,
        log: Logger,
    ) -> None:
        self._manager = manager
        self._directories = tuple(directories)
        self._scan = scan
        self._overrides = overrides
        self._offload = offload
        self._log = log
        self._watch: Watch | None = None
        self._changed: set[Path] = set()
        self._overdue = False
        self._wakeup = asyncio.Event()
        self._worker: asyncio.Task[None] | None = None

    async def look(self) -> Discovery:
        """Look at every source, and keep what was found in the manager.

        Raises:
            PluginsUnreadable: It took too long. When the sources can be read after all, they are looked at again.
        """
        discovery = await survey(self._scan, self._sources, offload=self._offload, late=self._catch_up)
        known = {str(conflict) for conflict in self._manager.discovery.conflicts}
        for conflict in discovery.conflicts:
            if str(conflict) not in known:
                self._log.warning("plugins.conflict", message=str(conflict))
        for problem in discovery.problems:
            if problem not in self._manager.discovery.problems:
                self._log.warning("plugins.directory", message=str(problem))
        self._manager.discovery = discovery
        return discovery

    async def rescan(self) -> None:
        """Look at every source, and act on what is new or gone; what is known is the caller's to reload."""
        for entry in self._known_entries():
            if entry.parent in self._directories:
                there = entry.exists()
                for plugin_id in self._manager.find_path(entry):
                    await (self._check_name(plugin_id, entry) if there else self._gone(plugin_id))
        try:
            await self._take_in_new(await self.look())
        except PluginsUnreadable as error:  # what is known can be reloaded all the same
            self._log.warning("plugins.directory", message=str(error))

    def watch(self, *, polling: bool, debounce_ms: int) -> None:
        """Follow the directories from now on."""
        self._worker = asyncio.create_task(self._work(), name="hotplane-directories")
        self._watch = Watch(
            self._directories,
            changed=self._note,
            troubled=lambda message: self._log.warning("plugins.watch", message=message),
            polling=polling,
            debounce_ms=debounce_ms,
        )
        self._watch.start()

    async def stop(self) -> None:
        """Follow the directories no more."""
        if self._worker is not None:
            self._worker.cancel()
            await asyncio.wait({self._worker})
        if self._watch is not None:
            await self._watch.stop()
        self._watch = self._worker = None

    @property
    def _sources(self) -> str:
        named = ", ".join(str(directory) for directory in self._directories)
        return f"The plugin directories {named}, or {INSTALLED.lower()}," if named else INSTALLED

    def _catch_up(self) -> None:
        self._overdue = True
        self._wakeup.set()

    def _note(self, paths: set[Path]) -> None:
        self._changed |= paths
        self._wakeup.set()

    async def _work(self) -> None:
        while True:
            await self._wakeup.wait()
            self._wakeup.clear()
            changed, self._changed = self._changed, set()
            try:
                await self._take_in(changed)
            except PluginsUnreadable as error:
                self._log.warning("plugins.directory", message=str(error))
            except Exception as error:  # the next change must find its reader
                self._log.exception("plugins.directory", message=str(error))

    async def _take_in(self, changed: set[Path]) -> None:
        entries = {entry for path in changed for entry in self._entries_of(path)}
        strange, self._overdue = self._overdue or not changed.isdisjoint(self._directories), False
        for entry in sorted(entries):
            known = self._manager.find_path(entry)
            there = entry.exists()
            for plugin_id in known:
                if not there:
                    await self._gone(plugin_id)
                elif await self._check_name(plugin_id, entry):
                    self._manager.reload_soon(plugin_id)
            strange = strange or not there or not self._manager.find_path(entry)
        if strange:
            await self._take_in_new(await self.look())

    def _entries_of(self, path: Path) -> set[Path]:
        """Return the files and packages, directly in a directory, that a changed path is part of."""
        for directory in self._directories:
            if path == directory or (path.is_relative_to(directory) and _is_switch(path.relative_to(directory))):
                return {entry for entry in self._known_entries() if entry.parent == directory}
            if path.is_relative_to(directory):
                parts = path.relative_to(directory).parts
                return {directory / parts[0]} if _counts(parts) else set()
        return set()

    def _known_entries(self) -> set[Path]:
        return {Path(status.origin.path) for status in self._manager.list() if status.origin.path is not None}

    async def _gone(self, plugin_id: str) -> None:
        status = self._manager.get(plugin_id)
        if status.state is PluginState.ACTIVE or status.source != "directory":
            self._manager.file_gone(plugin_id)
            self._log.warning("plugins.file-gone", plugin=plugin_id, path=status.origin.path)
        else:
            with suppress(HotplaneError):
                await self._manager.remove(plugin_id)

    async def _check_name(self, plugin_id: str, entry: Path) -> bool:
        """Take a plugin out that never served and whose file, now that it is whole, declares another name.

        Returns:
            Whether it is still there.
        """
        with suppress(HotplaneError):  # unreadable, which its reload will tell; or removed meanwhile
            if not self._manager.keeps_id(plugin_id):
                found = await survey(partial(find_path, entry), f"The file {entry}", offload=self._offload)
                if found.declared not in (None, plugin_id) and not self._manager.keeps_id(plugin_id):
                    await self._manager.remove(plugin_id)
        return plugin_id in self._manager.find_path(entry)

    async def _take_in_new(self, discovery: Discovery) -> None:
        overrides = await self._overrides()
        for found in discovery.found:
            path = Path(found.path) if found.path is not None else None
            if found.source is Origin.DIRECTORY and path is not None and not self._manager.find_path(path):
                self._place(found, path, overrides.get(found.name))

    def take(self, spec: PluginSpec, overrides: Mapping[str, Json] | None = None) -> PluginStatus | None:
        """Have the manager take in what nobody named; None, and a warning, where it cannot have its name."""
        try:
            return self._manager.add(spec, overrides)
        except HotplaneError as error:
            self._log.warning("plugins.directory", message=f"{spec.path or spec.type}: {error}")
            return None

    def _place(self, found: Found, path: Path, overrides: Mapping[str, Json] | None) -> None:
        waiting = [status for status in self._manager.list() if self._waits_for(status.id, found.name)]
        for status in waiting:
            self._manager.file_moved(status.id, path, found)
            self._manager.reload_soon(status.id)
        if waiting:
            return
        status = self.take(directory_spec(found), overrides)
        if status is not None and status.enabled:
            self._manager.start_soon(status.id)

    def _waits_for(self, plugin_id: str, type: str) -> bool:
        """Tell whether a plugin of this type lost its file, or never found one."""
        status = self._manager.get(plugin_id)
        nowhere = status.origin.path is None and status.state is PluginState.FAILED
        return status.type == type and (status.origin.missing or nowhere)


def _counts(parts: Sequence[str]) -> bool:
    if parts[0].startswith(("_", ".")) or "__pycache__" in parts:
        return False
    return not parts[-1].endswith((".pyc", "~", ".swp", ".tmp"))


def _is_switch(path: Path) -> bool:
    """Tell whether a change is the way in which Kubernetes replaces all files of a volume at once."""
    return path.parts[:1] == ("..data",)
