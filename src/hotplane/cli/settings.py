"""The configuration of a host that runs in this process: file, then environment, then options.

Imports `config` when it is called.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from hotplane.values import Json

if TYPE_CHECKING:
    from hotplane.config import LoadedConfig

__all__ = ["import_from_here", "loaded_settings"]


def loaded_settings(file: Path | None, options: Mapping[str, Json]) -> LoadedConfig:
    """Return the checked configuration.

    Args:
        file: The file; None looks for the usual ones in the current folder.
        options: What the command line gave, by dotted key; null was not given.

    Raises:
        ConfigurationError: Every problem of all three, with its place.
    """
    from hotplane.config import load_config

    given = {key: value for key, value in options.items() if value is not None}
    return load_config(file, environ=os.environ, overrides=given)


def import_from_here() -> None:
    """Let programs and plugins be imported from the current folder, too.

    It comes last, so that no file in it hides an installed module. `python -m hotplane` has it first already.
    """
    here = str(Path.cwd())
    if here not in sys.path and "" not in sys.path:
        sys.path.append(here)
