"""Plugins of installed distributions, listed from their metadata without importing anything.

Imports only `errors`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, PathFinder
from importlib.metadata import Distribution, distributions
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from hotplane.errors import Problem

__all__ = ["GROUP", "Installed", "Inventory", "inventory", "locate", "restart_reasons"]

GROUP = "hotplane.plugins"
"""The entry-point group."""
_HOST = "hotplane"
_REFERENCE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


@dataclass(frozen=True, slots=True)
class Installed:
    """One entry point."""

    name: str
    """The plugin type."""
    reference: str
    """``package.module:Class``."""
    distribution: str
    version: str
    requires_host: str
    """What the distribution requires of Hotplane; PEP 440, empty for any version."""


@dataclass(frozen=True, slots=True)
class Inventory:
    """What is installed at one time."""

    plugins: tuple[Installed, ...]
    problems: tuple[Problem, ...]

    @property
    def versions(self) -> dict[str, str]:
        """The distributions with plugins, by name."""
        return {each.distribution: each.version for each in self.plugins}


def inventory(path: Sequence[str] | None = None) -> Inventory:
    """List the plugins of every installed distribution.

    Args:
        path: Directories to search; `sys.path` where None. The first distribution of a name hides later ones.
    """
    plugins = list[Installed]()
    problems = list[Problem]()
    seen = set[str]()
    for distribution in distributions() if path is None else distributions(path=list(path)):
        try:
            found = list(_plugins(distribution))
        except Exception as error:  # metadata of strangers: one broken file must not hide the other distributions
            problems.append(
                Problem(f"the metadata of a distribution cannot be read: {error}", file=_place(distribution))
            )
            continue
        if found and (name := canonicalize_name(found[0].distribution)) not in seen:
            seen.add(name)
            problems += [_bad_value(each) for each in found if not is_reference(each.reference)]
            plugins += [each for each in found if is_reference(each.reference)]
    return Inventory(tuple(sorted(plugins, key=lambda each: (each.name, each.distribution))), tuple(problems))


def is_reference(text: str) -> bool:
    """Tell whether `text` is written ``package.module:Class``."""
    return _REFERENCE.fullmatch(text) is not None


def restart_reasons(at_start: Inventory, now: Inventory) -> dict[str, str]:
    """Return why the process has to be restarted, by distribution: installed code is not reloaded in place.

    A distribution that was not there at the start has not been imported, and needs no restart.
    """
    versions = now.versions
    return {
        name: f"the distribution {name!r} {_change(version, versions.get(name))} since the start; restart the host"
        for name, version in at_start.versions.items()
        if versions.get(name) != version
    }


def locate(module: str) -> Path | None:
    """Return the file that an import of `module` would read, or None; neither it nor its parents are imported."""
    search: Sequence[str] | None = None
    spec: ModuleSpec | None = None
    parts = module.split(".")
    for end in range(1, len(parts) + 1):
        spec = PathFinder.find_spec(".".join(parts[:end]), search)
        if spec is None:
            return None
        search = list(spec.submodule_search_locations or ())
    return Path(spec.origin) if spec is not None and spec.origin and spec.has_location else None


def _plugins(distribution: Distribution) -> Iterator[Installed]:
    for point in distribution.entry_points:
        if point.group == GROUP:
            yield Installed(
                name=point.name,
                reference=point.value,
                distribution=distribution.metadata["Name"],
                version=distribution.version,
                requires_host=_host_specifier(distribution.requires or ()),
            )


def _host_specifier(requirements: Iterable[str]) -> str:
    for text in requirements:
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            continue
        if canonicalize_name(requirement.name) == _HOST and requirement.marker is None:
            return str(requirement.specifier)
    return ""


def _bad_value(plugin: Installed) -> Problem:
    wanted = "an entry point of a plugin is written `package.module:Class`"
    return Problem(f"{plugin.distribution} offers {plugin.name!r} as {plugin.reference!r}: {wanted}")


def _change(before: str, after: str | None) -> str:
    return f"changed from {before} to {after}" if after is not None else f"{before} was removed"


def _place(distribution: Distribution) -> str | None:
    try:
        return str(distribution.locate_file(""))
    except Exception:  # as above: what is broken may be broken everywhere
        return None
