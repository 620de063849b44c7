"""What can be set about a breaker, with the source of each default. Imports nothing of Hotplane."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = ["BreakerSettings", "Rate", "Seconds"]

Rate = Annotated[float, Field(gt=0.0, le=1.0)]
Seconds = Annotated[float, Field(gt=0.0, le=86_400.0)]


class BreakerSettings(BaseModel):
    """Settings of one breaker; times are in seconds.

    The defaults come from Hystrix (volume, failure rate, open time), resilience4j (slow calls, count window),
    Polly v8 (time window) and Envoy's outlier detection (growing open time, forgotten when healthy).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    window: Literal["count", "time"] = "count"
    """Judge the last `window_calls` results, or the results of the last `window_seconds`."""
    window_calls: int = Field(default=100, ge=1, le=100_000)
    """Size of a count window (resilience4j: 100)."""
    window_seconds: float = Field(default=30.0, ge=0.1, le=3_600.0)
    """Length of a time window (Polly: 30 s), in buckets of one second or a tenth of it, whichever is shorter."""
    minimum_calls: int = Field(default=20, ge=1, le=100_000)
    """Judge only when the window holds this many results (Hystrix: 20)."""
    failure_rate: Rate = 0.5
    """Open when this share of the window failed, or more (Hystrix, resilience4j: 50 %)."""
    slow_rate: Rate = 1.0
    """Open when this share of the window was slow, or more (resilience4j: 100 %)."""
    slow_call_seconds: Seconds = 60.0
    """A call is slow when it took longer than this (resilience4j: 60 s). Set what your callers would call slow."""
    open_seconds: Seconds = 5.0
    """How long the breaker stays open the first time (Hystrix, Polly: 5 s)."""
    open_growth: float = Field(default=2.0, ge=1.0, le=10.0)
    """Each further trip without a healthy period between multiplies the open time by this."""
    open_max_seconds: Seconds = 60.0
    """The open time never exceeds this, jitter included (resilience4j's fixed wait: 60 s)."""
    open_jitter: float = Field(default=0.2, ge=0.0, lt=1.0)
    """The open time is spread by this share up and down, so that many hosts do not probe at once (Svix: ±20 %)."""
    healthy_seconds: float = Field(default=60.0, ge=0.0, le=86_400.0)
    """A breaker that stayed closed for this long begins again at `open_seconds`. Envoy forgets in steps likewise."""
    half_open_permits: int = Field(default=3, ge=1, le=1_000)
    """How many probes decide whether the breaker closes (resilience4j: 10; fewer, as the open time is shorter)."""
    permit_seconds: Seconds = 30.0
    """A probe that has not ended after this loses its permit and counts as failed; keep it above a call's deadline."""

    @model_validator(mode="after")
    def _can_trip(self) -> Self:
        if self.window == "count" and self.minimum_calls > self.window_calls:
            raise ValueError(
                f"minimum_calls ({self.minimum_calls}) is more than window_calls ({self.window_calls}): "
                "the breaker would never open. Lower the one or raise the other"
            )
        if self.open_seconds > self.open_max_seconds:
            raise ValueError(
                f"open_seconds ({self.open_seconds:g}) is more than open_max_seconds ({self.open_max_seconds:g})"
            )
        return self
