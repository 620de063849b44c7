"""What an operator may set about programs. Imports nothing of Hotplane."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

__all__ = ["ModulePattern", "ProgramSettings"]

ModulePattern = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_*?\[][\w.*?\[\]!-]*$", max_length=200)]
"""A module's dotted name, or a pattern over such names with ``*``, ``?`` and ``[…]``."""

_WILDCARDS = frozenset("*?[")


class ProgramSettings(BaseModel):
    """The section ``programs`` of the configuration."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    allow: tuple[ModulePattern, ...] = ()
    """The modules that programs may come from; empty allows none.

    A name without a wildcard allows that module and everything below it: ``examples.spam`` allows
    ``examples.spam`` and ``examples.spam.model``. A pattern has to match the whole name, and its ``*``
    matches dots too: ``mycompany.*`` allows ``mycompany.jobs.mail``, and not ``mycompany`` itself.
    """
    paths: tuple[Path, ...] = ()
    """Folders in which programs are looked for after everything on `sys.path`."""
    max_threads: Annotated[int, Field(ge=1, le=1024)] = 32
    """Threads that run sync programs; threads that hang in an overrun program come on top."""
    max_stuck: Annotated[int, Field(ge=1, le=1024)] = 16
    """With this many threads hanging in overrun programs the host takes no further work."""
    max_stuck_tasks: Annotated[int, Field(ge=1)] = 1000
    """With this many async programs ignoring their cancellation the host starts no further ones."""
    queue_limit: Annotated[int, Field(ge=0)] = 1000
    """Sync programs that may wait for a thread."""
    import_timeout_seconds: Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)] = 30.0
    """Time that importing a program's module may take."""

    def allows(self, module: str) -> bool:
        """Tell whether programs may come from `module`."""
        return any(_matches(module, pattern) for pattern in self.allow)


def _matches(module: str, pattern: str) -> bool:
    if _WILDCARDS.isdisjoint(pattern):
        return module == pattern or module.startswith(pattern + ".")
    return fnmatchcase(module, pattern)
