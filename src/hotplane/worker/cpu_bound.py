"""Which programs are CPU-bound, as the operator says. Imports only `programs`."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from hotplane.programs import ProgramSettings

__all__ = ["CpuBound"]

_WILDCARDS = frozenset("*?[")


class CpuBound:
    """Which programs go to processes.

    Args:
        patterns: A pattern over modules as in `ProgramSettings.allow`, or one over ``module:function``.
    """

    def __init__(self, patterns: Sequence[str]) -> None:
        self._modules = ProgramSettings(allow=tuple(each for each in patterns if ":" not in each))
        self._functions = tuple(each for each in patterns if ":" in each)

    def covers_module(self, module: str) -> bool:
        """Tell whether every program of a module goes to a process."""
        return self._modules.allows(module)

    def covers(self, spec: str) -> bool:
        """Tell whether a program goes to a process."""
        return self.covers_module(spec.partition(":")[0]) or any(fnmatchcase(spec, each) for each in self._functions)

    def named_modules(self, allowed: Sequence[str]) -> tuple[str, ...]:
        """Return the modules that hold such programs, as far as the patterns name them without a wildcard.

        Args:
            allowed: The patterns over the modules that programs may come from.
        """
        named = [each.partition(":")[0] for each in (*self._modules.allow, *self._functions)]
        named += [each for each in allowed if self.covers_module(each)]
        allowing = ProgramSettings(allow=tuple(allowed))
        return tuple(dict.fromkeys(each for each in named if _WILDCARDS.isdisjoint(each) and allowing.allows(each)))
