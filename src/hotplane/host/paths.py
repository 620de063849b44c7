"""From where plugins may be loaded. Imports only `errors` and `references`.

Loading code is the most dangerous call there is, so that what the operator's file does not name is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from hotplane.errors import PathNotAllowed, ReferenceNotAllowed
from hotplane.host.references import is_reference, module_allowed

__all__ = ["Doors"]


class Doors:
    """What the operator allows.

    Args:
        directories: Folders whose files and packages may be loaded.
        patterns: Over module names, and over absolute paths such as ``/srv/plugins/*``; a folder allows what is below.
    """

    def __init__(self, directories: Sequence[Path] = (), patterns: Sequence[str] = ()) -> None:
        self.directories = tuple(directory.resolve() for directory in directories)
        self.patterns = tuple(patterns)

    def check_path(self, path: Path) -> Path:
        """Return `path` without links and detours when plugins may be loaded from there.

        Raises:
            PathNotAllowed: They may not.
        """
        # The last part may be a link: who can make links in a plugin directory can write plugins there.
        place = path.parent.resolve() / path.name
        # A file inside a package of a directory is a part of a plugin, not one of its own.
        if place.parent in self.directories and path.name not in {"", ".", ".."}:
            return place
        if any(_matches(path.resolve(), pattern) for pattern in self.patterns):
            return path.resolve()
        raise PathNotAllowed(str(path), [*map(str, self.directories), *self.patterns])

    def check_reference(self, reference: str) -> str:
        """Return ``module:Class`` when it may be loaded.

        Raises:
            ReferenceNotAllowed: It may not, or is not written so.
        """
        if not is_reference(reference) or not module_allowed(reference.partition(":")[0], self.patterns):
            raise ReferenceNotAllowed(reference, self.patterns)
        return reference


def _matches(real: Path, pattern: str) -> bool:
    if not pattern.startswith("/"):
        return False  # a pattern over modules
    return fnmatchcase(str(real), pattern) or real.is_relative_to(pattern)
