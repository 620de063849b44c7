"""How a whole host is, at a glance: values alone. Imports only the values of its own room."""

from __future__ import annotations

from msgspec import Struct

from hotplane.host.health_report import HealthSummary
from hotplane.host.status import PluginStatus

__all__ = ["SystemStatus"]


class SystemStatus(Struct, frozen=True, kw_only=True):
    """A host at one instant."""

    version: str
    running: bool
    reasons: tuple[str, ...]
    """Why it does not take work; empty while it does."""
    primary: str
    """The first runner of the default route."""
    primary_available: bool
    """Whether that one is active, enabled and not unhealthy."""
    plugins: tuple[PluginStatus, ...]
    health: HealthSummary
