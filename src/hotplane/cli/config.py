"""`hotplane config`: looking at configuration files. Imports the room `config` when it runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hotplane.cli.failure import BAD_INPUT
from hotplane.cli.output import Form, write, write_json
from hotplane.cli.settings import loaded_settings
from hotplane.cli.text import printable
from hotplane.errors import ConfigurationError, PluginMisconfigured, Problem
from hotplane.values import Json

if TYPE_CHECKING:
    from hotplane.config import HotplaneConfig, LoadedConfig

__all__ = ["application"]

application = typer.Typer(help="Check configuration files.", rich_markup_mode=None, no_args_is_help=True)

_File = Annotated[
    Path | None,
    typer.Argument(
        metavar="FILE", help="The file. Left away: hotplane.yaml, hotplane.yml or hotplane.json of this folder."
    ),
]
_Output = Annotated[Form, typer.Option("--output", "-o", help="Text for people, or JSON for programs.")]


@application.command()
def check(*, file: _File = None, output: _Output = Form.TABLE) -> None:
    """Check a configuration without running anything of it.

    Every problem is printed as FILE:LINE: MESSAGE, and the exit code is 2; the environment counts as it does for
    `hotplane serve`. Nothing of yours is imported: whether programs and plugins can be, and whether the configuration
    of your own plugins fits, is told by `hotplane plugins doctor`.
    """
    try:
        loaded = loaded_settings(file, {})
        _check_builtins(loaded)
    except ConfigurationError as error:
        _show(output, error.problems, "")
        raise typer.Exit(BAD_INPUT) from None
    _show(output, (), _summary(loaded))


def _check_builtins(loaded: LoadedConfig) -> None:
    """Read the configuration of every plugin that ships with Hotplane.

    Raises:
        ConfigurationError: One does not fit.
    """
    from hotplane.builtin import BUILTIN_TYPES, load_builtin
    from hotplane.host.instances import read_configuration

    problems: list[Problem] = []
    for place, entry in loaded.config.plugins.entries():
        if entry.plugin_type not in BUILTIN_TYPES:
            continue
        try:
            read_configuration(entry.name, load_builtin(entry.plugin_type), entry.configuration)
        except PluginMisconfigured as error:
            found = error.__cause__.problems if isinstance(error.__cause__, ConfigurationError) else ()
            problems += [
                loaded.problem(f"plugin {entry.name!r}: {each.message}", f"{place}/configuration{each.pointer}")
                for each in found
            ]
    if problems:
        raise ConfigurationError(problems)


@application.command()
def schema() -> None:
    """Print the JSON Schema of configuration files, for editors."""
    from hotplane.config import HotplaneConfig

    write_json(HotplaneConfig.model_json_schema())


def _show(output: Form, problems: Sequence[Problem], summary: str) -> None:
    if output is Form.JSON:
        write_json({"problems": [_plain(each) for each in problems]})
        return
    lines = [*(str(each) for each in problems), *([summary] if summary else [])]
    write("".join(f"{printable(line)}\n" for line in lines))


def _plain(problem: Problem) -> dict[str, Json]:
    return {
        "message": problem.message,
        "pointer": problem.pointer,
        "file": problem.file,
        "line": problem.line,
    }


def _summary(loaded: LoadedConfig) -> str:
    config = loaded.config
    entries = [entry for _, entry in config.plugins.entries()]
    enabled = sum(entry.enabled for entry in entries) if config.plugins.enabled else 0
    return (
        f"{loaded.file or 'No file, only defaults'}: no problems. {_count(len(config.tasks), 'task')}, "
        f"{_count(len(entries), 'plugin')} ({enabled} enabled), "
        f"server {config.server.host}:{config.server.port}, store {_store(config)}."
    )


def _store(config: HotplaneConfig) -> str:
    file = config.storage.sqlite_path
    return "PostgreSQL" if file is None else str(file)  # an address of PostgreSQL may hold a password


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
