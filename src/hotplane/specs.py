"""From configuration to what the manager understands: plugin specs, and the classes that their types mean.

Imports only `builtin`, `config`, `host`, `plugins` and `errors`; `app` uses it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hotplane.builtin import BUILTIN_TYPES, load_builtin
from hotplane.config import HotplaneConfig
from hotplane.config.plugins import GROUPS, PluginEntry, PluginsSettings
from hotplane.errors import UnknownType
from hotplane.host import Discovery, Found, HostSettings, PluginSpec
from hotplane.host.directories import directory_spec
from hotplane.host.discovery import Origin, discover
from hotplane.host.distributions import inventory
from hotplane.host.references import is_reference, load_reference
from hotplane.plugins import Plugin
from hotplane.routing import default_route

__all__ = [
    "FOUND",
    "TypeFinder",
    "host_settings",
    "local_spec",
    "route_of",
    "scan",
    "specs_of",
    "written_configurations",
]

FOUND = frozenset({"directory", "distribution"})
"""Sources of plugins that nobody named: they were found."""
_RUNNER_TYPES = frozenset({"http", "local", "valkyrie"})


class TypeFinder:
    """Finds the class of a plugin type: installed, built in, or by reference where the operator allows it.

    Args:
        allowed: Patterns over the modules that references may name.
    """

    def __init__(self, allowed: Sequence[str]) -> None:
        self._allowed = allowed
        self._installed: dict[str, str] = {}

    def learn(self, discovery: Discovery) -> None:
        """Take note of the types of installed distributions; what is installed and named is allowed."""
        self._installed = {
            found.name: found.reference for found in discovery.found if found.source is Origin.DISTRIBUTION
        }

    def find(self, name: str) -> type[Plugin[Any]]:
        """Return the class.

        Raises:
            UnknownType: No such type; the known ones are listed.
            ReferenceNotAllowed, InvalidMetadata: The reference cannot be used.
        """
        if name in self._installed:
            reference = self._installed[name]
            return load_reference(reference, [reference.partition(":")[0]])
        if name in BUILTIN_TYPES:
            return load_builtin(name)
        if is_reference(name):
            return load_reference(name, self._allowed)
        raise UnknownType(name, [*BUILTIN_TYPES, *self._installed])


def scan(config: HotplaneConfig) -> Discovery:
    """Look for plugins in all four sources; it reads files and imports what is built in, so call it in a thread."""
    references = {entry.plugin_type for _, entry in config.plugins.entries() if is_reference(entry.plugin_type)}
    return discover(
        builtins={name: load_builtin(name) for name in BUILTIN_TYPES},
        installed=inventory(),
        directories=[Path(directory).resolve() for directory in config.plugins.directories],
        references=sorted(references),
    )


def host_settings(settings: PluginsSettings) -> HostSettings:
    """Return the host room's limits."""
    return HostSettings(
        import_timeout_seconds=settings.import_timeout_seconds,
        start_timeout_seconds=settings.start_timeout_seconds,
        stop_timeout_seconds=settings.stop_timeout_seconds,
        health_timeout_seconds=settings.health_timeout_seconds,
        drain_timeout_seconds=settings.drain_timeout_seconds,
        call_timeout_seconds=settings.call_timeout_ms / 1e3,
    )


def specs_of(config: HotplaneConfig, discovery: Discovery, file: str = "") -> Iterator[PluginSpec]:
    """Yield a spec for every plugin that is to be there, except the host's own `local` runner.

    First what the entries name; then what lies in directories, and with `plugins.installed` what is installed, unless
    an entry names its type or has its name.

    Args:
        config: The configuration.
        discovery: What was found.
        file: The configuration file; its plugins can be overridden, not removed.
    """
    by_type = {found.name: found for found in discovery.found}
    taken = set[str]()
    for group, kind in GROUPS.items():
        entries: tuple[PluginEntry, ...] = getattr(config.plugins, group)
        for entry in entries:
            taken |= {entry.name, entry.plugin_type}
            yield _spec(entry, kind, by_type, file)
    yield from _fallback_spec(config, taken)
    for found in discovery.found:
        if found.name not in taken and found.source is Origin.DIRECTORY:
            yield directory_spec(found)
        elif found.name not in taken and found.source is Origin.DISTRIBUTION and config.plugins.installed:
            yield PluginSpec(id=found.name, type=found.name, source="distribution", found=found)


def written_configurations(config: HotplaneConfig) -> dict[str, Mapping[str, object]]:
    """Return what the file says about each plugin, by id: the servers that it names may be anywhere."""
    written: dict[str, Mapping[str, object]] = {}
    if config.fallback.http_config is not None:
        written["http"] = {"base_url": config.fallback.http_config.base_url}
    for _, entry in config.plugins.entries():
        written[entry.name] = entry.configuration
    return written


def local_spec(local: Plugin[Any]) -> PluginSpec:
    """Return the spec of the host's own runner, which is there whatever the configuration says."""
    return PluginSpec(
        id="local",
        type="local",
        kind="runner",
        required=True,
        source="built-in",
        declared_in="Hotplane itself",
        instance=local,
        limit=None,
    )


def route_of(config: HotplaneConfig) -> tuple[str, ...]:
    """Return the route of tasks that name none: the first runner of the configuration, then the fallback.

    The first runner is the enabled one of the highest priority among those that are not the fallback itself; without
    one it is `local`.
    """
    fallback = config.fallback.strategy if config.fallback.enabled else "none"
    own = [entry for entry, _ in _runners(config) if entry.name != fallback]
    if not own:
        return default_route("local", fallback)
    primary = min(own, key=lambda entry: -(entry.priority or 0))
    alone = any(primary.configuration.get(name) is False for name in ("enable_fallback", "EnableFallback"))
    return default_route(primary.name, "none" if alone else fallback)


def _runners(config: HotplaneConfig) -> Iterator[tuple[PluginEntry, str]]:
    """Yield the enabled runners of the configuration."""
    if not config.plugins.enabled:
        return
    for entry in (*config.plugins.runners, *config.plugins.others):
        known = entry in config.plugins.runners or entry.plugin_type in _RUNNER_TYPES
        if known and entry.enabled:
            yield entry, entry.plugin_type


def _fallback_spec(config: HotplaneConfig, taken: Collection[str]) -> Iterator[PluginSpec]:
    """Yield the runner of the strategy `http`, unless the configuration has one of that name."""
    settings = config.fallback
    if settings.enabled and settings.strategy == "http" and settings.http_config is not None and "http" not in taken:
        configuration = {"base_url": settings.http_config.base_url, "timeout_ms": settings.http_config.timeout_ms}
        yield PluginSpec(id="http", type="http", kind="runner", configuration=configuration, source="built-in")


def _spec(entry: PluginEntry, kind: str | None, by_type: Mapping[str, Found], file: str) -> PluginSpec:
    found = by_type.get(entry.plugin_type)
    in_directory = found is not None and found.source is Origin.DIRECTORY and found.path is not None
    return PluginSpec(
        id=entry.name,
        type=entry.plugin_type,
        kind=kind,
        enabled=entry.enabled,
        priority=entry.priority,
        configuration=entry.configuration,
        required=entry.required,
        limit=entry.timeout_ms / 1e3 if entry.timeout_ms else None,
        on_error=entry.on_error,
        on_fail=entry.on_fail,
        restart=entry.restart,
        source="built-in" if found is not None and found.source is Origin.BUILT_IN else "configuration",
        declared_in=file,
        path=Path(str(found.path)) if found is not None and in_directory else None,
        found=found,
    )
