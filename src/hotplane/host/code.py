"""A plugin's class and where it came from; imports that take too long or come too late.

Imports only `loader`, `discovery`, `source`, the plugin contract, `errors` and `registry`'s protocol of threads.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from hotplane.errors import PluginImportFailed
from hotplane.host.discovery import Found, find_path
from hotplane.host.loader import LoadedModule, load_generation, release
from hotplane.host.source import Source
from hotplane.plugins import Plugin
from hotplane.registry import Offload

__all__ = ["Code", "describe_path", "import_path"]


@dataclass(frozen=True, slots=True, eq=False)
class Code:
    """A class to make a plugin of."""

    cls: type[Plugin[Any]]
    loaded: LoadedModule | None = None
    """The generation that the class is part of; null for one that was imported or given."""

    @property
    def source(self) -> Source | None:
        """The files, of a generation."""
        return self.loaded.source if self.loaded is not None else None

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the import did that a plugin should leave."""
        return self.loaded.warnings if self.loaded is not None else ()

    def release(self) -> None:
        """Let go of the generation's modules."""
        if self.loaded is not None:
            release(self.loaded)


class _Import:
    """An import in a thread, whose result belongs to the caller or, when that one is gone, to nobody."""

    def __init__(self, path: Path, number: int) -> None:
        self._path = path
        self._number = number
        self._lock = threading.Lock()
        self._abandoned = False
        self._loaded: LoadedModule | None = None

    def run(self) -> Code:
        """Import; called in a thread."""
        loaded = load_generation(self._path, self._number)
        with self._lock:
            self._loaded = loaded
            abandoned = self._abandoned
        if abandoned:
            release(loaded)
        try:
            return Code(loaded.plugin_class(), loaded)
        except BaseException:
            release(loaded)
            raise

    def abandon(self) -> None:
        """Want the result no more, whether it is there or not."""
        with self._lock:
            self._abandoned = True
            loaded = self._loaded
        if loaded is not None:
            release(loaded)


async def describe_path(path: Path, *, limit: float, offload: Offload) -> Found:
    """Read what a plugin file declares, without importing it, off the loop.

    Raises:
        PluginImportFailed: Reading took too long.
    """
    try:
        return cast("Found", await offload(find_path, path, timeout=limit))
    except TimeoutError:
        raise PluginImportFailed(str(path), f"reading its files took longer than {limit:g} s") from None


async def import_path(path: Path, number: int, *, limit: float, offload: Offload) -> Code:
    """Import a generation from a file or package, off the loop.

    Args:
        path: The file, or the directory of the package.
        number: The generation's number.
        limit: Seconds. An import that takes longer goes on in its thread, and is let go of when it ends.
        offload: Runs it.

    Raises:
        PluginImportFailed: The import failed or took too long.
        InvalidMetadata: It has no usable plugin class, or several.
    """
    job = _Import(path, number)
    try:
        return cast("Code", await offload(job.run, timeout=limit))
    except BaseException as error:
        job.abandon()
        if isinstance(error, TimeoutError):
            raise PluginImportFailed(str(path), f"its import takes longer than {limit:g} s") from None
        raise
