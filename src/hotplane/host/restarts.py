"""How often, and how soon, a plugin is started again: the settings. Imports nothing of Hotplane."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = ["RestartSettings", "RestartType"]

_LARGEST_EXPONENT = 60  # keeps 2**n a float whatever the number of attempts

Seconds = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]


class RestartType(StrEnum):
    """Which ends are followed by a restart; the names and meanings are Erlang/OTP's."""

    PERMANENT = "permanent"
    """Every end that nobody asked for."""
    TRANSIENT = "transient"
    """Crashes, not normal ends."""
    TEMPORARY = "temporary"
    """None."""


class RestartSettings(BaseModel):
    """How often, and how soon, a plugin is started again."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: RestartType = RestartType.PERMANENT
    """Which ends are followed by a restart: every end that nobody asked for, crashes only, or none."""
    max_restarts: Annotated[int, Field(ge=0, le=1000)] = 5
    """Restarts inside the window; the next failure inside it is the last."""
    window_seconds: Seconds = 600.0
    """The time in which restarts and failures are counted."""
    delay_seconds: Seconds = 1.0
    """Before the first restart; doubles with each further one."""
    max_delay_seconds: Seconds = 60.0
    """The doubling stops here, before jitter."""
    jitter: Annotated[float, Field(ge=0, le=1)] = 0.1
    """Up to this fraction of the delay is added, so that plugins which failed together do not return together."""
    reset_after_seconds: Seconds = 600.0
    """Health for so long takes the delay back to the first one."""

    @model_validator(mode="after")
    def _window_can_fill(self) -> Self:
        if self.max_delay_seconds < self.delay_seconds:
            raise ValueError("max_delay_seconds is less than delay_seconds")
        longest = sum(self.delay(attempt, 1.0) for attempt in range(self.max_restarts))
        if longest > self.window_seconds:
            raise ValueError(
                f"the delays of {self.max_restarts} restarts can take {longest:g} s, more than the window of "
                f"{self.window_seconds:g} s, so the limit would never be reached: lower max_restarts or the delays, "
                "or widen window_seconds"
            )
        return self

    def delay(self, attempt: int, chance: float) -> float:
        """Return the seconds to wait before a restart.

        Args:
            attempt: Restarts since the plugin was last healthy for long, from 0.
            chance: Where in the jitter's range, 0 to 1.
        """
        doubled = self.delay_seconds * 2.0 ** min(attempt, _LARGEST_EXPONENT)
        return min(doubled, self.max_delay_seconds) * (1.0 + self.jitter * chance)
