"""One place in the host for one plugin: what was asked for, where it stands, what runs.

Imports only `plugins`, `records`, `values`, `registry` and its own room.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct, field

from hotplane.host.lifecycle import Lifecycle
from hotplane.plugins import Plugin, kind_name, kind_of
from hotplane.records import PluginMetadata, PluginState
from hotplane.registry import StatsSnapshot
from hotplane.values import Json

__all__ = ["NO_CALLS", "PluginSpec", "PluginStatus", "Slot"]

NO_CALLS = StatsSnapshot(calls=0, errors=0, timeouts=0, mean_ms=0.0, p50_ms=0.0, p99_ms=0.0)


class PluginSpec(Struct, frozen=True, kw_only=True):
    """What an operator or an embedding program asks for."""

    id: str
    type: str
    """A type's name, or ``module:Class``."""
    kind: str | None = None
    """The kind it has to be, where the place in the configuration says so."""
    enabled: bool = True
    priority: int | None = None
    """None for the type's own."""
    configuration: Mapping[str, Any] = field(default_factory=dict[str, Any])
    required: bool = False
    """Whether the host must not start without it."""
    limit: float | None = None
    """Seconds for one call; None for the host's default."""
    on_error: str | None = None
    source: str = "configuration"
    unavailable: str = ""
    """Why this version cannot load it; such a plugin is listed as unloaded and never tried."""
    cls: type[Plugin[Any]] | None = None
    """The class, where the embedding program gave it."""
    instance: Plugin[Any] | None = None
    """The plugin itself, where the embedding program made it."""


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
    priority: int
    required: bool
    source: str
    generation: int
    since: datetime
    overrides: Mapping[str, Json]
    """What was changed through the API: wins over the file and survives a restart."""
    stats: StatsSnapshot = NO_CALLS


class Slot:
    """The mutable side of a spec; owned by the manager."""

    def __init__(self, spec: PluginSpec, lifecycle: Lifecycle) -> None:
        self.spec = spec
        self.lifecycle = lifecycle
        self.overrides: dict[str, Json] = {}
        self.operating = asyncio.Lock()
        self.plugin: Plugin[Any] | None = spec.instance
        self.cls: type[Plugin[Any]] | None = spec.cls or (type(spec.instance) if spec.instance else None)
        self.generation = 0

    @property
    def enabled(self) -> bool:
        """Whether it is wanted in its chain: the override, else the spec."""
        return bool(self.overrides.get("enabled", self.spec.enabled))

    @property
    def priority(self) -> int:
        """The override, else the spec, else the type's own."""
        chosen = self.overrides.get("priority", self.spec.priority)
        if isinstance(chosen, int):
            return chosen
        return self.cls.priority if self.cls is not None else 0

    def status(self, stats: StatsSnapshot) -> PluginStatus:
        """Return what can be seen from outside."""
        metadata: PluginMetadata | None = getattr(self.cls, "metadata", None)
        return PluginStatus(
            id=self.spec.id,
            type=self.spec.type,
            kind=kind_name(kind_of(self.cls)) if self.cls is not None else self.spec.kind or "",
            version=metadata.version if metadata else None,
            description=metadata.description if metadata else "",
            author=metadata.author if metadata else "",
            state=self.lifecycle.state,
            reason=self.lifecycle.reason or None,
            enabled=self.enabled,
            priority=self.priority,
            required=self.spec.required,
            source=self.spec.source,
            generation=self.generation,
            since=self.lifecycle.since,
            overrides=dict(self.overrides),
            stats=stats,
        )
