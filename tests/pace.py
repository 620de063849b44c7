"""Promises that name seconds, kept exactly where the machine has time, and in proportion where everything is slow.

Where a test can count, wait for an event, or make the wrong outcome take half a minute, it needs none of this.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Awaitable, Callable
from time import monotonic

__all__ = ["in_time", "kept"]

_USUAL_SECONDS = 0.1
"""Starting Python with asyncio takes less on a machine that has little else to do."""
_STARTS = 3
_TRIES = 3


def in_time(took: float, promised: float) -> bool:
    """Tell whether something took no longer than promised, or is late only as everything here is at the moment.

    Args:
        took: Seconds.
        promised: Seconds; the slower this machine is just now, the more are allowed.
    """
    return took <= promised or took <= promised * _slowness()


async def kept(promised: float, action: Callable[[], Awaitable[object]]) -> bool:
    """Tell whether the quickest of up to three runs of an action took no longer than promised."""
    for _ in range(_TRIES):
        began = monotonic()
        await action()
        if in_time(monotonic() - began, promised):
            return True
    return False


def _slowness() -> float:
    """Return how many times as long as usual it takes at the moment to start a process; at least 1."""
    began = monotonic()
    for _ in range(_STARTS):
        subprocess.run([sys.executable, "-I", "-c", "import asyncio"], check=True)
    return max(1.0, (monotonic() - began) / _STARTS / _USUAL_SECONDS)
