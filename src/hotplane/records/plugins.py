"""What a plugin says of itself and how it is: metadata, state, health. Imports only `values`."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct, field

from hotplane.values import Json

__all__ = ["Health", "HealthStatus", "PluginMetadata", "PluginState"]


class PluginState(StrEnum):
    """Where a plugin is in its life."""

    UNLOADED = "unloaded"
    LOADING = "loading"
    ACTIVE = "active"
    UNLOADING = "unloading"
    FAILED = "failed"


class PluginMetadata(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a plugin's author says of it."""

    name: str
    """The plugin's type name, in kebab case; the default id of its instances."""
    version: str
    """PEP 440."""
    description: str = ""
    author: str = ""
    requires_host: str = ""
    """PEP 440 specifier for the host, for example ``>=0.1``; empty for any."""
    requires: tuple[str, ...] = ()
    """PEP 508 name and specifier of the plugin types that must be active before this one."""


class HealthStatus(StrEnum):
    """A plugin's health as it judges itself."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"


class Health(Struct, frozen=True, kw_only=True):
    """The answer of a health check."""

    status: HealthStatus = HealthStatus.HEALTHY
    message: str = ""
    details: Mapping[str, Json] = field(default_factory=dict[str, Json])

    @property
    def ok(self) -> bool:
        """Whether the plugin can go on serving: healthy or degraded."""
        return self.status != HealthStatus.UNHEALTHY
