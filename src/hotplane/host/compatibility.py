"""Which plugins fit this host and each other, and in what order they start.

Imports `records` and the contract's checks alone; it neither loads nor starts anything.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from hotplane.records import PluginMetadata

__all__ = ["Candidate", "StartPlan", "dependents_of", "host_problem", "requirement_problem", "start_order"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A plugin that is to start, as far as order is concerned."""

    metadata: PluginMetadata
    """Of its type; `requires` speaks of types, not of ids."""
    priority: int = 0


@dataclass(frozen=True, slots=True)
class StartPlan:
    """What can start, and why the rest cannot."""

    order: tuple[str, ...]
    """Ids, dependencies first; stop in reverse."""
    refused: Mapping[str, str]
    """By id, a sentence without full stop."""


def host_problem(requires_host: str, host_version: str) -> str | None:
    """Return why a plugin does not fit the host, or None; prereleases of the host count as any version."""
    try:
        wanted = SpecifierSet(requires_host)
    except InvalidSpecifier:
        return f"`requires_host` {requires_host!r} is not a PEP 440 specifier"
    if wanted.contains(host_version, prereleases=True):
        return None
    return f"it needs a host {requires_host}, and this one is {host_version}"


def requirement_problem(requirement: str) -> str | None:
    """Return why an entry of `requires` cannot be used, or None: only a name and versions mean anything."""
    parsed = _parsed(requirement)
    return parsed if isinstance(parsed, str) else None


def start_order(candidates: Mapping[str, Candidate], host_version: str) -> StartPlan:
    """Order plugins for starting: dependencies first, then by priority descending, then by id.

    A requirement is met when one instance of the type fits; every instance that fits starts before. A plugin is
    refused when the host does not fit, when what it needs is missing, too old, or itself refused, or when it is part
    of a cycle or waits for one.

    Args:
        candidates: By id.
        host_version: PEP 440.
    """
    needs: dict[str, set[str]] = {}
    refused: dict[str, str] = {}
    for plugin_id, candidate in candidates.items():
        found = _needed(candidate.metadata, candidates, host_version)
        if isinstance(found, str):
            refused[plugin_id] = found
        else:
            needs[plugin_id] = found
    _refuse_dependents(candidates, needs, refused)
    order = _sorted(needs, candidates)
    for plugin_id in sorted(needs.keys() - set(order)):
        refused[plugin_id] = _in_circle(plugin_id, needs, set(order))
    return StartPlan(tuple(order), refused)


def dependents_of(plugin_id: str, candidates: Mapping[str, Candidate]) -> tuple[str, ...]:
    """Return the ids of plugins that cannot do without `plugin_id`, directly or through others, sorted.

    A plugin that another instance of the same type serves as well is not among them.
    """
    left = {each: candidate for each, candidate in candidates.items() if each != plugin_id}
    gone = list[str]()
    while True:
        lost = [each for each, candidate in left.items() if _lost(candidate.metadata, candidates, left)]
        if not lost:
            return tuple(sorted(gone))
        gone += lost
        left = {each: candidate for each, candidate in left.items() if each not in lost}


def _lost(metadata: PluginMetadata, before: Mapping[str, Candidate], left: Mapping[str, Candidate]) -> bool:
    # Only what was met before can be lost; requirements that never were are reported elsewhere.
    return any(_fitting(wanted, before) and not _fitting(wanted, left) for wanted in metadata.requires)


def _needed(metadata: PluginMetadata, candidates: Mapping[str, Candidate], host_version: str) -> set[str] | str:
    problem = host_problem(metadata.requires_host, host_version)
    if problem is not None:
        return problem
    needed = set[str]()
    for requirement in metadata.requires:
        fitting = _fitting(requirement, candidates)
        if not fitting:
            return _unmet(requirement, candidates)
        needed.update(fitting)
    return needed


def _fitting(requirement: str, candidates: Mapping[str, Candidate]) -> set[str]:
    wanted = _parsed(requirement)
    if isinstance(wanted, str):
        return set()
    return {each for each, version in _instances(wanted, candidates) if wanted.specifier.contains(version, True)}


