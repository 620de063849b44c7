"""Keeping plugins alive."""

from hotplane.host.lifecycle import TRANSITIONS, Lifecycle, Transition
from hotplane.host.manager import Manager, Overrides
from hotplane.host.settings import HostSettings
from hotplane.host.slot import PluginSpec, PluginStatus

__all__ = [
    "TRANSITIONS",
    "HostSettings",
    "Lifecycle",
    "Manager",
    "Overrides",
    "PluginSpec",
    "PluginStatus",
    "Transition",
]
