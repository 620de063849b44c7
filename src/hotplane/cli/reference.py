"""The reference page of the command line, written from the commands, so that it cannot be behind them.

``python -m hotplane.cli.reference > docs/reference/cli.md`` writes it.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator, Sequence
from typing import Any, cast

import typer.main

from hotplane.cli.application import application

__all__ = ["render"]

_HEAD = """\
<!-- Written by `python -m hotplane.cli.reference`; change the commands instead. -->

# Command line

`hotplane serve` runs a host, `hotplane worker` a worker for hosts; the other commands speak to a running host, except
`hotplane execute --embedded` and `hotplane config`, which need none. `python -m hotplane` is the same as `hotplane`.

- Results go to stdout, everything else to stderr.
- Tables fit the terminal; in a file or a pipe nothing is cut. Colours are used on a terminal only, and never where
  `NO_COLOR` is set.
- `--output json` prints one JSON document, of a list an object with `items`; `--output ndjson` prints one object a
  line, each when it arrives.
- Programs and plugins are imported from what is installed, from the folders in `programs.paths`, and from the current
  folder, in which the configuration file is looked for, too.
- `hotplane --install-completion` sets up completion for your shell.

| Exit code | Meaning |
|---|---|
| 0 | Success. |
| 1 | The execution's status is not `success`, the server failed, or Hotplane did. |
| 2 | It cannot be done: bad input or configuration, no server, a port in use, a store that cannot be used. |
| 130 | Ctrl-C. |
| 141 | Nobody reads the output any more. |

| Environment | Meaning |
|---|---|
| `HOTPLANE_SERVER` | Address of the server, where `--server` does not name one. |
| `HOTPLANE_TOKEN` | Bearer token for the server. It is never an argument, because arguments can be read by others. |
| `HOTPLANE_WORKER_TOKEN` | Bearer token that clients of a worker's HTTP door must show. |
| `HOTPLANE_<SECTION>__<KEY>` | One setting: over the file, below the options; see [configuration](configuration.md). |
"""


def render() -> str:
    """Return the page in Markdown: every command with its arguments and options."""
    root = typer.main.get_command(application)
    return "\n".join([_HEAD, *(part for path, command in _commands(root, "hotplane") for part in _page(path, command))])


def _commands(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Yield every command that does something, depth first."""
    below: dict[str, Any] | None = getattr(command, "commands", None)
    if below is None:
        yield path, command
        return
    for name, each in below.items():
        yield from _commands(each, f"{path} {name}")


def _page(path: str, command: Any) -> Iterator[str]:
    parameters = cast("Sequence[Any]", command.params)
    arguments = [each for each in parameters if each.param_type_name == "argument"]
    options = [each for each in parameters if each.param_type_name == "option" and not each.hidden]
    usage = " ".join([path, *(_usage(each) for each in arguments), *(["[OPTIONS]"] if options else [])])
    yield f"## `{path}`\n\n```console\n$ {usage}\n```\n\n{inspect.cleandoc(command.help or '')}\n"
    if arguments:
        rows = [f"| `{each.metavar}` | {_meaning(each)} |" for each in arguments]
        yield "\n".join(["| Argument | Meaning |", "|---|---|", *rows, ""])
    if options:
        rows = [f"| {_names(each)} | {_meaning(each)} |" for each in options]
        yield "\n".join(["| Option | Meaning |", "|---|---|", *rows, ""])


def _usage(argument: Any) -> str:
    return str(argument.metavar) if argument.required else f"[{argument.metavar}]"


def _names(option: Any) -> str:
    value = "" if option.is_flag else f" {option.metavar or _choices(option) or option.name.upper()}"
    names = [*option.opts, *option.secondary_opts]
    return ", ".join(f"`{name}`" for name in [*names[:-1], names[-1] + value]).replace("|", "\\|")


def _choices(option: Any) -> str:
    found = option.type_descriptor.choices
    return "|".join(str(each.value) for each in found) if found else ""


def _meaning(parameter: Any) -> str:
    default = getattr(parameter.default, "value", parameter.default)
    shown = "" if default is None or default is False else f" Default: `{default}`."
    variable = f" Environment: `{parameter.envvar}`." if parameter.envvar else ""
    return (parameter.help or "").replace("|", "\\|") + variable + shown


if __name__ == "__main__":
    sys.stdout.write(render())
