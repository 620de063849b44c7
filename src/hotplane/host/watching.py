"""Watching directories in a thread of its own. Imports only `polling`.

The kernel tells of changes (inotify), or they are looked for where it cannot. A change is handed on as soon as
nothing further happened for the debounce time.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from watchfiles._rust_notify import RustNotify  # pyright: ignore[reportPrivateUsage] -- its documented low-level door

from hotplane.host.polling import changes, look

__all__ = ["Watch"]

_LONGEST_WAIT_MS = 1000
"""A directory that never comes to rest is looked at after this."""
_LOOK_MS = 5000
"""Whether the directories are still the same is looked at so often."""
_POLL_SECONDS = 0.25
_RETRY_SECONDS = 1.0
_PATIENCE_SECONDS = 2.0


class Watch:
    """Tells of changes below directories, also of directories that come later or are put back.

    Args:
        directories: What to watch.
        changed: Called on the loop with the paths that changed; with the directories themselves when a watch began,
            since what happened before it is not known.
        troubled: Called on the loop with a sentence when the system refuses to watch.
        polling: Look for changes instead of being told, for network file systems.
        debounce_ms: Quiet time before a change is handed on.
    """

    def __init__(
        self,
        directories: Sequence[Path],
        *,
        changed: Callable[[set[Path]], object],
        troubled: Callable[[str], object],
        polling: bool = False,
        debounce_ms: int = 50,
    ) -> None:
        self._directories = tuple(directories)
        self._changed = changed
        self._troubled = troubled
        self._polling = polling
        self._debounce_ms = debounce_ms
        self._stopping = threading.Event()
        self._ended = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def start(self) -> None:
        """Begin to watch."""
        threading.Thread(target=self._run, name="hotplane-watch", daemon=True).start()

    async def stop(self) -> None:
        """Stop watching; the thread ends within the debounce time."""
        self._stopping.set()
        with suppress(TimeoutError):  # a daemon thread that hangs in the file system keeps nobody
            await asyncio.wait_for(self._ended.wait(), _PATIENCE_SECONDS)

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._watch_once()
        finally:
            self._tell(self._ended.set)

    def _watch_once(self) -> None:
        there = _identities(self._directories)
        if not there:
            self._stopping.wait(_RETRY_SECONDS)
            return
        paths = [str(path) for path in there]
        try:
            if self._polling:
                self._poll(there)
                return
            # Arguments by place: debug, polling, time between looks, with what is below, refused folders left out.
            with RustNotify(paths, False, False, 0, True, True) as watcher:
                self._tell(self._changed, set(there))
                self._follow(watcher, there)
        except Exception as error:  # whatever the system answers, such as a limit of watches: try again
            self._tell(self._troubled, f"{type(error).__name__}: {error}")
            self._stopping.wait(_RETRY_SECONDS)

    def _follow(self, watcher: RustNotify, there: dict[Path, tuple[int, int]]) -> None:
        longest = max(_LONGEST_WAIT_MS, 2 * self._debounce_ms)
        while True:
            happened = watcher.watch(longest, self._debounce_ms, _LOOK_MS, self._stopping)
            if happened == "stop":
                return
            if isinstance(happened, set):
                self._tell(self._changed, {Path(path) for _, path in happened})
            if _identities(self._directories) != there:
                return

    def _poll(self, there: dict[Path, tuple[int, int]]) -> None:
        before = look(self._directories)
        self._tell(self._changed, set(there))
        while not self._stopping.wait(_POLL_SECONDS):
            after = look(self._directories)
            changed = changes(before, after)
            if changed:
                self._tell(self._changed, changed)
            before = after
            if _identities(self._directories) != there:
                return

    def _tell(self, call: Callable[..., object], *args: object) -> None:
        try:
            self._loop.call_soon_threadsafe(call, *args)
        except RuntimeError:  # the loop is closed: nobody is left to be told
            self._stopping.set()


def _identities(directories: Sequence[Path]) -> dict[Path, tuple[int, int]]:
    """Return which directory is at each place, for the kernel watches directories and not names."""
    found: dict[Path, tuple[int, int]] = {}
    for directory in directories:
        try:
            status = directory.stat()
            os.scandir(directory).close()
        except OSError:
            continue
        found[directory] = status.st_dev, status.st_ino
    return found
