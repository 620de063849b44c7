"""What plugins there are, from four sources, without importing or executing any of them.

Imports `source`, `declaration`, `distributions`, the plugin contract and `errors`; never the loader.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from hotplane.errors import PluginImportFailed, Problem
from hotplane.host.declaration import Declaration, Unparsable, declarations
from hotplane.host.distributions import Installed, Inventory, is_reference, locate
from hotplane.host.source import Source, read_source
from hotplane.plugins import Plugin, kind_name, kind_of

__all__ = ["MAX_ENTRIES", "Conflict", "Discovery", "Found", "Origin", "discover", "find_path"]

MAX_ENTRIES = 2_000
"""Files and packages of one directory."""


class Origin(StrEnum):
    """Where a plugin was found; of two with one name the earlier here wins."""

    REFERENCE = "reference"
    """Named ``module:Class`` in the configuration: nothing is more explicit."""
    DIRECTORY = "directory"
    DISTRIBUTION = "distribution"
    BUILT_IN = "built-in"


class Found(Struct, frozen=True, kw_only=True):
    """One plugin type. What is null is unknown before the import."""

    name: str
    """Its metadata's name where that is literal; else the file's name, the entry point's, or the reference."""
    source: Origin
    reference: str
    """What to load: ``module:Class``, or the path."""
    declared: str | None = None
    """Its metadata's name where that is literal."""
    kind: str | None = None
    version: str | None = None
    requires_host: str | None = None
    requires: tuple[str, ...] | None = None
    class_name: str | None = None
    path: str | None = None
    modified_at: datetime | None = None
    size: int | None = None
    """Bytes."""
    sha256: str | None = None
    distribution: str | None = None
    """Name and version of the distribution it is part of."""
    problems: tuple[str, ...] = ()
    """Why it cannot be loaded, each a sentence without full stop."""


class Conflict(Struct, frozen=True, kw_only=True):
    """Several plugins of one name."""

    name: str
    winner: Found
    losers: tuple[Found, ...]

    def __str__(self) -> str:
        """Return the conflict as a sentence that states the winner."""
        others = " and ".join(_shown(each) for each in self.losers)
        return (
            f"{1 + len(self.losers)} plugins are called {self.name!r}: {_shown(self.winner)} is used, {others} is not; "
            "rename all but one"
        )


class Discovery(Struct, frozen=True, kw_only=True):
    """Everything that was found, and what stood in the way."""

    found: tuple[Found, ...]
    """One for each name, by name."""
    conflicts: tuple[Conflict, ...]
    problems: tuple[Problem, ...]
    """Of directories and distributions as such; a plugin's own are with the plugin."""


def discover(
    *,
    builtins: Mapping[str, type[Plugin[Any]]] | None = None,
    installed: Inventory | None = None,
    directories: Iterable[Path] = (),
    references: Iterable[str] = (),
) -> Discovery:
    """Look for plugins; it reads files, so call it off the loop.

    Of several with one name, one that can be loaded wins over one that cannot; then reference, directory,
    distribution, built-in; then the earlier directory and file.
    """
    problems = list(installed.problems) if installed is not None else []
    found = [_reference(reference) for reference in references]
    for directory in directories:
        found += _directory(directory, problems)
    found += [_installed(each) for each in (installed.plugins if installed is not None else ())]
    found += [_builtin(name, plugin) for name, plugin in (builtins or {}).items()]
    return _settled(found, problems)


def find_path(path: Path) -> Found:
    """Describe one plugin file or package."""
    path = path.absolute()
    found = Found(name=path.stem if path.suffix == ".py" else path.name, source=Origin.DIRECTORY, reference=str(path))
    return _described(found, path)


def _settled(found: Iterable[Found], problems: Iterable[Problem]) -> Discovery:
    order = list(Origin)
    named = dict[str, list[Found]]()
    for each in found:
        named.setdefault(each.name, []).append(each)
    winners, conflicts = list[Found](), list[Conflict]()
    for name, same in sorted(named.items()):
        winner, *losers = sorted(same, key=lambda each: (bool(each.problems), order.index(each.source)))
        winners.append(winner)
        if losers:
            conflicts.append(Conflict(name=name, winner=winner, losers=tuple(losers)))
    return Discovery(found=tuple(winners), conflicts=tuple(conflicts), problems=tuple(problems))


def _shown(found: Found) -> str:
    place = found.distribution or found.path or found.reference
    return f"the one of the {found.source} ({place})" if found.source is not Origin.BUILT_IN else "the built-in one"


# --- the four sources ------------------------------------------------------------------------------------