def _unmet(requirement: str, candidates: Mapping[str, Candidate]) -> str:
    wanted = _parsed(requirement)
    if isinstance(wanted, str):
        return wanted
    found = sorted({version for _, version in _instances(wanted, candidates)})
    if not found:
        return f"it requires the plugin {wanted.name!r}, which is missing"
    listed = ", ".join(map(str, found))
    specifier = str(wanted.specifier)
    how = "too old" if _too_old(wanted, found) else "the wrong version"
    return f"it requires the plugin {wanted.name!r} {specifier}, and {listed} is {how}"


def _too_old(wanted: Requirement, found: Sequence[Version]) -> bool:
    floors = [Version(each.version) for each in wanted.specifier if each.operator in {">=", ">", "~="}]
    return bool(floors) and found[-1] <= max(floors)


def _instances(wanted: Requirement, candidates: Mapping[str, Candidate]) -> list[tuple[str, Version]]:
    name = canonicalize_name(wanted.name)
    found = list[tuple[str, Version]]()
    for plugin_id, candidate in candidates.items():
        if canonicalize_name(candidate.metadata.name) == name:
            try:
                found.append((plugin_id, Version(candidate.metadata.version)))
            except InvalidVersion:  # such a plugin is refused by its own check
                continue
    return found


def _parsed(requirement: str) -> Requirement | str:
    try:
        parsed = Requirement(requirement)
    except InvalidRequirement:
        return f"`requires` {requirement!r} is not a PEP 508 name with versions"
    for value, what in ((parsed.marker, "a marker"), (parsed.extras, "extras"), (parsed.url, "a URL")):
        if value:
            return f"`requires` {requirement!r} has {what}, which means nothing for plugins"
    return parsed


def _refuse_dependents(
    candidates: Mapping[str, Candidate], needs: dict[str, set[str]], refused: dict[str, str]
) -> None:
    """Refuse, again and again, what lost the last instance that it needs; narrow the others' needs to what is left."""
    while True:
        left = {plugin_id: candidates[plugin_id] for plugin_id in needs}
        lost = {each: wanted for each in needs if (wanted := _first_lost(candidates[each].metadata, left))}
        if not lost:
            break
        for plugin_id, wanted in lost.items():
            blocker = min(_fitting(wanted, candidates))
            refused[plugin_id] = f"it requires {wanted!r}, and {blocker!r} cannot start"
            del needs[plugin_id]
    for wanted_ids in needs.values():
        wanted_ids.intersection_update(needs)


def _first_lost(metadata: PluginMetadata, left: Mapping[str, Candidate]) -> str | None:
    return next((wanted for wanted in metadata.requires if not _fitting(wanted, left)), None)


def _sorted(needs: Mapping[str, Collection[str]], candidates: Mapping[str, Candidate]) -> list[str]:
    """Sort topologically (Kahn), with a heap for priority and id among those that are ready."""
    waiting = {plugin_id: set(needed) for plugin_id, needed in needs.items()}
    ready = [(-candidates[each].priority, each) for each, needed in waiting.items() if not needed]
    heapq.heapify(ready)
    order = list[str]()
    while ready:
        _, done = heapq.heappop(ready)
        order.append(done)
        for each, needed in waiting.items():
            if done in needed:
                needed.discard(done)
                if not needed:
                    heapq.heappush(ready, (-candidates[each].priority, each))
    return order


def _in_circle(plugin_id: str, needs: Mapping[str, Iterable[str]], started: set[str]) -> str:
    """Return the sentence for a plugin that waits for itself, or for others that do."""
    path = [plugin_id]
    while (following := min(each for each in needs[path[-1]] if each not in started)) not in path:
        path.append(following)
    circle = [*path[path.index(following) :], following]
    spelled = " → ".join(circle)
    if plugin_id in circle:
        return f"it is part of a cycle of requirements: {spelled}"
    return f"it waits for a cycle of requirements: {spelled}"
