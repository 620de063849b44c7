"""Trying a plugin in a process of its own: what it declares, and everything that is wrong with it.

Imports `discovery`, `loader`, `references`, the plugin contract and `errors`. The process that is asked imports
nothing of the plugin: ``python -m hotplane.host.trial`` does, and writes one JSON object into a file that it was given.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from threading import Thread
from typing import Any

import msgspec
from msgspec import Struct, field

from hotplane.errors import InvalidMetadata, PluginImportFailed, PluginMisconfigured
from hotplane.host.compatibility import host_problem, requirement_problem
from hotplane.host.instances import read_configuration
from hotplane.host.loader import load_generation
from hotplane.host.references import is_reference, load_reference
from hotplane.plugins import Plugin, kind_name, kind_of
from hotplane.values import Json
from hotplane.version import __version__

__all__ = ["Trial", "try_plugin"]

_LIMIT_SECONDS = 30.0
_MAX_BYTES = 4 * 1024 * 1024


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
    with TemporaryFile() as question, TemporaryFile() as answer:
        question.write(msgspec.json.encode(configuration))
        question.seek(0)
        # -P: the current folder comes last, so that no plugin in it hides a module that this process needs.
        command = [sys.executable, "-P", "-m", "hotplane.host.trial", str(answer.fileno()), target, *folders]
        process = subprocess.Popen(  # noqa: S603 - this interpreter and a module of our own, without a shell
            command,
            stdin=question,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[answer.fileno()],
            start_new_session=True,
        )
        try:
            code = process.wait(limit)
        except subprocess.TimeoutExpired:
            return _failed(target, f"its import takes longer than {limit:g} s")
        finally:
            _end(process)
        answer.seek(0)
        found = answer.read(_MAX_BYTES)
    try:
        return msgspec.json.decode(found, type=Trial)
    except msgspec.DecodeError:
        return _failed(target, f"it ended the process while it was imported, {_ending(code)}")


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    finally:
        process.wait()


def _ending(code: int) -> str:
    if code >= 0:
        return f"with exit code {code}"
    try:
        return f"by {signal.Signals(-code).name}"
    except ValueError:
        return f"by signal {-code}"


def _failed(target: str, problem: str, traceback: str = "") -> Trial:
    return Trial(target=target, ok=False, problems=(problem,), traceback=traceback)


# --- in the process of its own ---------------------------------------------------------------------------


def _load(target: str, configuration: Mapping[str, Json] | None) -> Trial:
    """Load the plugin in this process."""
    try:
        if Path(target).exists() or not is_reference(target):
            loaded = load_generation(Path(target).absolute(), 1)
            return _described(target, loaded.plugin_class(), loaded.warnings, configuration)
        module = target.partition(":")[0]
        return _described(target, load_reference(target, [module]), (), configuration)
    except PluginImportFailed as error:
        return _failed(target, error.reason, error.traceback)
    except InvalidMetadata as error:
        return _failed(target, error.reason)


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


def _main(writing: int, target: str, folders: Sequence[str]) -> None:
    configuration = msgspec.json.decode(sys.stdin.buffer.read())
    sys.path += [*folders, str(Path.cwd())]
    trials = list[Trial]()
    # Not in the main thread, where a KeyboardInterrupt of the plugin's would pass for the operator's.
    thread = Thread(target=lambda: trials.append(_load(target, configuration)), daemon=True)
    thread.start()
    thread.join()
    with os.fdopen(writing, "wb") as answer:
        answer.write(msgspec.json.encode(trials[0]))
    # Threads and exit handlers of the plugin's must not keep the process, or add to what it said.
    os._exit(0)


if __name__ == "__main__":
    _main(int(sys.argv[1]), sys.argv[2], sys.argv[3:])
