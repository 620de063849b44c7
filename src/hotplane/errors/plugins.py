"""What plugins fail with, and what they raise themselves to say so. Imports only `errors.base`."""

from collections.abc import Sequence

from hotplane.errors.base import HotplaneError, Problem

__all__ = [
    "ConfigurationRefused",
    "PluginError",
    "PluginImportFailed",
    "PluginIncompatible",
    "PluginMisconfigured",
    "PluginReloadFailed",
    "PluginStartFailed",
    "PluginTimeout",
    "RetryLater",
]


class PluginError(HotplaneError):
    """A plugin failed."""

    code = "plugin-error"


class PluginImportFailed(PluginError):
    """The plugin {path!r} cannot be loaded: {reason}."""

    code = "plugin-import-failed"

    def __init__(self, path: str, reason: str, *, traceback: str = "", changed: bool = False) -> None:
        self.path = path
        self.reason = reason
        self.traceback = traceback
        """The plugin's own frames, for its author."""
        self.changed = changed
        """Whether the files changed meanwhile, so that another try may succeed."""
        super().__init__()


class PluginStartFailed(PluginError):
    """The plugin {plugin_id!r} did not start: {reason}."""

    code = "plugin-start-failed"

    def __init__(self, plugin_id: str, reason: str) -> None:
        self.plugin_id = plugin_id
        self.reason = reason
        super().__init__()


class PluginIncompatible(PluginError):
    """The plugin {plugin_id!r} does not fit here: {reason}."""

    code = "plugin-incompatible"

    def __init__(self, plugin_id: str, reason: str) -> None:
        self.plugin_id = plugin_id
        self.reason = reason
        super().__init__()


class PluginReloadFailed(PluginError):
    """The plugin {plugin_id!r} was not replaced: {reason}. Generation {generation} serves on."""

    code = "plugin-reload-failed"

    def __init__(self, plugin_id: str, reason: str, generation: int) -> None:
        self.plugin_id = plugin_id
        self.reason = reason.rstrip(".")
        self.generation = generation
        super().__init__()


class PluginTimeout(PluginError):
    """The plugin {plugin_id!r} took longer than {limit:g} s in {hook}."""

    code = "plugin-timeout"

    def __init__(self, plugin_id: str, hook: str, limit: float) -> None:
        self.plugin_id = plugin_id
        self.hook = hook
        self.limit = limit
        super().__init__()


class RetryLater(HotplaneError):
    """The plugin cannot work yet; ask again in {after:g} s."""

    code = "retry-later"

    def __init__(self, after: float, message: str | None = None) -> None:
        self.after = after
        super().__init__(message)


class ConfigurationRefused(RetryLater):
    """The plugin {plugin_id!r} finds its configuration unusable: {reasons}"""

    code = "configuration-refused"

    def __init__(self, plugin_id: str, problems: Sequence[Problem], after: float) -> None:
        self.plugin_id = plugin_id
        self.problems = tuple(problems)
        """With pointers into the configuration."""
        self.reasons = "; ".join(str(problem) for problem in self.problems)
        super().__init__(after)


class PluginMisconfigured(HotplaneError):
    """The plugin's configuration cannot work; the operator has to change it."""

    code = "plugin-misconfigured"
