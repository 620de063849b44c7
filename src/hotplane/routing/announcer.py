"""Telling a listener what happened, in order and outside every lock. Imports only `states`."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from threading import Lock

from hotplane.routing.states import Transition

__all__ = ["Announcer"]

_log = logging.getLogger(__name__)

_MOST_WAITING = 1_000
"""Transitions kept for a listener that hangs; the oldest are dropped beyond that."""


class Announcer:
    """Hands transitions to one listener, one at a time, in the order in which they were put.

    Whoever finds nobody at it delivers, for others too: a listener may be called by any thread that uses the
    breaker. A listener that itself changes the breaker hears of that after it has returned.
    """

    def __init__(self, listener: Callable[[Transition], object] | None) -> None:
        self._listener = listener
        self._busy = Lock()
        self.waiting: deque[Transition] = deque(maxlen=_MOST_WAITING)
        """What is not delivered yet; falsy when there is nothing to do."""

    def put(self, transition: Transition) -> None:
        """Queue a transition; calls nobody, so it may be done under the breaker's lock."""
        if self._listener is not None:
            self.waiting.append(transition)

    def deliver(self) -> None:
        """Call the listener with everything that waits, unless another caller is doing so already."""
        # The outer check is made again after the release: what was put between the last look and the
        # release would otherwise wait for the next transition.
        while self.waiting and self._busy.acquire(blocking=False):
            try:
                while self.waiting:
                    self._call(self.waiting.popleft())
            finally:
                self._busy.release()

    def _call(self, transition: Transition) -> None:
        assert self._listener is not None  # noqa: S101 - without one nothing is queued
        try:
            self._listener(transition)
        except Exception:
            _log.exception("The listener of the breaker %r failed on %s", transition.breaker, transition.state)
