"""Finding out before the first call whether a worker's patterns allow anything. Imports only `programs` and its room.

What a pattern without wildcards names is imported here, so that a module that is broken is said at the start and no
caller waits for its import; one whose programs all go to processes is only looked for, because it runs there.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from collections.abc import Iterator
from fnmatch import fnmatchcase

from hotplane.programs import Programs, ThreadExit
from hotplane.worker.cpu_bound import CpuBound
from hotplane.worker.failures import NothingMatches

__all__ = ["prepare"]

_MAX_REASON = 500


async def prepare(programs: Programs, cpu_bound: CpuBound) -> None:
    """Import what the patterns name.

    Raises:
        NothingMatches: A pattern names nothing that is there, or its import fails or takes too long.
    """
    limit = programs.settings.import_timeout_seconds
    for pattern in programs.settings.allow:
        try:
            reason = await programs.threads.call(_look, pattern, cpu_bound, timeout=limit)
        except TimeoutError:
            reason = f"its import takes longer than {limit:g} s"
        except ThreadExit as leaving:
            reason = f"its import raised {type(leaving.error).__name__}"
        except Exception as error:  # importing runs code that may raise anything
            reason = f"its import failed with {type(error).__name__}: {error}"
        if reason:
            raise NothingMatches(pattern, reason[:_MAX_REASON])


def _look(pattern: str, cpu_bound: CpuBound) -> str:
    """Say why a pattern matches nothing; empty when it does."""
    wildcard = next((place for place, letter in enumerate(pattern) if letter in "*?["), None)
    if wildcard is not None:
        return _look_for_match(pattern, pattern[:wildcard].rpartition(".")[0])
    if importlib.util.find_spec(pattern) is None:
        return f"there is no module {pattern!r}"
    if not cpu_bound.covers_module(pattern):
        importlib.import_module(pattern)
    return ""


def _look_for_match(pattern: str, package: str) -> str:
    if any(fnmatchcase(name, pattern) for name in _modules(pattern, package)):
        return ""
    return f"no module of {package!r} matches" if package else "no module matches"


def _modules(pattern: str, package: str) -> Iterator[str]:
    """Yield the modules that a pattern may match: those below the package that it names, or those at the top.

    A pattern that names no package, such as ``exam*.spam``, is judged by its first part, because looking into every
    package that is installed would import them all.
    """
    if package:
        folders = getattr(importlib.import_module(package), "__path__", ())
        yield from (found.name for found in pkgutil.walk_packages(folders, f"{package}.", onerror=_skip))
        return
    first, _, rest = pattern.partition(".")
    for found in pkgutil.iter_modules():
        yield f"{found.name}.{rest}" if rest and fnmatchcase(found.name, first) else found.name


def _skip(name: str) -> None:
    """Go on although a package below cannot be imported: another one may match."""
    del name
