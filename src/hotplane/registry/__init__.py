"""What is plugged in: copy-on-write snapshots, and chains compiled once per change.

Imports only `plugins`, `records` and `errors`.
"""

from hotplane.registry.chain import Chain, Failure, Link, Offload
from hotplane.registry.registry import Entry, Registry
from hotplane.registry.stats import PluginStats, StatsSnapshot

__all__ = ["Chain", "Entry", "Failure", "Link", "Offload", "PluginStats", "Registry", "StatsSnapshot"]
