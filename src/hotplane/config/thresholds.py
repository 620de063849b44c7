"""What an operator may set about a task's thresholds. Imports only `section` and `records`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator

from hotplane.config.section import Section, wrong
from hotplane.records import Thresholds

__all__ = ["ThresholdSettings"]


class ThresholdSettings(Section):
    """What a task has to keep to; an event tells once of each breach."""

    accuracy_min: Annotated[float | None, Field(ge=0, le=1, allow_inf_nan=False)] = None
    """The least accuracy, as estimated from what the designated sampler picked. Left away: not watched."""
    latency_max_ms: Annotated[float | None, Field(gt=0, allow_inf_nan=False)] = None
    """The longest latency, of the percentile `latency_p`. Left away: not watched."""
    latency_p: Annotated[float, Field(gt=0, le=1)] = 0.95
    """The share of the executions that has to be as quick."""
    significant: bool = True
    """Whether accuracy is breached only when its whole interval is below the least; `false`: when the estimate is."""
    confidence: Annotated[float, Field(ge=0.5, le=0.9999)] = 0.95
    """The share of intervals that hold the true accuracy."""
    window_count: Annotated[int, Field(ge=1, le=10_000)] = 1_000
    """The newest so many count: verdicts on picks for the accuracy, executions for the latency."""
    window_seconds: Annotated[float, Field(gt=0, le=31_622_400)] = 3_600.0
    """Older ones do not count."""
    minimum_volume: Annotated[int, Field(ge=1, le=10_000)] = 20
    """With fewer in the window nothing is said, neither of a breach nor of a recovery."""
    recovery_margin: Annotated[float, Field(ge=0, le=1)] = 0.1
    """A breach ends when the failure rate, or the latency, is this share below what is allowed."""

    def to_record(self) -> Thresholds:
        """Return the record of these thresholds."""
        return Thresholds(**self.model_dump())

    @field_validator("minimum_volume")
    @classmethod
    def _fits_the_window(cls, volume: int, info: ValidationInfo) -> int:
        window = info.data.get("window_count")
        if window is not None and volume > window:
            raise wrong(f"more than `window_count`, {window}: nothing would ever be measured")
        return volume
