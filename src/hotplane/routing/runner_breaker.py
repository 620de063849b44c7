"""What can be set about the breaker of a runner. Imports only `settings` and `trail`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from hotplane.routing.settings import BreakerSettings, Rate, Seconds
from hotplane.routing.trail import PATIENCE_SECONDS

__all__ = ["LEASE_SECONDS", "ROUTE_BREAKER", "RunnerBreakerSettings"]

_LONGEST_DEADLINE_SECONDS = 3_600.0
"""The most that `Task.timeout_ms` may be."""
LEASE_SECONDS = _LONGEST_DEADLINE_SECONDS + 2 * PATIENCE_SECONDS
"""A route settles every permit; the lease only has to outlast the longest attempt that there can be."""

ROUTE_BREAKER = BreakerSettings(
    window_calls=20, minimum_calls=5, slow_call_seconds=_LONGEST_DEADLINE_SECONDS, permit_seconds=LEASE_SECONDS
)
"""A runner's breaker where nothing else is set: it opens after 5 to 10 failures in a row, and a slow program is no
reason, since how long a program may take is its task's business."""


class RunnerBreakerSettings(BaseModel):
    """When a runner is not asked for a while, and when it is asked again.

    What else there is to a breaker is not for an operator to set: how long a program may take is its task's business,
    and a route settles every permit itself.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    window_calls: int = Field(default=ROUTE_BREAKER.window_calls, ge=1, le=100_000)
    """The last so many attempts are judged."""
    minimum_calls: int = Field(default=ROUTE_BREAKER.minimum_calls, ge=1, le=100_000)
    """With fewer of them nothing is judged."""
    failure_rate: Rate = ROUTE_BREAKER.failure_rate
    """The runner is not asked any more when this share of them failed, or more. A program's own error is no failure."""
    open_seconds: Seconds = ROUTE_BREAKER.open_seconds
    """For how long it is not asked the first time."""
    open_growth: float = Field(default=ROUTE_BREAKER.open_growth, ge=1.0, le=10.0)
    """What that time is multiplied by each further time."""
    open_max_seconds: Seconds = ROUTE_BREAKER.open_max_seconds
    """The most that it may become. A worker that comes and goes gets more of the work when this is short."""
    healthy_seconds: float = Field(default=ROUTE_BREAKER.healthy_seconds, ge=0.0, le=86_400.0)
    """After so long without trouble it is `open_seconds` again."""
    half_open_permits: int = Field(default=ROUTE_BREAKER.half_open_permits, ge=1, le=1_000)
    """How many executions then try whether it works again."""

    def over(self, defaults: RunnerBreakerSettings) -> RunnerBreakerSettings:
        """Return `defaults` with what is set here."""
        return defaults.model_copy(update={name: getattr(self, name) for name in self.model_fields_set})

    def settings(self) -> BreakerSettings:
        """Return the settings of the breaker.

        Raises:
            ValidationError: They do not fit together, so that it would never open, for example.
        """
        return BreakerSettings.model_validate({**ROUTE_BREAKER.model_dump(), **self.model_dump()})
