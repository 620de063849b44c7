"""Trying a plugin in a process of its own: what it declares, and everything that is wrong with it.

Imports `apart`, `discovery`, `loader`, `references`, the plugin contract and `errors`. The process that is asked
imports nothing of the plugin: ``python -m hotplane.host.trial`` does, and answers with one JSON object.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, field

from hotplane.errors import InvalidMetadata, PluginImportFailed, PluginMisconfigured
from hotplane.host.apart import Apart, answer_apart, ask_apart
from hotplane.host.compatibility import host_problem, requirement_problem
from hotplane.host.instances import read_configuration
from hotplane.host.loader import load_generation
from hotplane.host.references import is_reference, load_reference
from hotplane.plugins import Plugin, kind_name, kind_of
from hotplane.values import Json
from hotplane.version import __version__

__all__ = ["Trial", "load_trial", "read_trial", "try_plugin"]

_LIMIT_SECONDS = 30.0


class Trial(Struct, frozen=True, kw_only=True):
    """What came of loading a plugin; what is null is not known."""

    target: str
    """The path or reference that was tried."""
    ok: bool
    name: str | None = None
    version: str | None = None
    kind: str | None = None
    class_name: str | None = None
    description: str = ""
    author: str = ""
    requires_host: str | None = None
    requires: tuple[str, ...] = ()
    config_schema: Mapping[str, Json] = field(default_factory=dict[str, Json])
    problems: tuple[str, ...] = ()
    """Why it cannot be used, each a sentence."""
    warnings: tuple[str, ...] = ()
    """What its import did that a plugin should leave."""
    traceback: str = ""
    """The plugin's own frames, where its import failed."""


def try_plugin(
    target: str,
    *,
    configuration: Mapping[str, Json] | None = None,
    limit: float = _LIMIT_SECONDS,
    folders: Sequence[str] = (),
) -> Trial:
    """Load a plugin in a process of its own, which is ended afterwards with everything that it started.

    Args:
        target: Path of a file or package, or ``module:Class``.
        configuration: Checked against the plugin's model; None checks nothing.
        limit: Seconds for the whole process.
        folders: Searched for what it imports, after everything else.
    """
    return read_trial(
        target, ask_apart("hotplane.host.trial", target, configuration, limit=limit, folders=folders), limit
    )


def read_trial(target: str, apart: Apart, limit: float) -> Trial:
    """Return the trial that a process of its own wrote first, or what became of that process instead."""
    if apart.answers:
        return msgspec.json.decode(apart.answers[0], type=Trial)
    if apart.code is None:
        return _failed(target, f"its import takes longer than {limit:g} s")
    return _failed(target, f"it ended the process while it was imported, {apart.ending}")


def _failed(target: str, problem: str, traceback: str = "") -> Trial:
    return Trial(target=target, ok=False, problems=(problem,), traceback=traceback)


# --- in the process of its own ---------------------------------------------------------------------------


def load_trial(target: str, configuration: Mapping[str, Json] | None) -> tuple[Trial, type[Plugin[Any]] | None]:
    """Load the plugin in this process, and return what came of it, with its class where it has a usable one."""
    try:
        if Path(target).exists() or not is_reference(target):
            loaded = load_generation(Path(target).absolute(), 1)
            plugin, warnings = loaded.plugin_class(), loaded.warnings
        else:
            plugin, warnings = load_reference(target, [target.partition(":")[0]]), ()
    except PluginImportFailed as error:
        return _failed(target, error.reason, error.traceback), None
    except InvalidMetadata as error:
        return _failed(target, error.reason), None
    return _described(target, plugin, warnings, configuration), plugin


def _described(
    target: str, plugin: type[Plugin[Any]], warnings: tuple[str, ...], configuration: Mapping[str, Json] | None
) -> Trial:
    metadata = plugin.metadata
    problems = tuple(_problems(plugin, configuration))
    return Trial(
        target=target,
        ok=not problems,
        name=metadata.name,
        version=metadata.version,
        kind=kind_name(kind_of(plugin)),
        class_name=plugin.__qualname__,
        description=metadata.description,
        author=metadata.author,
        requires_host=metadata.requires_host,
        requires=metadata.requires,
        config_schema=_schema(plugin),
        problems=problems,
        warnings=warnings,
    )


def _problems(plugin: type[Plugin[Any]], configuration: Mapping[str, Json] | None) -> Iterator[str]:
    misfit = host_problem(plugin.metadata.requires_host, __version__)
    if misfit is not None:
        yield misfit
    for requirement in plugin.metadata.requires:
        trouble = requirement_problem(requirement)
        if trouble is not None:
            yield trouble
    if configuration is not None:
        try:
            read_configuration(plugin.metadata.name, plugin, configuration)
        except PluginMisconfigured as error:
            yield str(error).rstrip(".")


def _schema(plugin: type[Plugin[Any]]) -> Mapping[str, Json]:
    try:
        return plugin.Config.model_json_schema()
    except Exception:  # a model of the author's own may be beyond JSON Schema, and works all the same
        return {}


if __name__ == "__main__":
    answer_apart(lambda target, configuration, write: write(load_trial(target, configuration)[0]))
