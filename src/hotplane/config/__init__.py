"""Configuration: models, layered sources, and every problem at once with its file and line.

Imports only `storage.settings`, `programs`, `builtin` and the rooms below them.
"""

from hotplane.config.environment import apply_environment
from hotplane.config.loading import DEFAULT_FILES, LoadedConfig, config_from_mapping, find_config, load_config
from hotplane.config.models import HotplaneConfig
from hotplane.config.plugins import KNOWN_TYPES, RESERVED_IDS, PluginEntry, PluginsSettings
from hotplane.config.server import LogSettings, ServerSettings, hash_token, is_loopback
from hotplane.config.tasks import FallbackSettings, HttpFallback, TaskEntry

__all__ = [
    "DEFAULT_FILES",
    "KNOWN_TYPES",
    "RESERVED_IDS",
    "FallbackSettings",
    "HotplaneConfig",
    "HttpFallback",
    "LoadedConfig",
    "LogSettings",
    "PluginEntry",
    "PluginsSettings",
    "ServerSettings",
    "TaskEntry",
    "apply_environment",
    "config_from_mapping",
    "find_config",
    "hash_token",
    "is_loopback",
    "load_config",
]