def _builtin(name: str, plugin: type[Plugin[Any]]) -> Found:
    metadata = plugin.metadata
    return Found(
        name=name,
        source=Origin.BUILT_IN,
        reference=f"{plugin.__module__}:{plugin.__qualname__}",
        kind=kind_name(kind_of(plugin)),
        version=metadata.version,
        requires_host=metadata.requires_host,
        requires=metadata.requires,
        class_name=plugin.__qualname__,
    )


def _installed(entry: Installed) -> Found:
    found = Found(
        name=entry.name,
        source=Origin.DISTRIBUTION,
        reference=entry.reference,
        distribution=f"{entry.distribution} {entry.version}",
    )
    described = _located(found)
    # The entry point's name is what people configure; the distribution's own needs hold besides the class's.
    both = ",".join(filter(None, (entry.requires_host, described.requires_host)))
    requires_host = both or described.requires_host
    return replace(described, name=entry.name, version=described.version or entry.version, requires_host=requires_host)


def _reference(reference: str) -> Found:
    found = Found(name=reference, source=Origin.REFERENCE, reference=reference)
    if not is_reference(reference):
        return replace(found, problems=("a reference is written `package.module:Class`",))
    return _located(found)


def _located(found: Found) -> Found:
    module, _, class_name = found.reference.partition(":")
    found = replace(found, class_name=class_name)
    try:
        path = locate(module)
    except Exception as error:  # path hooks of strangers may raise anything
        return replace(found, problems=(f"looking for the module {module!r} failed: {error}",))
    if path is None:
        return replace(found, problems=(f"there is no module {module!r} with a source file",))
    return _described(found, path)


def _directory(directory: Path, problems: list[Problem]) -> Iterator[Found]:
    try:
        entries = sorted(os.scandir(directory), key=lambda entry: entry.name)
    except OSError as error:
        reason = f"the plugin directory cannot be read ({error.strerror or error})"
        problems.append(Problem(reason, file=str(directory)))
        return
    if len(entries) > MAX_ENTRIES:
        problems.append(Problem(f"only the first {MAX_ENTRIES} entries are looked at", file=str(directory)))
    for entry in entries[:MAX_ENTRIES]:
        try:
            wanted = _is_plugin(entry)
        except OSError as error:
            problems.append(Problem(f"it cannot be read ({error.strerror or error})", file=entry.path))
            continue
        if wanted:
            yield find_path(Path(entry.path))


def _is_plugin(entry: os.DirEntry[str]) -> bool:
    if entry.name.startswith(("_", ".")):
        return False
    if entry.is_dir():
        # Listed, because `exists` takes a directory that may not be read for one without the file.
        return "__init__.py" in os.listdir(entry.path)  # noqa: PTH208 -- names are enough
    return entry.name.endswith(".py")


# --- reading ---------------------------------------------------------------------------------------------


def _described(found: Found, path: Path) -> Found:
    try:
        source = read_source(path)
    except PluginImportFailed as error:
        return replace(found, path=str(path), problems=(error.reason,))
    found = _with_facts(found, source)
    if path.suffix != ".py" and not source.is_package:  # byte code, or a compiled extension
        return found
    try:
        declared = declarations(source)
    except Unparsable as error:
        return replace(found, problems=(str(error),))
    if found.class_name is not None:
        # The class may be defined elsewhere and imported there: then the import will tell.
        declared = tuple(each for each in declared if each.class_name == found.class_name)[:1]
    problems = _certain_problems(declared, source) if found.class_name is None or declared else ()
    if len(declared) == 1:
        found = _with_class(found, declared[0])
    return replace(found, problems=problems)


def _with_facts(found: Found, source: Source) -> Found:
    return replace(
        found,
        path=str(source.path),
        modified_at=source.modified_at,
        size=source.size,
        sha256=source.sha256,
    )


def _certain_problems(declared: tuple[Declaration, ...], source: Source) -> tuple[str, ...]:
    """Return what no import could make good; in doubt nothing, for classes and metadata can be made in many ways."""
    words = b"\n".join(module.text for module in source.modules.values())
    if not declared and b"class" not in words:
        return ("it has no plugin class, such as a `Validator`",)
    if len(declared) > 1 and b"abstract" not in words:
        names = ", ".join(each.class_name for each in declared)
        return (f"it has {len(declared)} plugin classes ({names}); name one of them",)
    if len(declared) == 1 and not declared[0].described and b"metadata" not in words:
        return ("it has no `metadata = PluginMetadata(name=…, version=…)`",)
    return ()


def _with_class(found: Found, declared: Declaration) -> Found:
    return replace(
        found,
        name=declared.name or found.name,
        declared=declared.name or None,
        kind=declared.kind,
        version=declared.version,
        requires_host=declared.requires_host,
        requires=declared.requires,
        class_name=declared.class_name,
    )
