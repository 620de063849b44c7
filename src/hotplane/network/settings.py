"""What can be set about outbound requests. Imports nothing of Hotplane."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["OutboundSettings"]

Seconds = Annotated[float, Field(gt=0.0, le=3_600.0)]


class OutboundSettings(BaseModel):
    """Limits of one client."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    connect_timeout_seconds: Seconds = 5.0
    """Time for a connection, waiting for a free one, name lookup and TLS included."""
    timeout_seconds: Seconds = 30.0
    """Time for a request and its answer, all in all."""
    max_answer_bytes: int = Field(default=10 * 1024 * 1024, ge=1, le=1024**3)
    """Size of an answer's body, as sent and also when unpacked."""
    max_header_bytes: int = Field(default=16 * 1024, ge=1024, le=1024**2)
    """Size of an answer's status line, and of any one header."""
    max_connections: int = Field(default=100, ge=1, le=10_000)
    """Connections at a time; further requests wait for a free one."""
    keepalive_seconds: Seconds = 15.0
    """How long an idle connection is kept (aiohttp: 15 s)."""
    proxy_from_environment: bool = False
    """Whether `HTTP_PROXY` and its kin are followed."""
