"""The host room's settings. Imports nothing of Hotplane."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["HostSettings"]


class HostSettings(BaseModel):
    """Limits of a plugin's life and calls, in seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    import_timeout_seconds: Annotated[float, Field(gt=0, le=3600)] = 10.0
    """A thread that imports for longer is abandoned, and what it brings in the end is let go of."""
    start_timeout_seconds: Annotated[float, Field(gt=0, le=3600)] = 10.0
    health_timeout_seconds: Annotated[float, Field(gt=0, le=3600)] = 5.0
    """For the check before a new generation serves, and for carrying its state over."""
    drain_timeout_seconds: Annotated[float, Field(gt=0, le=3600)] = 30.0
    """For the calls that are still on the old generation after a reload."""
    max_state_bytes: Annotated[int, Field(ge=0)] = 16 * 1024 * 1024
    """What `export_state` may return."""
    stop_timeout_seconds: Annotated[float, Field(gt=0, le=3600)] = 5.0
    call_timeout_seconds: Annotated[float, Field(gt=0, le=3600)] = 1.0
