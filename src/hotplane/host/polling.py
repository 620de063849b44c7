"""Telling that files changed by looking at them. Imports nothing of Hotplane.

For file systems that tell nothing. Times alone are not enough: where they are coarse, an edit of the same size in the
same second leaves them as they were, so that files which changed lately are compared by content (as git does).
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from pathlib import Path

__all__ = ["Look", "changes", "look"]

Look = dict[Path, tuple[object, ...]]
"""What is known of each file."""

_LATELY_SECONDS = 3.0
_COMPARED_BYTES = 1024 * 1024


def look(directories: Sequence[Path]) -> Look:
    """Return what tells the files below directories from later versions of themselves."""
    found: Look = {}
    for directory in directories:
        for path in _files(directory):
            try:
                found[path] = _signature(path)
            except OSError:  # it went while we looked
                continue
    return found


def changes(before: Look, after: Look) -> set[Path]:
    """Return the files that came, went or changed."""
    return {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}


def _files(directory: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(directory):
        folders[:] = [name for name in folders if name != "__pycache__"]
        for name in names:
            yield Path(folder, name)


def _signature(path: Path) -> tuple[object, ...]:
    status = path.stat()
    signature = (status.st_ino, status.st_size, status.st_mtime_ns)
    if status.st_mtime < time.time() - _LATELY_SECONDS:
        return signature
    with path.open("rb") as file:
        return (*signature, blake2b(file.read(_COMPARED_BYTES)).digest())
