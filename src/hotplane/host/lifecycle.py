"""The five states of a plugin's life and the steps between them. Imports only `records` and `errors`."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from datetime import datetime

from msgspec import Struct

from hotplane.errors import IllegalTransition
from hotplane.records import PluginState, now

__all__ = ["TRANSITIONS", "Lifecycle", "Transition"]

TRANSITIONS: Mapping[PluginState, frozenset[PluginState]] = {
    PluginState.UNLOADED: frozenset({PluginState.LOADING}),
    PluginState.LOADING: frozenset({PluginState.ACTIVE, PluginState.FAILED}),
    PluginState.ACTIVE: frozenset({PluginState.UNLOADING, PluginState.FAILED}),
    PluginState.UNLOADING: frozenset({PluginState.UNLOADED, PluginState.FAILED}),
    PluginState.FAILED: frozenset({PluginState.LOADING, PluginState.UNLOADING}),
}
"""From each state, the states that may follow."""

_HISTORY = 50


class Transition(Struct, frozen=True, kw_only=True):
    """One step of one plugin."""

    plugin_id: str
    before: PluginState
    after: PluginState
    reason: str
    at: datetime


class Lifecycle:
    """Where one plugin is, why, since when, and how it got there.

    Args:
        plugin_id: Whose life it is.
        reason: Why it is not loaded yet.
        on_transition: Told of every step, after it was made.
        clock: Gives the instant of a step.
    """

    def __init__(
        self,
        plugin_id: str,
        *,
        reason: str = "",
        on_transition: Callable[[Transition], None] | None = None,
        clock: Callable[[], datetime] = now,
    ) -> None:
        self.plugin_id = plugin_id
        self.state = PluginState.UNLOADED
        self.reason = reason
        self.since = clock()
        self.history: deque[Transition] = deque(maxlen=_HISTORY)
        self._clock = clock
        self._on_transition = on_transition

    def check(self, wanted: PluginState) -> None:
        """Raise unless the step to `wanted` is allowed.

        Raises:
            IllegalTransition: Names both states and what is allowed.
        """
        allowed = TRANSITIONS[self.state]
        if wanted not in allowed:
            raise IllegalTransition(self.plugin_id, self.state, wanted, sorted(allowed))

    def to(self, wanted: PluginState, reason: str = "") -> None:
        """Make the step to `wanted`.

        Raises:
            IllegalTransition: The step is not allowed; nothing has changed.
        """
        self.check(wanted)
        step = Transition(plugin_id=self.plugin_id, before=self.state, after=wanted, reason=reason, at=self._clock())
        self.state, self.reason, self.since = wanted, reason, step.at
        self.history.append(step)
        if self._on_transition is not None:
            self._on_transition(step)
