"""What is plugged in: copy-on-write snapshots, and chains compiled once per change.

Imports only `plugins`, `records` and `errors`.
"""

from hotplane.registry.chain import Chain, Failure, Link, Offload
from hotplane.registry.entry import Entry
from hotplane.registry.lease import Lease
from hotplane.registry.registry import Registry
from hotplane.registry.stats import PluginStats, StatsSnapshot
from hotplane.registry.turns import Turns

__all__ = ["Chain", "Entry", "Failure", "Lease", "Link", "Offload", "PluginStats", "Registry", "StatsSnapshot", "Turns"]
