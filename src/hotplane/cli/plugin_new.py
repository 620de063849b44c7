"""`hotplane plugins new`: the beginning of a plugin. Imports `scaffold` and the names of `builtin` when it runs."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from hotplane.cli.output import write
from hotplane.cli.text import printable

__all__ = ["KindOption", "new"]


class KindOption(StrEnum):
    """The kinds that can be begun; those of `scaffold`, which is not imported for a help text."""

    VALIDATOR = "validator"
    SAMPLER = "sampler"
    WEBHOOK_HANDLER = "webhook-handler"
    RUNNER = "runner"
    CUSTOM = "custom"


def new(
    *,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of the package and the plugin, such as no-shouting.")],
    kind: Annotated[KindOption, typer.Option("--kind", "-k", help="What it is for.")],
    into: Annotated[
        Path, typer.Option("--into", metavar="DIR", help="Where its folder is made; this folder by default.")
    ] = Path(),
) -> None:
    """Begin a plugin: a package with metadata, configuration, an entry point, a README, and tests that pass.

    Nothing is overwritten: where its folder is there and not empty, nothing is written.
    """
    from hotplane.builtin import BUILTIN_TYPES
    from hotplane.scaffold import NewKind, begin_plugin

    taken = dict.fromkeys(BUILTIN_TYPES, "a plugin that ships with Hotplane")
    place = begin_plugin(name, NewKind(kind.value), into, taken=taken)
    write(
        f"{printable(str(place))} is begun: pip install -e '.[dev]' and pytest come next; README.md says what then.\n"
    )
