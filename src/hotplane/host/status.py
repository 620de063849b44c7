"""What can be seen of a plugin from outside: values alone. Imports only `records`, `values` and `registry`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from hotplane.host.lifecycle import Transition
from hotplane.records import PluginState
from hotplane.registry import StatsSnapshot
from hotplane.values import Json

__all__ = ["NO_CALLS", "CodeOrigin", "PluginStatus", "Reload", "ReloadOutcome", "VersionStats"]

NO_CALLS = StatsSnapshot(calls=0, errors=0, timeouts=0, mean_ms=0.0, p50_ms=0.0, p99_ms=0.0)


class CodeOrigin(Struct, frozen=True, kw_only=True):
    """Where the code that serves, or would, comes from."""

    source: str
    """``built-in``, ``configuration``, ``distribution``, ``directory`` or ``hand``."""
    path: str | None = None
    modified_at: datetime | None = None
    size: int | None = None
    """Bytes."""
    sha256: str | None = None
    """Of what serves; of what was found where nothing does."""
    distribution: str | None = None
    """Name and version of the installed distribution."""
    missing: bool = False
    """The file is gone; what was loaded from it serves on."""


class ReloadOutcome(StrEnum):
    """What came of a reload."""

    SWAPPED = "swapped"
    FAILED = "failed"
    """The old generation serves on."""
    UNCHANGED = "unchanged"
    """The files are what serves already."""


class Reload(Struct, frozen=True, kw_only=True):
    """One try to put a new generation in the place of the one that serves."""

    plugin_id: str
    outcome: ReloadOutcome
    reason: str = ""
    """Why it failed."""
    traceback: str = ""
    """The plugin's own frames, where its import failed."""
    trigger: str
    """``file``, ``operator`` or ``configuration``."""
    at: datetime
    duration_ms: float
    """From the beginning of the reload to the swap, or to the failure."""
    generation: int
    """The one that serves afterwards."""
    version: str | None
    sha256: str | None = None
    """Of the files that were tried."""
    warnings: tuple[str, ...] = ()
    """What the import did that a plugin should leave."""
    abandoned: int = 0
    """Calls that were still on the old generation when its stop was forced."""


class VersionStats(Struct, frozen=True, kw_only=True):
    """The numbers of one version of a plugin, over all its generations."""

    version: str
    generation: int
    """The latest one of this version."""
    live: bool
    ended_at: datetime | None
    """When it stopped serving; null while it serves."""
    stats: StatsSnapshot


class Disabled(Struct, frozen=True, kw_only=True):
    """That the host itself took a plugin out of its chain."""

    reason: str
    at: datetime


class PluginStatus(Struct, frozen=True, kw_only=True):
    """What can be seen of a plugin from outside."""

    id: str
    type: str
    kind: str
    version: str | None
    description: str
    author: str
    state: PluginState
    reason: str | None
    """Why it is not active."""
    enabled: bool
    disabled: Disabled | None = None
    """Why and when the host disabled it by itself; null where it is enabled, or an operator disabled it."""
    priority: int
    required: bool
    source: str
    origin: CodeOrigin
    generation: int
    draining: int = 0
    """Calls that are still on the generation before."""
    since: datetime
    overrides: Mapping[str, Json]
    """What was changed through the API: wins over the file and survives a restart."""
    on_error: str | None = None
    """What a failed call counts as, where that is not the rule of its kind."""
    on_fail: str | None = None
    """What follows when a validator objects, where that is more than a record."""
    last_reload: Reload | None = None
    retry_at: datetime | None = None
    """When it is started again; null where nothing is planned."""
    restarts: int = 0
    """How often the supervisor started it again."""
    history: tuple[Transition, ...] = ()
    """The latest steps, oldest first."""
    stats: StatsSnapshot = NO_CALLS
