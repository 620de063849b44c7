"""From a file, a mapping and the environment to a checked configuration, or to every problem at once.

Layers, each over the one before it: defaults, file, environment, overrides (what a command line gives).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import msgspec
from pydantic import ValidationError

from hotplane.config.document import MAX_FILE_BYTES, Document, refuse
from hotplane.config.environment import apply_environment, put
from hotplane.config.json_reader import read_json
from hotplane.config.models import HotplaneConfig
from hotplane.config.plugins import KNOWN_TYPES
from hotplane.config.problems import describe, explain
from hotplane.config.shape import Origins, shape
from hotplane.config.shorthand import expand_plugins, repeated_names
from hotplane.config.yaml_reader import read_yaml
from hotplane.errors import ConfigurationError, Problem
from hotplane.values import Json, pointer

__all__ = ["DEFAULT_FILES", "MAX_PROBLEMS", "LoadedConfig", "config_from_mapping", "find_config", "load_config"]

DEFAULT_FILES = ("hotplane.yaml", "hotplane.yml", "hotplane.json")
"""The files that are looked for, in this order; the first one that exists is read."""

MAX_PROBLEMS = 100
"""At most this many problems are reported for one configuration."""


@dataclass(frozen=True, slots=True)
class LoadedConfig:
    """A checked configuration that knows where its parts were written."""

    config: HotplaneConfig
    file: Path | None
    """The file; null for a mapping, and where no default file exists."""
    _document: Document
    _origins: Origins

    def line_of(self, pointer: str) -> int | None:
        """Return the line, from 1, where something was written.

        Args:
            pointer: JSON Pointer into the configuration, such as ``/plugins/others/0`` or ``/tasks/2/program``,
                or into the file as it is written, such as ``/plugins/valkyrie``.

        Returns:
            The line of the value or of the nearest one around it; null where it is not from a file.
        """
        return self.problem("", pointer).line

    def problem(self, message: str, pointer: str) -> Problem:
        """Return a problem with the part at `pointer`, complete with file, line and the pointer into the file."""
        return _placed(Problem(message, pointer), self._document, self._origins)


def find_config(directory: Path | None = None) -> Path | None:
    """Return the first of `DEFAULT_FILES` in a directory, by default the current one; null when there is none."""
    base = directory if directory is not None else Path()
    return next((base / name for name in DEFAULT_FILES if (base / name).is_file()), None)


def load_config(
    path: str | Path | None = None,
    *,
    known_types: Collection[str] = KNOWN_TYPES,
    environ: Mapping[str, str] | None = None,
    overrides: Mapping[str, Json] | None = None,
) -> LoadedConfig:
    """Read and check a configuration file.

    Args:
        path: A ``.json`` file or a YAML one; null looks for `DEFAULT_FILES`, and is content without any.
        known_types: The plugin types that may be named without telling where they are.
        environ: Environment variables to lay over the file, see `apply_environment`; by default none.
        overrides: Values that win over all, by dotted key, such as ``{"server.port": 4000}``.

    Raises:
        ConfigurationError: Every problem, with file, line and pointer.
    """
    file = Path(path) if path is not None else find_config()
    document = Document({}) if file is None else _read(file)
    return _load(document, file, known_types, environ, overrides)


def config_from_mapping(
    mapping: Mapping[str, object],
    *,
    known_types: Collection[str] = KNOWN_TYPES,
    environ: Mapping[str, str] | None = None,
    overrides: Mapping[str, Json] | None = None,
) -> LoadedConfig:
    """Check a configuration that is a mapping, of the same shape as a file; the arguments are those of `load_config`.

    Raises:
        ConfigurationError: Every problem, with its pointer.
    """
    return _load(Document(cast("Json", dict(mapping))), None, known_types, environ, overrides)


def _read(file: Path) -> Document:
    name = str(file)
    try:
        with file.open("rb") as stream:
            content = stream.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        refuse("there is no such file", name)
    except OSError as error:
        refuse(f"the file cannot be read: {error.strerror or error}", name)
    if len(content) > MAX_FILE_BYTES:
        refuse(f"the file is larger than {MAX_FILE_BYTES} bytes", name)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        refuse("the file is not UTF-8 text", name, content.count(b"\n", 0, error.start) + 1)
    return read_json(text, name) if file.suffix.lower() == ".json" else read_yaml(text, name)


def _load(
    document: Document,
    file: Path | None,
    known_types: Collection[str],
    environ: Mapping[str, str] | None,
    overrides: Mapping[str, Json] | None,
) -> LoadedConfig:
    origins = Origins()
    tree, problems = shape(document.value, HotplaneConfig, origins)
    if tree is None:
        refuse(f"a configuration is a mapping of sections, not {describe(document.value)}", document.file)
    tree = apply_environment(tree, environ or {}, origins)
    for key, value in (overrides or {}).items():
        if put(tree, key.split("."), value):
            origins.came_from(pointer(*key.split(".")), "command line")
    tree, wrong_plugins = expand_plugins(tree, known_types, origins)
    config, wrong_values = _validate(tree, known_types)
    problems = [*problems, *wrong_plugins, *repeated_names(tree, origins), *wrong_values]
    if problems or config is None:
        raise ConfigurationError(_in_order(problems, document, origins))
    return LoadedConfig(config, file, document, origins)


def _validate(tree: Mapping[str, Json], known_types: Collection[str]) -> tuple[HotplaneConfig | None, list[Problem]]:
    """Validate in pydantic's strict JSON mode: a list becomes a tuple, but ``"3000"`` is no number and 1 not true."""
    plugins = tree.get("plugins")
    more = isinstance(plugins, Mapping) and bool(plugins.get("directories") or plugins.get("installed"))
    context: dict[str, Any] = {"known_types": known_types, "open": more}
    try:
        return HotplaneConfig.model_validate_json(msgspec.json.encode(tree), strict=True, context=context), []
    except ValidationError as error:
        return None, explain(error, HotplaneConfig)


def _in_order(problems: list[Problem], document: Document, origins: Origins) -> list[Problem]:
    placed = [_placed(problem, document, origins) for problem in problems]
    placed.sort(key=lambda problem: problem.line or 0)
    surplus = len(placed) - MAX_PROBLEMS
    if surplus > 0:
        placed[MAX_PROBLEMS:] = [Problem(f"and {surplus} more", "", document.file)]
    return placed


def _placed(problem: Problem, document: Document, origins: Origins) -> Problem:
    source = origins.source_of(problem.pointer)
    if source is not None:
        return Problem(problem.message, problem.pointer, source)
    place = problem.pointer if problem.pointer in document.lines else origins.of(problem.pointer)
    made = origins.source_below(problem.pointer) if place not in document.lines else None
    if made is not None:  # a section that the file does not have
        return Problem(problem.message, problem.pointer, made)
    return Problem(problem.message, place, document.file, document.line_of(place))
