"""`rate-limited`: a sampler whose picks come at a limited rate, by a token bucket. Imports only `plugins` and below."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta, Struct
from pydantic import Field

from hotplane.builtin.samplers.gated import GatedConfig, GatedSampler
from hotplane.plugins import Clock
from hotplane.records import PluginMetadata, SamplerOutcome
from hotplane.values import Json

__all__ = ["RateLimitedConfig", "RateLimitedSampler"]

_ROUNDING = 1e-9
"""A token that is missing only this part of itself is there: sums of times are not exact."""


class RateLimitedConfig(GatedConfig):
    """How often `rate-limited` picks."""

    rate_per_second: Annotated[float, Field(gt=0, le=1_000_000, allow_inf_nan=False)] = 1.0
    """Picks a second, over a longer time."""
    burst: Annotated[int, Field(ge=1, le=1_000_000)] = 10
    """Picks in one moment, after a quiet time."""


class _Kept(Struct):
    tokens: Annotated[float, Meta(ge=0)]
    at: float


class RateLimitedSampler(GatedSampler[RateLimitedConfig]):
    """Takes the picks of the sampler inside while its bucket has tokens, over all tasks together."""

    metadata = PluginMetadata(
        name="rate-limited",
        version="0.1.0",
        description="Limits how often another sampler picks, by a token bucket.",
        author="The Hotplane developers",
    )
    priority = 60
    refusal = SamplerOutcome.THROTTLED

    def begin(self, clock: Clock) -> None:
        """Begin with a full bucket."""
        super().begin(clock)
        self._tokens = float(self.config.burst)
        self._at = clock.monotonic()

    def refused(self) -> str:
        """Say when there is no token."""
        if self._level() >= 1.0 - _ROUNDING:
            return ""
        return f"the rate limit of {self.config.rate_per_second:g} a second is reached"

    def spend(self) -> None:
        """Take a token."""
        self._tokens = max(0.0, self._level() - 1.0)
        self._at = self.clock.monotonic()

    def own_snapshot(self) -> Json:
        """Return the tokens and the time of day: another process has another monotonic clock."""
        return {"tokens": self._level(), "at": self.clock.now().timestamp()}

    def own_restore(self, kept: Json) -> None:
        """Fill the bucket up for the time that has passed."""
        state = msgspec.convert(kept, _Kept)
        passed = max(0.0, self.clock.now().timestamp() - state.at)
        self._tokens = min(self.config.burst, state.tokens + passed * self.config.rate_per_second)
        self._at = self.clock.monotonic()

    def _level(self) -> float:
        passed = self.clock.monotonic() - self._at
        return min(self.config.burst, self._tokens + passed * self.config.rate_per_second)
