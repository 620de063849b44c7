"""`budget`: a sampler that picks at most so many executions an hour or a day. Imports only `plugins` and below."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct
from pydantic import Field

from hotplane.builtin.samplers.gated import GatedConfig, GatedSampler
from hotplane.plugins import Clock
from hotplane.records import PluginMetadata, SamplerOutcome
from hotplane.values import Json

__all__ = ["BudgetConfig", "BudgetSampler"]

_SECONDS = {"hour": 3_600, "day": 86_400}


class BudgetConfig(GatedConfig):
    """How many executions `budget` picks."""

    limit: Annotated[int, Field(ge=1, le=1_000_000_000)] = 1000
    """Picks in one `per`."""
    per: Literal["hour", "day"] = "day"
    """An hour or a day of UTC, each beginning with a new budget."""


class _Kept(Struct):
    per: str
    window: int
    used: Annotated[int, Meta(ge=0)]


class BudgetSampler(GatedSampler[BudgetConfig]):
    """Takes the picks of the sampler inside until the hour's or the day's budget is used up, over all tasks together.

    What was used is kept over a reload and over a restart. Every host has its own budget.
    """

    metadata = PluginMetadata(
        name="budget",
        version="0.1.0",
        description="Limits how many executions another sampler picks in an hour or a day.",
        author="The Hotplane developers",
    )
    priority = 60
    refusal = SamplerOutcome.OVER_BUDGET

    def begin(self, clock: Clock) -> None:
        """Begin with the whole budget."""
        super().begin(clock)
        self._window = self._current()
        self._used = 0

    def refused(self) -> str:
        """Say when the budget is used up."""
        self._turn()
        limit, per = self.config.limit, self.config.per
        return f"the budget of {limit} for this {per} is used up" if self._used >= limit else ""

    def spend(self) -> None:
        """Count one pick."""
        self._turn()
        self._used += 1

    def own_snapshot(self) -> Json:
        """Return what was used, and of which window."""
        return {"per": self.config.per, "window": self._window, "used": self._used}

    def own_restore(self, kept: Json) -> None:
        """Go on with what is left of the window; of a window of another length nothing is known."""
        state = msgspec.convert(kept, _Kept)
        if state.per == self.config.per:
            self._window, self._used = state.window, state.used
            self._turn()

    def _turn(self) -> None:
        """Begin a new window where it is time."""
        current = self._current()
        # A clock that is set back over the border must not give the budget out twice; one that was far ahead and
        # is right again must not keep it closed.
        if current > self._window or current < self._window - 1:
            self._window, self._used = current, 0

    def _current(self) -> int:
        return int(self.clock.now().timestamp() // _SECONDS[self.config.per])
