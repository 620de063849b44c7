"""What a handler that came by the API may not be pointed at: files, folders and variables of the host's own.

Imports only `network`, `errors`, `values` and this room. The network guard does the same for addresses.

Who may call the API may not read every file of the machine by having it sent somewhere. What the operator wrote for a
plugin, in the file or in the program around the host, is free as long as it goes where the operator sends it;
everything else has to be listed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, cast

from pydantic import BaseModel, ConfigDict, Field, field_validator

from hotplane.builtin.webhooks.secrets import SecretSource
from hotplane.builtin.webhooks.urls import UrlSource, destination_of
from hotplane.errors import Problem
from hotplane.network import Origin, origins_in
from hotplane.values import pointer

__all__ = ["WebhooksSettings", "places_of", "secrets_in", "trespasses"]

Reference = tuple[str, str]


class WebhooksSettings(BaseModel):
    """What webhook handlers may touch that came by the API; those of the file may touch what stands there."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    directories: Annotated[tuple[Path, ...], Field(max_length=100)] = ()
    """Folders, by absolute paths, that they may write into, and into the folders below. None unless named here."""
    variables: Annotated[tuple[str, ...], Field(max_length=1_000)] = ()
    """Environment variables that may hold their secrets, as patterns such as `HOOK_*`. None unless named here."""
    secret_directories: Annotated[tuple[Path, ...], Field(max_length=100)] = ()
    """Folders, by absolute paths, whose files may hold their secrets. None unless named here."""

    @field_validator("directories", "secret_directories")
    @classmethod
    def _absolute(cls, directories: tuple[Path, ...]) -> tuple[Path, ...]:
        for directory in directories:
            if not directory.is_absolute() or ".." in directory.parts:
                raise ValueError(f"{str(directory)[:200]!r} is not an absolute path without `..`")
        return directories


def trespasses(config: BaseModel, written: Mapping[str, object], settings: WebhooksSettings) -> tuple[Problem, ...]:
    """Return what of a configuration is neither listed nor written by the operator.

    Args:
        config: What a plugin is to get, wherever it came from.
        written: What the operator wrote for this plugin.
        settings: What is listed.
    """
    free = frozenset(_references(written)) if _are_written(config, written) else frozenset[Reference]()
    return (*_folders(config, written, settings), *_secrets(config, free, settings))


def places_of(config: BaseModel) -> dict[str, tuple[str, int]]:
    """Return host and port of every server that a configuration sends to, as far as they can be read, by pointer."""
    found: dict[str, tuple[str, int]] = {}
    for place, source in secrets_in(config):
        url = destination_of(source, place) if isinstance(source, UrlSource) else None
        if url is not None:
            origin = Origin.of(url)
            found[place] = origin.host, origin.port
    port: object = getattr(config, "port_number", None)
    if isinstance(port, int):
        found["/host"] = str(getattr(config, "host", "")), port
    return found


def secrets_in(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str, SecretSource]]:
    """Yield every secret of a configuration with its JSON Pointer."""
    if isinstance(value, SecretSource):
        yield pointer(*path), value
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from secrets_in(getattr(value, name), (*path, name))
    elif isinstance(value, Mapping):
        for key, each in cast("Mapping[object, object]", value).items():
            yield from secrets_in(each, (*path, str(key)))
    elif isinstance(value, list | tuple):
        for index, each in enumerate(cast("Sequence[object]", value)):
            yield from secrets_in(each, (*path, index))


def _are_written(config: BaseModel, written: Mapping[str, object]) -> bool:
    return origins_in(written).issuperset(places_of(config).values())


def _folders(config: BaseModel, written: Mapping[str, object], settings: WebhooksSettings) -> Iterator[Problem]:
    folders: Any = getattr(config, "folders", None)
    own = {str(value) for value in written.values() if isinstance(value, str | Path)}
    for folder in cast("Iterable[Path]", folders() if callable(folders) else ()):
        if str(folder) not in own and not _within(folder, settings.directories):
            yield Problem(f"{_named(folder)} is not in a folder that `webhooks.directories` lists.", "/directory")


def _secrets(config: BaseModel, free: frozenset[Reference], settings: WebhooksSettings) -> Iterator[Problem]:
    for place, source in secrets_in(config):
        if source.env is not None and ("env", source.env) not in free:
            if not any(fnmatchcase(source.env, pattern) for pattern in settings.variables):
                yield Problem(f"`webhooks.variables` does not list the variable {source.env!r}.", place)
        elif source.file is None or ("file", str(source.file)) in free:
            continue
        elif not _within(source.file, settings.secret_directories):
            yield Problem(f"{_named(source.file)} is not in a folder that `webhooks.secret_directories` lists.", place)


def _within(path: Path, folders: Iterable[Path]) -> bool:
    """Tell whether a path is in one of the folders, wherever links lead."""
    try:
        real = path.resolve()
        return any(real.is_relative_to(folder.resolve()) for folder in folders)
    except (OSError, RuntimeError):
        return False  # links that lead in a circle


def _references(value: object) -> Iterator[Reference]:
    if isinstance(value, Mapping):
        mapping = cast("Mapping[object, object]", value)
        for name in ("env", "file"):
            if len(mapping) == 1 and isinstance(mapping.get(name), str | Path):
                yield name, str(mapping[name])
        for each in mapping.values():
            yield from _references(each)
    elif isinstance(value, list | tuple):
        for each in cast("Sequence[object]", value):
            yield from _references(each)


def _named(path: Path) -> str:
    return repr(str(path)[:200])
