"""What is wrong with the plugins of a configuration or a directory, found without a server.

Imports `config`, `specs`, `host`, `registry` and `errors`; `doctor` imports it when it runs.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from msgspec import Struct
from msgspec.structs import replace

from hotplane.builtin import BUILTIN_TYPES, load_builtin
from hotplane.config import LoadedConfig
from hotplane.errors import DuplicatePlugin, HotplaneError
from hotplane.host import Found, PluginSpec
from hotplane.host.compatibility import Candidate, start_order
from hotplane.host.instances import read_configuration, reason_of
from hotplane.host.references import is_reference, module_allowed
from hotplane.host.trial import Trial, try_plugin
from hotplane.plugins import kind_name, kind_of
from hotplane.programs import add_paths
from hotplane.records import PluginMetadata
from hotplane.registry import Registry
from hotplane.specs import scan, specs_of
from hotplane.version import __version__

__all__ = ["Diagnosis", "Finding", "diagnose"]


class Finding(Struct, frozen=True, kw_only=True):
    """One plugin that would be there."""

    id: str
    type: str
    kind: str | None
    version: str | None
    source: str
    path: str | None
    """File, package or reference."""
    enabled: bool
    ok: bool
    problems: tuple[str, ...] = ()
    """Why it would not serve, each a sentence."""
    warnings: tuple[str, ...] = ()
    traceback: str = ""


class Diagnosis(Struct, frozen=True, kw_only=True):
    """Everything that was found."""

    plugins: tuple[Finding, ...]
    conflicts: tuple[str, ...]
    problems: tuple[str, ...]
    """Of directories and distributions as such."""

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return all(each.ok for each in self.plugins) and not self.conflicts and not self.problems


def diagnose(loaded: LoadedConfig, *, limit: float | None = None) -> Diagnosis:
    """Look for plugins in every source, and load each in a process of its own.

    Args:
        loaded: The configuration.
        limit: Seconds for one plugin; by default what it has in a host, and some for the process.
    """
    config = loaded.config
    add_paths(config.programs.paths)
    discovery = scan(config)
    specs = tuple(specs_of(config, discovery, str(loaded.file or "")))
    seconds = config.plugins.import_timeout_seconds + 5 if limit is None else limit
    folders = tuple(str(path) for path in config.programs.paths)

    nameless = _nameless(specs)

    def look(spec: PluginSpec) -> tuple[Finding, PluginMetadata | None]:
        if id(spec) in nameless:
            found = spec.found.problems if spec.found is not None else ()
            return _finding(spec, spec.found, (nameless[id(spec)], *found)), None
        return _examined(spec, config.plugins.paths, limit=seconds, folders=folders)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        examined = list(pool.map(look, specs))
    refused = _refused(examined)
    return Diagnosis(
        plugins=tuple(_judged(finding, refused) for finding, _ in examined),
        conflicts=tuple(map(str, discovery.conflicts)),
        problems=tuple(map(str, discovery.problems)),
    )


def _nameless(specs: Sequence[PluginSpec]) -> Mapping[int, str]:
    """Return which plugins cannot have the id that they would get, and why; ids may come twice, so by identity."""
    taken = {"local": "runner"}  # the host's own, which is there whatever the configuration says
    reasons: dict[int, str] = {}
    for spec in specs:
        try:
            Registry.check_usable(spec.id)
            if spec.id in taken:
                raise DuplicatePlugin(spec.id, taken[spec.id])
        except HotplaneError as error:
            reasons[id(spec)] = str(error).rstrip(".")
        taken.setdefault(spec.id, spec.kind or "plugin")
    return reasons


def _examined(
    spec: PluginSpec, allowed: Sequence[str], *, limit: float, folders: Sequence[str]
) -> tuple[Finding, PluginMetadata | None]:
    found = spec.found
    if found is not None and found.problems:
        return _finding(spec, found, found.problems), None
    target = str(spec.path) if spec.path is not None else _reference(spec)
    if target is None:
        return _built_in(spec) if spec.type in BUILTIN_TYPES else (_finding(spec, found, (_nowhere(spec),)), None)
    module = target.partition(":")[0]
    if spec.path is None and is_reference(spec.type) and not module_allowed(module, allowed):
        return _finding(spec, found, (f"`plugins.paths` does not allow the module {module!r}",)), None
    trial = try_plugin(target, configuration=spec.configuration, limit=limit, folders=folders)
    return _tried(spec, trial), _metadata(trial)


def _reference(spec: PluginSpec) -> str | None:
    if is_reference(spec.type):
        return spec.type
    installed = spec.found is not None and spec.found.distribution is not None
    return spec.found.reference if spec.found is not None and installed else None


def _nowhere(spec: PluginSpec) -> str:
    return f"there is no plugin type {spec.type!r}: no directory, installed distribution or built-in has it"


def _built_in(spec: PluginSpec) -> tuple[Finding, PluginMetadata | None]:
    plugin = load_builtin(spec.type)
    problems: tuple[str, ...] = ()
    try:
        read_configuration(spec.id, plugin, spec.configuration)
    except HotplaneError as error:
        problems = (reason_of(error),)
    metadata = plugin.metadata
    finding = Finding(
        id=spec.id,
        type=spec.type,
        kind=kind_name(kind_of(plugin)),
        version=metadata.version,
        source="built-in",
        path=None,
        enabled=spec.enabled,
        ok=not problems,
        problems=problems,
    )
    return finding, metadata


def _finding(spec: PluginSpec, found: Found | None, problems: tuple[str, ...]) -> Finding:
    return Finding(
        id=spec.id,
        type=spec.type,
        kind=(found.kind if found is not None else None) or spec.kind,
        version=found.version if found is not None else None,
        source=str(found.source) if found is not None else spec.source,
        path=(found.path or found.reference) if found is not None else None,
        enabled=spec.enabled,
        ok=False,
        problems=problems,
    )


def _tried(spec: PluginSpec, trial: Trial) -> Finding:
    problems = list(trial.problems)
    if spec.kind is not None and trial.kind is not None and trial.kind != spec.kind:
        problems.append(f"it is a {trial.kind}, but is configured as a {spec.kind}")
    return Finding(
        id=spec.id,
        type=spec.type,
        kind=trial.kind or spec.kind,
        version=trial.version,
        source=str(spec.found.source) if spec.found is not None else spec.source,
        path=trial.target,
        enabled=spec.enabled,
        ok=not problems,
        problems=tuple(problems),
        warnings=trial.warnings,
        traceback=trial.traceback,
    )


def _metadata(trial: Trial) -> PluginMetadata | None:
    if trial.name is None or trial.version is None:
        return None
    return PluginMetadata(name=trial.name, version=trial.version, requires=trial.requires)


# --- together --------------------------------------------------------------------------------------------


def _refused(examined: Sequence[tuple[Finding, PluginMetadata | None]]) -> Mapping[str, str]:
    """Return which plugins cannot start beside the others, and why."""
    candidates = {
        finding.id: Candidate(metadata)
        for finding, metadata in examined
        if metadata is not None and finding.ok and finding.enabled
    }
    return start_order(candidates, __version__).refused


def _judged(finding: Finding, refused: Mapping[str, str]) -> Finding:
    reason = refused.get(finding.id)
    if reason is None:
        return finding
    return replace(finding, ok=False, problems=(*finding.problems, reason))
