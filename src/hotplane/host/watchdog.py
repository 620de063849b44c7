"""The loop watchdog: a thread that says which plugin blocks the event loop, while it does.

Imports only `records` and `log`; how a stack frame belongs to a plugin comes as an argument.
"""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from itertools import islice, takewhile
from threading import Event, Lock, Thread, get_ident
from time import monotonic
from traceback import StackSummary, walk_stack
from types import FrameType
from typing import Annotated

from msgspec import Struct
from pydantic import BaseModel, ConfigDict, Field

from hotplane.log import get_logger
from hotplane.records import now

__all__ = ["Blockage", "Watchdog", "WatchdogSettings", "WatchdogStats"]

_FRAMES = 40
"""Innermost frames of a stack that are kept."""
_ENTRY_CHARACTERS = 400
_LOOP_MODULES = frozenset({"asyncio.base_events", "asyncio.events", "asyncio.runners"})
"""What called the blocking code is always the loop, and tells nothing."""


class WatchdogSettings(BaseModel):
    """When the event loop counts as blocked: then the log names the plugin, with its stack."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = True
    """Whether a thread watches the event loop."""
    threshold_seconds: Annotated[float, Field(gt=0, le=60)] = 1.0
    """Seconds without an answer of the loop."""
    interval_seconds: Annotated[float, Field(ge=0.01, le=60)] = 0.25
    """Between two questions to the loop; a blockage is noticed after at most threshold + interval."""
    history: Annotated[int, Field(ge=1, le=1000)] = 20
    """The latest blockages that are kept."""


class Blockage(Struct, frozen=True, kw_only=True):
    """One time that the event loop did not answer."""

    at: datetime
    """When it was noticed."""
    seconds: float
    """How long it took, or has taken so far."""
    ongoing: bool
    plugin_id: str | None
    """Whose code ran; null where it was nobody's that is known."""
    stack: str
    """Of the loop's thread when it was noticed, innermost frame last."""


class WatchdogStats(Struct, frozen=True, kw_only=True):
    """What was noticed since the start."""

    blockages: int
    seconds: float
    """Of all blockages together, the one that goes on included."""
    ongoing: bool
    latest: tuple[Blockage, ...]
    """Oldest first, bounded by the setting `history`."""


class _Open(Struct):
    """The blockage that goes on."""

    asked: float
    at: datetime
    plugin_id: str | None
    stack: str

    def blockage(self, *, ongoing: bool) -> Blockage:
        seconds = monotonic() - self.asked
        return Blockage(at=self.at, seconds=seconds, ongoing=ongoing, plugin_id=self.plugin_id, stack=self.stack)


class Watchdog:
    """Asks the loop for a sign of life from a daemon thread, and logs the loop's stack once when none comes in time.

    The loop is asked, instead of being watched for a timer's traces, so that a loop at rest does nothing between two
    questions. Native code that holds the interpreter's lock stops this thread too: then the stack is of a moment
    after it. `start` and `stop` belong to one thread; everything else may be called from any.

    Args:
        settings: When the loop counts as blocked.
        attribute: Returns the id of the plugin that a frame belongs to, or None; it is asked from the innermost frame
            outwards, in the watchdog's thread.
    """

    def __init__(self, settings: WatchdogSettings, attribute: Callable[[FrameType], str | None]) -> None:
        self._settings = settings
        self._attribute = attribute
        self._log = get_logger()
        self._thread: Thread | None = None
        self._stopping = Event()
        self._sign = Event()
        self._loop_thread: int | None = None
        self._mutex = Lock()
        self._asked = 0.0
        self._open: _Open | None = None
        self._latest: deque[Blockage] = deque(maxlen=settings.history)
        self._blockages = 0
        self._seconds = 0.0

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to watch `loop`; the thread ends by itself when the loop is closed."""
        if self._settings.enabled and self._thread is None:
            self._stopping.clear()
            self._loop_thread = get_ident() if _runs_here(loop) else None
            self._thread = Thread(target=self._watch, args=(loop,), name="hotplane-watchdog", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End the thread; it takes milliseconds, also while the loop is blocked."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._stopping.set()
            self._sign.set()
            thread.join(timeout=1.0)

    def stats(self) -> WatchdogStats:
        """Return what was noticed so far."""
        with self._mutex:
            going_on = [self._open.blockage(ongoing=True)] if self._open is not None else []
            return WatchdogStats(
                blockages=self._blockages,
                seconds=self._seconds + sum(each.seconds for each in going_on),
                ongoing=bool(going_on),
                latest=tuple([*self._latest, *going_on][-self._settings.history :]),
            )

    # --- in the thread -----------------------------------------------------------------------------------

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        while not self._stopping.wait(self._settings.interval_seconds) and not loop.is_closed():
            if loop.is_running() and not self._answers(loop):
                self._note_blockage()
                self._await_end(loop)

    def _answers(self, loop: asyncio.AbstractEventLoop) -> bool:
        self._sign.clear()
        if self._stopping.is_set():
            return True
        self._asked = monotonic()
        with suppress(RuntimeError):  # it was closed this moment
            loop.call_soon_threadsafe(self._answer)
        # Waiting twice: a process that was stopped for a while finds one wait over, and then answers within the other.
        half = self._settings.threshold_seconds / 2
        return self._sign.wait(half) or self._sign.wait(half) or not loop.is_running()

    def _answer(self) -> None:
        self._loop_thread = get_ident()
        self._sign.set()

    def _await_end(self, loop: asyncio.AbstractEventLoop) -> None:
        while not self._sign.wait(self._settings.interval_seconds) and loop.is_running():
            continue
        with self._mutex:
            if self._open is not None:
                ended = self._open.blockage(ongoing=False)
                self._open = None
                self._latest.append(ended)
                self._seconds += ended.seconds

    def _note_blockage(self) -> None:
        plugin_id, stack = self._look_at_loop()
        found = _Open(self._asked, now(), plugin_id, stack)
        with self._mutex:
            self._open = found
            self._blockages += 1
        seconds = round(monotonic() - found.asked, 3)
        self._log.warning("loop.blocked", plugin=plugin_id, seconds=seconds, stack=stack)

    def _look_at_loop(self) -> tuple[str | None, str]:
        frame = sys._current_frames().get(self._loop_thread or 0)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - documented
        if frame is None:
            return None, ""
        return self._plugin_of(frame), _stack(frame)

    def _plugin_of(self, innermost: FrameType) -> str | None:
        try:
            found = (self._attribute(frame) for frame, _ in islice(walk_stack(innermost), _FRAMES))
            return next((plugin_id for plugin_id in found if plugin_id is not None), None)
        except Exception:  # the stack is worth more than the name
            self._log.exception("loop.attribution_failed")
            return None


def _stack(innermost: FrameType) -> str:
    inside = list(takewhile(lambda pair: pair[0].f_globals.get("__name__") not in _LOOP_MODULES, walk_stack(innermost)))
    summary = StackSummary.extract(iter(inside), limit=_FRAMES)
    summary.reverse()
    return "".join(map(_shortened, summary.format()))


def _shortened(entry: str) -> str:
    return entry if len(entry) <= _ENTRY_CHARACTERS else f"{entry[:_ENTRY_CHARACTERS]}…\n"


def _runs_here(loop: asyncio.AbstractEventLoop) -> bool:
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return False
