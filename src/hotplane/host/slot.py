"""One place in the host for one plugin: what was asked for, where it stands, what runs.

Imports only `plugins`, `records`, `values`, `registry` and its own room.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

from hotplane.host.code import Code
from hotplane.host.discovery import Found
from hotplane.host.lifecycle import Lifecycle
from hotplane.host.restarts import RestartSettings
from hotplane.host.showing import shown_configuration
from hotplane.host.status import CodeOrigin, Disabled, PluginStatus, Reload
from hotplane.host.versions import Versions
from hotplane.plugins import Plugin, kind_name, kind_of
from hotplane.records import PluginMetadata
from hotplane.registry import StatsSnapshot
from hotplane.values import Json

__all__ = ["PluginSpec", "Slot"]


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
    on_fail: str | None = None
    restart: RestartSettings | None = None
    """None for the host's own."""
    source: str = "configuration"
    declared_in: str = ""
    """The configuration file that names it; such a plugin can be overridden, not removed."""
    path: Path | None = None
    """The file or package to load it from; None for types that are imported or given."""
    found: Found | None = None
    """What discovery read of it without importing."""
    cls: type[Plugin[Any]] | None = None
    """The class, where it was given by hand instead of by its type's name."""
    instance: Plugin[Any] | None = None
    """The plugin itself, where it was given by hand."""


class Slot:
    """The mutable side of a spec; owned by the manager."""

    def __init__(self, spec: PluginSpec, lifecycle: Lifecycle) -> None:
        self.spec = spec
        self.lifecycle = lifecycle
        self.overrides: dict[str, Json] = {}
        self.operating = asyncio.Lock()
        """Held by the one operation that changes this plugin; later ones queue."""
        self.plugin: Plugin[Any] | None = None
        """What serves."""
        self.code: Code | None = None
        """What `plugin` was made of; kept while it is failed, for another try of what worked."""
        self.preloaded = False
        """`code` was imported to get to know it, and is what the first start uses."""
        self.tried: str | None = None
        """SHA-256 of the files that were read last, whatever came of it."""
        self.generation = 0
        self.activation = 0
        """A number that grows with every plugin that becomes active: what started last stops first."""
        self.leaving: Plugin[Any] | None = None
        """The generation before, while calls are still on it."""
        self.draining: asyncio.Task[None] | None = None
        self.next_reload: asyncio.Task[Reload] | None = None
        """The reload that has not begun: whoever asks meanwhile joins it."""
        self.next_trigger = ""
        """Why it will be: an operator's wish counts for more than a file's change."""
        self.last_reload: Reload | None = None
        self.missing = False
        self.stopped = False
        """An operator stopped it, and nothing but an operator or new code starts it again."""
        self.blocked = False
        """It failed for want of another plugin, and is started when that one comes."""
        self.retry_at: datetime | None = None
        self.restarts = 0
        self.versions = Versions()

    @property
    def cls(self) -> type[Plugin[Any]] | None:
        """The class, as far as it is known."""
        if self.code is not None:
            return self.code.cls
        return type(self.spec.instance) if self.spec.instance is not None else self.spec.cls

    @property
    def metadata(self) -> PluginMetadata | None:
        """The metadata of the class, or what is literal in its source; None while neither is known."""
        if self.cls is not None:
            return getattr(self.cls, "metadata", None)
        return literal_metadata(self.spec.found)

    @property
    def kind(self) -> str:
        """The kind's name: of the class, else as asked for, else as found; empty while it is not known."""
        if self.cls is not None:
            return kind_name(kind_of(self.cls))
        return self.spec.kind or (self.spec.found.kind if self.spec.found is not None else None) or ""

    @property
    def keeps_id(self) -> bool:
        """Whether its id stays whatever its file declares: it served, or somebody named, stopped or changed it."""
        return self.generation > 0 or self.spec.source != "directory" or self.stopped or bool(self.overrides)

    @property
    def enabled(self) -> bool:
        """Whether it is wanted in its chain: the override, else the spec."""
        return bool(self.overrides.get("enabled", self.spec.enabled))

    @property
    def disabled(self) -> Disabled | None:
        """Why the host itself disabled it, for as long as that holds."""
        noted = self.overrides.get("disabled")
        return None if noted is None or self.enabled else msgspec.convert(noted, Disabled)

    @property
    def priority(self) -> int:
        """The override, else the spec, else the type's own."""
        return self.priority_of(self.cls)

    def priority_of(self, cls: type[Plugin[Any]] | None) -> int:
        """Return the priority that an instance of `cls` has here."""
        chosen = self.overrides.get("priority", self.spec.priority)
        if isinstance(chosen, int):
            return chosen
        return cls.priority if cls is not None else 0

    @property
    def configuration(self) -> Mapping[str, Any]:
        """The override, else the spec."""
        changed = self.overrides.get("configuration")
        return changed if isinstance(changed, Mapping) else self.spec.configuration

    @property
    def origin(self) -> CodeOrigin:
        """Where the code comes from: what serves, else what was found."""
        found, source = self.spec.found, self.code.source if self.code is not None else None
        kind = str(found.source) if found is not None else self.spec.source
        if source is not None:
            return CodeOrigin(
                source=kind,
                path=str(source.path),
                modified_at=source.modified_at,
                size=source.size,
                sha256=source.sha256,
                missing=self.missing,
            )
        if found is None:
            path = str(self.spec.path) if self.spec.path is not None else None
            return CodeOrigin(source=kind, path=path, missing=self.missing)
        return CodeOrigin(
            source=kind,
            path=found.path,
            modified_at=found.modified_at,
            size=found.size,
            sha256=found.sha256,
            distribution=found.distribution,
            missing=self.missing,
        )

    @property
    def shown_overrides(self) -> dict[str, Json]:
        """What operators changed, without the secrets in it."""
        shown = {field: value for field, value in self.overrides.items() if field != "disabled"}
        changed = shown.get("configuration")
        if isinstance(changed, Mapping):
            shown["configuration"] = shown_configuration(self.cls, changed)
        return shown

    def status(self, stats: StatsSnapshot, draining: int) -> PluginStatus:
        """Return what can be seen from outside."""
        metadata = self.metadata
        return PluginStatus(
            id=self.spec.id,
            type=self.spec.type,
            kind=self.kind,
            version=metadata.version if metadata else None,
            description=metadata.description if metadata else "",
            author=metadata.author if metadata else "",
            state=self.lifecycle.state,
            reason=self.lifecycle.reason or None,
            enabled=self.enabled,
            disabled=self.disabled,
            priority=self.priority,
            required=self.spec.required,
            source=self.spec.source,
            origin=self.origin,
            generation=self.generation,
            draining=draining,
            since=self.lifecycle.since,
            overrides=self.shown_overrides,
            on_error=self.spec.on_error,
            on_fail=self.spec.on_fail,
            last_reload=self.last_reload,
            retry_at=self.retry_at,
            restarts=self.restarts,
            history=tuple(self.lifecycle.history),
            stats=stats,
        )

    def moved(self, path: Path, found: Found) -> None:
        """Note that the plugin's file has another place now."""
        self.spec = replace(self.spec, path=path, found=found)
        self.missing = False


def literal_metadata(found: Found | None) -> PluginMetadata | None:
    """Return the metadata that a source declares literally; None unless all that matters is."""
    if found is None or found.version is None or found.requires_host is None or found.requires is None:
        return None
    return PluginMetadata(
        name=found.name, version=found.version, requires_host=found.requires_host, requires=found.requires
    )
