"""Bringing a running host up to date with all plugin files at once, as an operator asks for it.

Imports only `manager`, `directories`, `status`, `records` and `errors`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum

from msgspec import Struct

from hotplane.errors import HotplaneError
from hotplane.host.directories import Directories
from hotplane.host.instances import reason_of
from hotplane.host.manager import Manager
from hotplane.host.status import PluginStatus, ReloadOutcome
from hotplane.records import PluginState

__all__ = ["RefreshOutcome", "Refreshed", "refresh"]

_RELOADED = frozenset({"directory", "hand"})


class RefreshOutcome(StrEnum):
    """What came of looking at one plugin."""

    RELOADED = "reloaded"
    STARTED = "started"
    """It was not active, or not there."""
    REMOVED = "removed"
    """Its file is gone, and it was not active."""
    FAILED = "failed"
    NEEDS_RESTART = "needs-restart"
    """Its installed distribution has changed: such code is not replaced in a running process."""
    UNCHANGED = "unchanged"


class Refreshed(Struct, frozen=True, kw_only=True):
    """One plugin that is loaded from files."""

    plugin_id: str
    outcome: RefreshOutcome
    reason: str = ""
    """Why it failed; what served before serves on."""
    generation: int
    version: str | None


async def refresh(manager: Manager, directories: Directories | None) -> tuple[Refreshed, ...]:
    """Take in what is new in the plugin directories, and reload every plugin whose files have changed.

    Args:
        manager: The plugins.
        directories: Where to look for new ones; None where there are none.

    Returns:
        Every plugin that is loaded from files, by id; one that fails does not keep the others.
    """
    before = {status.id: status for status in _from_files(manager.list())}
    if directories is not None:
        await directories.rescan()
    reasons = dict[str, str]()
    for status in list(_from_files(manager.list())):
        if status.enabled:
            try:
                await manager.reload(status.id, "file")
            except HotplaneError as error:
                reasons[status.id] = reason_of(error)
    after = {status.id: status for status in _from_files(manager.list())}
    return tuple(
        _compared(before.get(plugin_id), after.get(plugin_id), reasons.get(plugin_id, ""))
        for plugin_id in sorted(before.keys() | after.keys())
    )


def _from_files(statuses: Iterable[PluginStatus]) -> Iterator[PluginStatus]:
    """Leave out what is imported: installed code is not replaced in a running process."""
    return (each for each in statuses if each.origin.path is not None and each.origin.source in _RELOADED)


def _compared(before: PluginStatus | None, after: PluginStatus | None, reason: str) -> Refreshed:
    there = after or before
    assert there is not None  # noqa: S101 - the ids are those of the two
    reason = reason or (_trouble_of(after) if after is not None else "")
    return Refreshed(
        plugin_id=there.id,
        outcome=_outcome(before, after, reason),
        reason=reason,
        generation=there.generation,
        version=there.version,
    )


def _trouble_of(status: PluginStatus) -> str:
    """Return why the files as they are do not serve; empty where they do, or nobody wants them to."""
    if status.state is PluginState.FAILED:
        return status.reason or "it failed"
    last = status.last_reload
    return last.reason if last is not None and last.outcome is ReloadOutcome.FAILED else ""


def _outcome(before: PluginStatus | None, after: PluginStatus | None, reason: str) -> RefreshOutcome:
    if after is None:
        return RefreshOutcome.REMOVED
    if reason:
        return RefreshOutcome.FAILED
    if before is not None and before.generation == after.generation:
        return RefreshOutcome.UNCHANGED
    was_active = before is not None and before.state is PluginState.ACTIVE
    return RefreshOutcome.RELOADED if was_active else RefreshOutcome.STARTED
