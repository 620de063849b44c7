"""The short form of a plugin entry, and names that are given twice.

Imports only `errors`, `values` and the other files of this room.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import cast

from hotplane.config.plugins import GROUPS, PluginsSettings
from hotplane.config.problems import describe
from hotplane.config.shape import Origins, snake_case
from hotplane.errors import Problem, did_you_mean
from hotplane.values import Json, pointer

__all__ = ["expand_plugins", "repeated_names"]

_LIFTED = ("enabled", "priority", "on_fail")


def expand_plugins(
    tree: Mapping[str, Json], known_types: Collection[str], origins: Origins
) -> tuple[dict[str, Json], list[Problem]]:
    """Replace the short entries under ``plugins`` by full ones, at the end of ``others``.

    Args:
        tree: The shaped configuration.
        known_types: The types that a short entry's key may be.
        origins: Told where the new entries come from.

    Returns:
        The configuration without short entries, and what was wrong with them.
    """
    plugins = tree.get("plugins")
    if not isinstance(plugins, Mapping):
        return dict(tree), []
    long = {key: item for key, item in plugins.items() if key in PluginsSettings.model_fields}
    others = list(cast("list[Json]", long.get("others", []))) if isinstance(long.get("others", []), list) else None
    problems: list[Problem] = []
    for key in [key for key in plugins if key not in long]:
        name, at = _type_of(key, known_types), pointer("plugins", key)
        item: Json = {} if plugins[key] is None else plugins[key]
        if name is None:
            problems.append(Problem(_unknown(key, known_types), at))
        elif not isinstance(item, Mapping):
            problems.append(Problem(f"`{key}` must be a mapping, the plugin's configuration, not {describe(item)}", at))
        elif others is not None:
            _move(origins, item, at, pointer("plugins", "others", len(others)))
            others.append(_entry(name, item))
    if others:
        long["others"] = others
    return {**tree, "plugins": long}, problems


def repeated_names(tree: Mapping[str, Json], origins: Origins) -> list[Problem]:
    """Return a problem for every plugin name and task id that an earlier entry has already."""
    plugins = tree.get("plugins")
    places = [(("plugins", group), plugins.get(group)) for group in GROUPS] if isinstance(plugins, Mapping) else []
    return [*_repeated(places, "name", origins), *_repeated([(("tasks",), tree.get("tasks"))], "id", origins)]


def _repeated(places: list[tuple[tuple[str, ...], Json]], key: str, origins: Origins) -> list[Problem]:
    first: dict[str, str] = {}
    problems: list[Problem] = []
    for path, entries in places:
        for index, entry in enumerate(entries if isinstance(entries, list) else ()):
            name = entry.get(key) if isinstance(entry, Mapping) else None
            at = pointer(*path, index)
            if isinstance(name, str) and first.setdefault(name, at) != at:
                problems.append(
                    Problem(
                        f"the {key} {name[:140]!r} is taken already by {origins.of(first[name])}", at + pointer(key)
                    )
                )
    return problems


def _entry(name: str, item: Mapping[str, Json]) -> dict[str, Json]:
    lifted = {snake_case(key): value for key, value in item.items() if snake_case(key) in _LIFTED}
    rest = {key: value for key, value in item.items() if snake_case(key) not in _LIFTED}
    return {"name": name, **lifted, "configuration": rest}


def _move(origins: Origins, item: Mapping[str, Json], before: str, now: str) -> None:
    source = origins.of(before)
    origins.moved(now, source)
    origins.moved(now + "/configuration", source)
    origins.moved(now + "/name", source)
    for key in item:
        if snake_case(key) in _LIFTED:
            origins.moved(now + pointer(snake_case(key)), source + pointer(key))


def _type_of(key: str, known_types: Collection[str]) -> str | None:
    """Return the type that a key means; it may be spelt in snake_case or PascalCase."""
    spellings = (key, snake_case(key).replace("_", "-"))
    return next((name for name in spellings if name in known_types), None)


def _unknown(key: str, known_types: Collection[str]) -> str:
    hint = did_you_mean(key, [*PluginsSettings.model_fields, *known_types]) or "."
    return f"there is no key or plugin type `{key[:140]}`{hint} Known plugin types: {', '.join(sorted(known_types))}"
