"""Acting on the supervisor's decisions: states, reasons, and one timer for each plugin that waits.

Imports only `supervisor`, `slot`, `records` and `errors`; starting a plugin again is the manager's, given as a call.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from hotplane.errors import Invalid, PluginImportFailed, PluginIncompatible
from hotplane.host.instances import reason_of
from hotplane.host.restarts import RestartSettings
from hotplane.host.slot import Slot
from hotplane.host.supervisor import Exit, ExitKind, RestartPolicy, Supervisor, Verdict, exit_of
from hotplane.plugins import Clock
from hotplane.records import PluginState

__all__ = ["Sleep", "Supervision"]

Sleep = Callable[[float], Awaitable[None]]
"""Waits for so many seconds."""


class Supervision:
    """Restarts what failed. Every method is called while the slot's lock is held.

    Args:
        supervisor: The policies.
        clock: The supervisor's clock.
        sleep: Waits on that clock.
        settings: For plugins that have none of their own.
        restart: Starts a failed plugin again; takes the slot's lock itself.
    """

    def __init__(
        self,
        supervisor: Supervisor,
        *,
        clock: Clock,
        sleep: Sleep,
        settings: RestartSettings,
        restart: Callable[[Slot], Awaitable[None]],
    ) -> None:
        self._supervisor = supervisor
        self._clock = clock
        self._sleep = sleep
        self._settings = settings
        self._restart = restart
        self._timers: dict[str, asyncio.Task[None]] = {}

    def failed(self, slot: Slot, error: BaseException) -> None:
        """Bring a slot to `failed`, for good or until its next start."""
        self._failed(slot, _exit_of(error))

    def reported(self, slot: Slot, reason: str) -> None:
        """Bring an active slot to `failed`, for others than itself found it not working."""
        self._failed(slot, Exit(ExitKind.CRASH, reason))

    def active(self, slot: Slot) -> None:
        """Note that a plugin works; nothing is planned for it any more."""
        self._policy(slot).healthy()
        self.cancel(slot)

    def unhealthy(self, slot: Slot) -> None:
        """Note that a plugin does not work well now: its healthy time begins anew."""
        self._policy(slot).unhealthy()

    def by_hand(self, slot: Slot) -> None:
        """Forget what was: an operator, or new code, takes the matter in hand."""
        self._policy(slot).started_by_hand()
        self.cancel(slot)

    def cancel(self, slot: Slot) -> None:
        """Drop the planned start."""
        slot.retry_at = None
        timer = self._timers.pop(slot.spec.id, None)
        if timer is not None and timer is not asyncio.current_task():
            timer.cancel()

    def forget(self, slot: Slot) -> None:
        """Drop everything about a plugin that is gone."""
        self.cancel(slot)
        self._supervisor.forget(slot.spec.id)

    async def shut_down(self) -> None:
        """Restart nothing from now on, and end the timers."""
        self._supervisor.shut_down()
        timers = list(self._timers.values())
        self._timers.clear()
        for timer in timers:
            timer.cancel()
        if timers:
            await asyncio.wait(timers)

    def _failed(self, slot: Slot, exit: Exit) -> None:
        decision = self._policy(slot).on_exit(exit)
        self.cancel(slot)
        if decision.verdict is Verdict.RESTART and decision.at is not None:
            slot.retry_at = decision.retry_at
            self._timers[slot.spec.id] = asyncio.create_task(self._wait(slot, decision.at))
        given_up = decision.verdict is Verdict.GIVE_UP and exit.kind is ExitKind.CRASH
        slot.lifecycle.to(PluginState.FAILED, decision.reason if given_up else exit.reason)

    async def _wait(self, slot: Slot, at: float) -> None:
        while (left := at - self._clock.monotonic()) > 0:
            await self._sleep(left)
        await self._restart(slot)

    def _policy(self, slot: Slot) -> RestartPolicy:
        return self._supervisor.watch(slot.spec.id, slot.spec.restart or self._settings)


def _exit_of(error: BaseException) -> Exit:
    """Return how a plugin ended; what only an operator or an edit can mend is tried once."""
    if isinstance(error, Invalid | PluginImportFailed | PluginIncompatible):
        return Exit(ExitKind.MISCONFIGURED, reason_of(error))
    kind = exit_of(error)
    return Exit(kind.kind, reason_of(error), kind.retry_after)
