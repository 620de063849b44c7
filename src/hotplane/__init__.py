"""Hotplane: the hot-swap backplane for Python services.

The names below are imported when they are first used, so that ``import hotplane`` stays cheap.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from hotplane.version import __version__

if TYPE_CHECKING:
    from hotplane.app import Hotplane
    from hotplane.plugins import Config, Plugin, Runner, Sample, Sampler, Validator, WebhookHandler
    from hotplane.records import Event, Execution, Health, PluginMetadata, Task, ValidationResult

__all__ = [
    "Config",
    "Event",
    "Execution",
    "Health",
    "Hotplane",
    "Plugin",
    "PluginMetadata",
    "Runner",
    "Sample",
    "Sampler",
    "Task",
    "ValidationResult",
    "Validator",
    "WebhookHandler",
    "__version__",
]

_PLACES = {
    "Hotplane": "hotplane.app",
    **dict.fromkeys(
        ("Config", "Plugin", "Runner", "Sample", "Sampler", "Validator", "WebhookHandler"), "hotplane.plugins"
    ),
    **dict.fromkeys(("Event", "Execution", "Health", "PluginMetadata", "Task", "ValidationResult"), "hotplane.records"),
}


def __getattr__(name: str) -> object:
    place = _PLACES.get(name)
    if place is None:
        raise AttributeError(f"module 'hotplane' has no attribute {name!r}")
    value = getattr(import_module(place), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
