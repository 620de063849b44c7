"""The host room's settings. Imports nothing of Hotplane."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["HostSettings"]


class HostSettings(BaseModel):
    """Limits of a plugin's life and calls, in seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    start_timeout_seconds: Annotated[float, Field(gt=0, le=3600)] = 10.0
    stop_timeout_seconds: Annotated[float, Field(gt=0, le=3600)] = 5.0
    call_timeout_seconds: Annotated[float, Field(gt=0, le=3600)] = 1.0
