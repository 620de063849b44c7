"""From configuration to what the manager understands: plugin specs, and the classes that their types mean.

Imports only `builtin`, `config`, `host`, `plugins` and `errors`; `app` uses it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from hotplane.builtin import BUILTIN_TYPES, LATER_TYPES, load_builtin
from hotplane.config import HotplaneConfig
from hotplane.config.plugins import GROUPS, PluginEntry
from hotplane.errors import UnknownType
from hotplane.host import PluginSpec
from hotplane.host.references import is_reference, load_reference
from hotplane.plugins import Plugin

__all__ = ["NOT_IN_THIS_VERSION", "TypeFinder", "local_spec", "specs_of"]

NOT_IN_THIS_VERSION = "not in this version"
"""The reason of plugins whose type a later version ships."""


class TypeFinder:
    """Finds the class of a plugin type: built in, or by reference where the operator allows it.

    Args:
        allowed: Patterns over the modules that references may name.
    """

    def __init__(self, allowed: Sequence[str]) -> None:
        self._allowed = allowed

    def find(self, name: str) -> type[Plugin[Any]]:
        """Return the class.

        Raises:
            UnknownType: No such type; the known ones are listed.
            ReferenceNotAllowed, InvalidMetadata: The reference cannot be used.
        """
        if name in BUILTIN_TYPES:
            return load_builtin(name)
        if is_reference(name):
            return load_reference(name, self._allowed)
        raise UnknownType(name, BUILTIN_TYPES)


def specs_of(config: HotplaneConfig) -> Iterator[PluginSpec]:
    """Yield a spec for every plugin that the configuration names, except the host's own `local` runner."""
    for group, kind in GROUPS.items():
        entries: tuple[PluginEntry, ...] = getattr(config.plugins, group)
        for entry in entries:
            yield _spec(entry, kind)


def local_spec(local: Plugin[Any]) -> PluginSpec:
    """Return the spec of the host's own runner, which is there whatever the configuration says."""
    return PluginSpec(
        id="local", type="local", kind="runner", required=True, source="built-in", instance=local, limit=None
    )


def _spec(entry: PluginEntry, kind: str | None) -> PluginSpec:
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
        source="built-in" if entry.plugin_type in BUILTIN_TYPES else "configuration",
        unavailable=NOT_IN_THIS_VERSION if entry.plugin_type in LATER_TYPES else "",
    )
