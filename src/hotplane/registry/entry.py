"""One plugged-in plugin, and all of them at one moment. Imports only `plugins` and `stats`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from hotplane.plugins import Plugin
from hotplane.registry.stats import PluginStats

__all__ = ["Entry", "Snapshot"]


class Entry(Struct, frozen=True, kw_only=True):
    """One plugged-in plugin."""

    id: str
    kind: type[Plugin[Any]]
    plugin: Plugin[Any]
    enabled: bool
    priority: int
    active: bool
    generation: int
    limit: float | None
    on_error: str | None
    on_fail: str | None
    stats: PluginStats


class Snapshot(Struct, frozen=True, kw_only=True):
    """Every entry, replaced as a whole; nothing in it ever changes."""

    entries: Mapping[str, Entry]
    ordered: tuple[Entry, ...]
    """Priority descending, then id."""
