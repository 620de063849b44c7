"""Reading what plugins there are, off the loop and within a limit that no single plugin sets.

Imports only `errors` and `registry`'s protocol of threads.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Generic, TypeVar, cast

from hotplane.errors import PluginsUnreadable
from hotplane.registry import Offload

__all__ = ["INSTALLED", "SURVEY_SECONDS", "survey"]

T = TypeVar("T")

SURVEY_SECONDS = 60.0
"""A disk that has just woken up, or a machine that stood still, is over it by then; what lasts longer hangs."""
INSTALLED = "The metadata of the installed distributions"


async def survey(read: Callable[[], T], what: str, *, offload: Offload, late: Callable[[], None] | None = None) -> T:
    """Read what there is, in a thread.

    Args:
        read: Does it.
        what: What is read, for the message; the start of a sentence.
        offload: Runs it.
        late: Called on the loop when a reading that was given up has succeeded after all.

    Raises:
        PluginsUnreadable: It took longer than `SURVEY_SECONDS`; the thread goes on until the reading ends.
    """
    reading = _Reading(read, late)
    try:
        return cast("T", await offload(reading.run, timeout=SURVEY_SECONDS))
    except TimeoutError:
        reading.give_up()
        raise PluginsUnreadable(what, SURVEY_SECONDS) from None


class _Reading(Generic[T]):
    """A reading in a thread, and whether somebody still waits for it. All but `run` belongs to the loop."""

    def __init__(self, read: Callable[[], T], late: Callable[[], None] | None) -> None:
        self._read = read
        self._late = late
        self._loop = asyncio.get_running_loop()
        self._given_up = self._ended = False

    def run(self) -> T:
        """Read; called in a thread."""
        found = self._read()
        with suppress(RuntimeError):  # the loop is closed: nobody is left to be told
            self._loop.call_soon_threadsafe(self._end)
        return found

    def give_up(self) -> None:
        """Wait for it no more."""
        self._given_up = True
        self._tell()

    def _end(self) -> None:
        self._ended = True
        self._tell()

    def _tell(self) -> None:
        if self._given_up and self._ended and self._late is not None:
            self._late()
