"""A plugin's files, read once: what a generation is made of, and the hash that names it.

Imports only `errors`. Nothing here executes or imports what it reads.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from hotplane.errors import PluginImportFailed

__all__ = ["MAX_FILES", "MAX_SOURCE_BYTES", "Source", "SourceModule", "read_source"]

MAX_SOURCE_BYTES = 16 * 1024 * 1024
"""Python source of one plugin, all its files together."""
MAX_FILES = 5_000
"""Files of one plugin, of whatever sort."""
_HASHED_WHOLE = 1024 * 1024  # larger data files count by size and time: a model of 2 GB is not read at each reload
_PASSES = 4
_EXTENSIONS = (".so", ".pyd")


@dataclass(frozen=True, slots=True)
class SourceModule:
    """One module's source."""

    path: Path
    text: bytes
    is_package: bool


@dataclass(frozen=True, slots=True)
class Source:
    """A consistent snapshot of a plugin's files."""

    path: Path
    """The file, or the directory of a package; absolute."""
    name: str
    """The name under which an ordinary import would know it."""
    is_package: bool
    modules: Mapping[str, SourceModule]
    """By dotted name inside the plugin; the main module is ``""``."""
    files: tuple[Path, ...]
    """Every file that counts, data files too."""
    sha256: str
    """Hex digest over names and bytes."""
    size: int
    """Bytes, all files together."""
    mtime: float
    """Seconds since the epoch, of the newest file."""

    @property
    def modified_at(self) -> datetime:
        """The time of the newest file, aware, in UTC."""
        return datetime.fromtimestamp(self.mtime, UTC)

    def changed_on_disk(self) -> bool:
        """Tell whether the files are no longer what was read; costs as much as reading them."""
        try:
            return _read(self.path).sha256 != self.sha256
        except PluginImportFailed:
            return True


def read_source(path: Path) -> Source:
    """Read a plugin's files until two readings in a row agree.

    Two equal readings prove that all files had these contents at one instant between them; a package that is being
    copied fails here, or is found by `Source.changed_on_disk` later.

    Raises:
        PluginImportFailed: The files cannot be read, are too large, are not a plugin, or keep changing.
    """
    path = path.absolute()
    previous = _read(path)
    for _ in range(_PASSES):
        current = _read(path)
        if current.sha256 == previous.sha256:
            return current
        previous = current
    raise PluginImportFailed(str(path), "its files are being written just now", changed=True)


def _read(path: Path) -> Source:
    try:
        if path.is_dir():
            return _read_package(path)
        return _snapshot(path, path.stem, path.parent, [path])
    except OSError as error:
        # A file that an editor or a copy has not put back yet is worth another try; one that is forbidden is not.
        gone = isinstance(error, FileNotFoundError)
        reason = f"it cannot be read ({error.strerror or error})"
        raise PluginImportFailed(str(path), reason, changed=gone) from None


def _read_package(path: Path) -> Source:
    if not (path / "__init__.py").is_file():
        raise PluginImportFailed(str(path), f"it is a directory without `__init__.py`{_hint(path)}", changed=True)
    return _snapshot(path, path.name, path, sorted(_walk(path)))


def _hint(project: Path) -> str:
    """Say where the package is, where the folder is that of a whole project."""
    packages = [found.parent.relative_to(project) for found in project.glob("src/*/__init__.py")]
    return f"; the package is in it, at `{packages[0]}`" if len(packages) == 1 else ""


def _walk(directory: Path) -> Iterator[Path]:
    def fail(error: OSError) -> None:
        raise error

    for folder, folders, names in os.walk(directory, onerror=fail):
        folders[:] = [name for name in folders if name != "__pycache__" and not name.startswith(".")]
        for name in names:
            if not name.startswith(".") and not name.endswith((".pyc", "~")):
                yield Path(folder, name)


def _snapshot(path: Path, name: str, base: Path, files: list[Path]) -> Source:
    if len(files) > MAX_FILES:
        raise PluginImportFailed(str(path), f"it has more than {MAX_FILES} files")
    digest, modules, size, mtime = sha256(), dict[str, SourceModule](), 0, 0.0
    for file in files:
        status = file.stat()
        if not stat.S_ISREG(status.st_mode):  # a FIFO would block for ever
            raise PluginImportFailed(str(path), f"{file.name} is not a regular file")
        size, mtime = size + status.st_size, max(mtime, status.st_mtime)
        is_source = file.suffix == ".py" or file == path
        content = _content(path, file, status, is_source=is_source)
        relative = file.relative_to(base).as_posix().encode("utf-8", "surrogateescape")
        digest.update(b"%d:%b%d:" % (len(relative), relative, len(content)) + content)
        if is_source:
            modules.update(_module(path, base, file, content))
    _check_total(path, modules)
    if path.is_dir():
        _add_plain_folders(path, modules)
    return Source(path, name, path.is_dir(), modules, tuple(files), digest.hexdigest(), size, mtime)


def _content(path: Path, file: Path, status: os.stat_result, *, is_source: bool) -> bytes:
    if is_source and status.st_size > MAX_SOURCE_BYTES:
        raise PluginImportFailed(str(path), f"{file.name} is larger than {MAX_SOURCE_BYTES} bytes")
    if is_source or (status.st_size <= _HASHED_WHOLE and file.suffix not in _EXTENSIONS):
        return file.read_bytes()
    return b"%d %d" % (status.st_size, status.st_mtime_ns)


def _module(path: Path, base: Path, file: Path, text: bytes) -> Iterator[tuple[str, SourceModule]]:
    if file == path:
        yield "", SourceModule(file, text, is_package=False)
        return
    parts = file.relative_to(base).with_suffix("").parts
    is_package = parts[-1] == "__init__"
    parts = parts[:-1] if is_package else parts
    if all(part.isidentifier() for part in parts):
        yield ".".join(parts), SourceModule(file, text, is_package)


def _check_total(path: Path, modules: Mapping[str, SourceModule]) -> None:
    if sum(len(module.text) for module in modules.values()) > MAX_SOURCE_BYTES:
        raise PluginImportFailed(str(path), f"its source is larger than {MAX_SOURCE_BYTES} bytes")


def _add_plain_folders(path: Path, modules: dict[str, SourceModule]) -> None:
    """Add an empty module for each folder of modules that has no `__init__.py`, as Python's namespace packages."""
    for name in list(modules):
        parts = name.split(".")
        for end in range(1, len(parts)):
            parent = ".".join(parts[:end])
            if parent not in modules:
                modules[parent] = SourceModule(path.joinpath(*parts[:end], "__init__.py"), b"", is_package=True)
