"""The settings of health monitoring. Imports nothing of Hotplane."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["HealthSettings", "PassiveSettings"]

Seconds = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]


class PassiveSettings(BaseModel):
    """What the errors of a plugin's calls say about its health.

    The defaults of `error_rate` and `minimum_calls` are those of Hystrix: half of at least 20 calls.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = True
    """`false` judges plugins by their checks alone."""
    error_rate: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Of the calls since the last judgement, the fraction at or above which they speak against the plugin."""
    minimum_calls: Annotated[int, Field(ge=1, le=1_000_000)] = 20
    """Fewer calls are not judged; they wait for more."""
    window_seconds: Seconds = 60.0
    """How long calls wait for more before they are forgotten; by default two intervals, so that a plugin with
    few calls is judged too, and an error is not held against it for long."""


class HealthSettings(BaseModel):
    """How often plugins are checked, and what follows.

    The thresholds count observations in a row. 3 failures are the default of Kubernetes' probes; 2 successes are
    one more than there, so that a plugin which fails every other time does not count as recovered.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = True
    """`false` looks at plugins only when somebody asks for it."""
    interval_seconds: Seconds = 30.0
    """Between two looks at one plugin, in seconds."""
    timeout_seconds: Seconds = 5.0
    """For one check; it may be longer than the interval, there is never more than one check of a plugin at a time."""
    failure_threshold: Annotated[int, Field(ge=1, le=1000)] = 3
    """Failed looks in a row that make a plugin unhealthy."""
    recovery_threshold: Annotated[int, Field(ge=1, le=1000)] = 2
    """Good looks in a row that make an unhealthy plugin healthy again."""
    recovery_attempts: Annotated[int, Field(ge=0, le=1000)] = 5
    """How often recovery is asked for until the plugin has recovered; 0 for watching alone. The default is the
    supervisor's number of restarts, so that neither ends a recovery before the other."""
    history: Annotated[int, Field(ge=1, le=10_000)] = 100
    """Observations that are kept of each plugin; success rate and response times are taken over them."""
    jitter: Annotated[float, Field(ge=0, le=1)] = 1.0
    """Up to this fraction of the interval passes before the first check, so that plugins which started together are
    not checked together. Later checks keep the distance."""
    passive: PassiveSettings = PassiveSettings()
    """What the errors of its calls say about a plugin."""
