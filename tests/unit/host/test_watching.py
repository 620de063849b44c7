"""The thread that watches directories, where something is in its way."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from watchfiles._rust_notify import RustNotify  # pyright: ignore[reportPrivateUsage] - what the watch uses

from hotplane.host import watching
from hotplane.host.watching import Watch


class Eye:
    """Notes what a watch tells."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.changes: list[set[Path]] = []
        self.troubles: list[str] = []
        self.watch: Watch | None = None

    def open(self, *, polling: bool) -> None:
        self.watch = Watch(
            [self.directory],
            changed=self.changes.append,
            troubled=self.troubles.append,
            polling=polling,
            debounce_ms=10,
        )
        self.watch.start()

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not true():  # noqa: ASYNC110 - a thread tells no event
                await asyncio.sleep(0.01)


@pytest.fixture
async def eye(tmp_path: Path) -> AsyncIterator[Eye]:
    """An eye on an empty directory."""
    (tmp_path / "plugins").mkdir()
    made = Eye(tmp_path / "plugins")
    yield made
    if made.watch is not None:
        await made.watch.stop()


def watchers() -> set[threading.Thread]:
    """Return the threads that watch."""
    return {thread for thread in threading.enumerate() if thread.name == "hotplane-watch"}


async def test_polling_follows_a_directory_that_is_replaced(eye: Eye) -> None:
    """Another directory at its place is told as such, and what happens in it is seen; a quiet one tells nothing."""
    eye.open(polling=True)
    await eye.until(lambda: eye.changes == [{eye.directory}])
    await asyncio.sleep(0.6)  # it looks twice, and nothing happened
    assert eye.changes == [{eye.directory}]
    eye.directory.rename(eye.directory.with_name("aside"))
    eye.directory.mkdir()
    await eye.until(lambda: eye.changes[1:] == [{eye.directory}])
    (eye.directory / "new.py").write_text("x = 1")
    await eye.until(lambda: {eye.directory / "new.py"} in eye.changes)


@pytest.mark.parametrize("polling", [True, False])
async def test_it_ends_with_the_order_to_stop(eye: Eye, polling: bool) -> None:
    """No thread is left, whichever way it looks."""
    before = watchers()
    eye.open(polling=polling)
    await eye.until(lambda: bool(eye.changes))
    assert eye.watch is not None
    await eye.watch.stop()
    await eye.until(lambda: watchers() <= before)


async def test_a_system_that_refuses_to_watch_is_asked_again(eye: Eye, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its limit of watches is told, and when there is room the directory is watched after all."""

    def refuse(*_: object) -> RustNotify:
        monkeypatch.undo()
        raise OSError("no space left for watches")

    # The limit is the machine's: a test that used it up would take the other programs' watches.
    monkeypatch.setattr(watching, "RustNotify", refuse)
    eye.open(polling=False)
    await eye.until(lambda: eye.changes == [{eye.directory}])
    assert eye.troubles == ["OSError: no space left for watches"]
    (eye.directory / "new.py").write_text("x = 1")
    await eye.until(lambda: any(eye.directory / "new.py" in each for each in eye.changes))


def test_it_ends_with_its_loop(tmp_path: Path) -> None:
    """A loop that was closed without stopping the watch leaves no thread that works for nobody."""
    before = watchers()

    async def begin() -> None:
        eye = Eye(tmp_path)
        eye.open(polling=True)
        await eye.until(lambda: bool(eye.changes))

    asyncio.run(begin())
    (thread,) = watchers() - before
    (tmp_path / "new.py").write_text("x = 1")
    thread.join(60)
    assert not thread.is_alive()
