"""Promises that name seconds, kept exactly where the machine has time, and in proportion where everything is slow.

What a machine stood still for is no delay of what is tested: a process that does nothing but sleep tells of it.
Where a test can count, wait for an event, or make the wrong outcome take half a minute, it needs none of this.
"""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from time import monotonic, sleep

__all__ = ["in_time", "kept"]

_USUAL_SECONDS = 0.1
"""Starting Python with asyncio takes less on a machine that has little else to do."""
_STARTS = 3
_TRIES = 3
_NEWS_SECONDS = 0.3
"""After so long the sleeper has woken up and told of it."""
_SLEEPER = """
import os, time
parent = os.getppid()
while os.getppid() == parent:
    began = time.monotonic()
    time.sleep(0.05)
    late = time.monotonic() - began - 0.05
    if late > 0.05:
        print(began + 0.05, late, flush=True)
"""


def in_time(took: float, promised: float, *, ended: float | None = None) -> bool:
    """Tell whether something took no longer than promised, or is late only as everything here is at the moment.

    Args:
        took: Seconds.
        promised: Seconds; the slower this machine is just now, the more are allowed.
        ended: When it ended, by `time.monotonic`; just now by default.
    """
    if took <= promised:
        return True
    ended = monotonic() if ended is None else ended
    return took - _SLEEP.lost(ended - took, ended) <= promised or took <= promised * _slowness()


async def kept(promised: float, action: Callable[[], Awaitable[object]]) -> bool:
    """Tell whether the quickest of up to three runs of an action took no longer than promised.

    Args:
        promised: Seconds.
        action: Runs it, and may return how many seconds of that count; all of them by default.
    """
    for _ in range(_TRIES):
        began = monotonic()
        told = await action()
        if in_time(told if isinstance(told, float) else monotonic() - began, promised):
            return True
    return False


def _slowness() -> float:
    """Return how many times as long as usual it takes at the moment to start a process; at least 1."""
    began = monotonic()
    for _ in range(_STARTS):
        subprocess.run([sys.executable, "-I", "-c", "import asyncio"], check=True)
    return max(1.0, (monotonic() - began) / _STARTS / _USUAL_SECONDS)


class _Sleep:
    """What a process tells that sleeps for a moment, over and over: when it woke up late, the machine stood still."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _SLEEPER], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
        )
        assert self._process.stdout is not None
        self._pipe = self._process.stdout
        os.set_blocking(self._pipe.fileno(), False)
        self._told = ""
        atexit.register(self._end)

    def lost(self, began: float, ended: float) -> float:
        """Return for how many of the seconds between two instants the machine stood still."""
        sleep(_NEWS_SECONDS)
        self._told += (self._pipe.read() or b"").decode()
        gaps = [tuple(map(float, line.split())) for line in self._told.splitlines()]
        return sum(max(0.0, min(ended, at + late) - max(began, at)) for at, late in gaps)

    def _end(self) -> None:
        self._process.kill()
        self._process.wait()
        self._pipe.close()


_SLEEP = _Sleep()
