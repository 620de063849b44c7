"""A file of lines that is only appended to, durably, and rotated by size. Imports only the standard library.

One writer at a time, also over several instances and processes: each append holds a lock file. Everything here blocks.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from time import monotonic, sleep

__all__ = ["LockBusy", "RotatedFile"]

_PAUSE_SECONDS = 0.005
_NEW = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW


class LockBusy(OSError):
    """Somebody else holds the lock for too long."""


class RotatedFile:
    """Appends lines to `path`; the older ones are in ``path.1`` (the newest of them) … ``path.{keep}``.

    Args:
        path: The file; its folder must exist.
        max_bytes: A line that would make the file longer begins a new one.
        keep: How many older files there are at most.
        fsync: Whether an append returns only when it is on the disk.
        patience: Seconds to wait for another writer.
    """

    def __init__(self, path: Path, *, max_bytes: int, keep: int, fsync: bool, patience: float = 10.0) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._keep = keep
        self._fsync = fsync
        self._patience = patience
        self._ours = Lock()

    def append(self, line: bytes) -> int:
        """Append `line`, which has no line feed in it, all or nothing.

        Returns:
            The size of the file afterwards, in bytes.

        Raises:
            OSError: It could not be written; nothing of it is left.
            LockBusy: Another writer does not let go.
        """
        with self._locked():
            data = line + b"\n"
            if self._must_rotate(len(data)):
                self._rotate()
            return self._write(data)

    @contextmanager
    def _locked(self) -> Generator[None]:
        ends_at = monotonic() + self._patience
        if not self._ours.acquire(timeout=self._patience):
            raise LockBusy(errno.EBUSY, "another thread holds the file for too long")
        try:
            descriptor = os.open(f"{self._path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                _lock(descriptor, ends_at)
                yield
            finally:
                os.close(descriptor)
        finally:
            self._ours.release()

    def _must_rotate(self, further: int) -> bool:
        try:
            size = self._path.lstat().st_size
        except FileNotFoundError:
            return False
        return size > 0 and size + further > self._max_bytes

    def _rotate(self) -> None:
        """Move every file on by one; the oldest is replaced. A crash in between leaves a gap, and loses nothing."""
        for number in range(self._keep - 1, 0, -1):
            with suppress(FileNotFoundError):  # there are not so many yet
                self._older(number).replace(self._older(number + 1))
        self._path.replace(self._older(1))

    def _older(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")

    def _write(self, data: bytes) -> int:
        descriptor = os.open(self._path, _NEW, 0o600)
        try:
            size = os.fstat(descriptor).st_size
            if size and os.pread(descriptor, 1, size - 1) != b"\n":
                data = b"\n" + data  # a crash tore the last line; it must not swallow this one
            try:
                _write_all(descriptor, data)
                if self._fsync:
                    os.fsync(descriptor)
            except OSError:
                os.ftruncate(descriptor, size)
                raise
        finally:
            os.close(descriptor)
        if self._fsync and not size:
            self._sync_folder()
        return size + len(data)

    def _sync_folder(self) -> None:
        """Make the names durable, too: a new file, and those that were rotated."""
        descriptor = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _lock(descriptor: int, ends_at: float) -> None:
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if monotonic() >= ends_at:
                raise LockBusy(errno.EBUSY, "another process holds the file for too long") from None
        sleep(_PAUSE_SECONDS)


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
