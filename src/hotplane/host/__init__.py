"""Keeping plugins alive."""

from hotplane.host.discovery import Conflict, Discovery, Found
from hotplane.host.health_report import HealthChange, HealthLine, HealthReport, HealthState, HealthSummary
from hotplane.host.lifecycle import TRANSITIONS, Lifecycle, Transition
from hotplane.host.manager import Manager
from hotplane.host.oversight import Oversight
from hotplane.host.paths import Doors
from hotplane.host.refresh import Refreshed, RefreshOutcome
from hotplane.host.restarts import RestartSettings, RestartType
from hotplane.host.settings import HostSettings
from hotplane.host.slot import PluginSpec
from hotplane.host.status import CodeOrigin, Disabled, PluginStatus, Reload, ReloadOutcome, VersionStats
from hotplane.host.switchboard import Overrides
from hotplane.host.system import SystemStatus
from hotplane.host.table import PluginNews

__all__ = [
    "TRANSITIONS",
    "CodeOrigin",
    "Conflict",
    "Disabled",
    "Discovery",
    "Doors",
    "Found",
    "HealthChange",
    "HealthLine",
    "HealthReport",
    "HealthState",
    "HealthSummary",
    "HostSettings",
    "Lifecycle",
    "Manager",
    "Overrides",
    "Oversight",
    "PluginNews",
    "PluginSpec",
    "PluginStatus",
    "RefreshOutcome",
    "Refreshed",
    "Reload",
    "ReloadOutcome",
    "RestartSettings",
    "RestartType",
    "SystemStatus",
    "Transition",
    "VersionStats",
]
