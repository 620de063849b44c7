"""A plugin's configuration as it may be shown: as its own model writes it. Imports only `plugins` and `values`."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from hotplane.plugins import Plugin
from hotplane.values import Json

__all__ = ["HIDDEN", "shown_configuration"]

HIDDEN = "********"
"""What is shown of a value while nothing is known about it, and of secrets."""


def shown_configuration(
    cls: type[Plugin[Any]] | None, configuration: Mapping[str, Any], *, defaults: bool = False
) -> dict[str, Json]:
    """Return a configuration without its secrets; only the keys of one that its model cannot read.

    Args:
        cls: The plugin's class, as far as it is known.
        configuration: As it was written.
        defaults: Whether what was left away is shown, too.
    """
    if cls is not None:
        # An author's model may raise anything, and what it says may quote a secret: then it is shown as unknown.
        with suppress(Exception):
            return cls.Config.model_validate(configuration).model_dump(mode="json", exclude_unset=not defaults)
    return dict.fromkeys(map(str, configuration), HIDDEN)
