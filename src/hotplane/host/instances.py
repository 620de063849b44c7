"""Making a plugin of its class: configuration, kind, start, health, state, stop; each step within its limit.

Imports only `plugins`, `records`, `errors`, `values` and its own room; it knows neither registry nor lifecycle.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, cast

from pydantic import BaseModel, ValidationError

from hotplane.errors import (
    ConfigurationError,
    ConfigurationRefused,
    HotplaneError,
    InvalidMetadata,
    PluginMisconfigured,
    PluginTimeout,
    Problem,
)
from hotplane.host.hooks import call_hook, has_hook
from hotplane.host.misfits import misfits
from hotplane.host.settings import HostSettings
from hotplane.host.slot import PluginSpec
from hotplane.plugins import Plugin, PluginContext, WebhookHandler, kind_name, kind_of
from hotplane.plugins.checking import check_plugin_class
from hotplane.records import Health
from hotplane.registry import Offload

__all__ = ["Admit", "Instances", "Unhealthy", "read_configuration", "reason_of"]

Admit = Callable[[str, BaseModel], Sequence[Problem]]
"""Tells what of a plugin's configuration its host does not allow, wherever it came from."""

_ASK_AGAIN_SECONDS = 300.0
"""What only the plugin finds wrong may be an outage, such as a mail server that does not answer."""


class Unhealthy(Exception):
    """A new generation's health check did not pass, or its state could not be carried over; the message says why."""


class Instances:
    """Makes instances and ends them.

    Args:
        make_context: Makes a plugin's context from its id and configuration.
        offload: Runs sync hooks and constructors.
        settings: Limits.
        admit: What configurations may not say; everything by default.
    """

    def __init__(
        self,
        *,
        make_context: Callable[[str, BaseModel], PluginContext],
        offload: Offload,
        settings: HostSettings,
        admit: Admit | None = None,
    ) -> None:
        self._make_context = make_context
        self._offload = offload
        self._settings = settings
        self._admit = admit

    def read(self, plugin_id: str, cls: type[Plugin[Any]], configuration: Mapping[str, Any]) -> BaseModel:
        """Read a configuration, and check that the host allows what it says.

        Raises:
            PluginMisconfigured: As of `read_configuration`.
        """
        config = read_configuration(plugin_id, cls, configuration)
        problems = self._admit(plugin_id, config) if self._admit is not None else ()
        if problems:
            raise _misfit(plugin_id, problems)
        return config

    async def make(self, spec: PluginSpec, cls: type[Plugin[Any]], configuration: Mapping[str, Any]) -> Plugin[Any]:
        """Return an instance that is not started.

        Raises:
            InvalidMetadata: The class cannot be used, or is of another kind than the configuration says.
            PluginMisconfigured: The configuration does not fit.
            PluginTimeout: Its constructor takes too long.
            BaseException: Whatever the constructor raised.
        """
        check_plugin_class(cls)
        found = kind_name(kind_of(cls))
        if spec.kind is not None and found != spec.kind:
            raise InvalidMetadata(cls.__qualname__, f"it is a {found}, but is configured as a {spec.kind}")
        if spec.instance is not None:
            spec.instance.id = spec.id
            return spec.instance
        plugin = cls.__new__(cls)
        plugin.id = spec.id
        plugin.config = self.read(spec.id, cls, configuration)
        limit = self._settings.start_timeout_seconds
        try:
            await self._offload(partial(type(plugin).__init__, plugin), timeout=limit)
        except TimeoutError:
            raise PluginTimeout(spec.id, "__init__", limit) from None
        return plugin

    async def start(self, plugin: Plugin[Any]) -> None:
        """Call the start hook, and have a webhook handler validate its configuration.

        Raises:
            ConfigurationRefused: The handler objects; it was stopped again.
            BaseException: Whatever the hook raised.
        """
        context = self._make_context(plugin.id, plugin.config)
        await self._call(plugin, "start", context, limit=self._settings.start_timeout_seconds)
        try:
            problems = await self._objections(plugin, plugin.config)
        except BaseException:
            await self.stop(plugin)
            raise
        if problems:
            await self.stop(plugin)
            raise ConfigurationRefused(plugin.id, problems, _ASK_AGAIN_SECONDS)

    async def check_health(self, plugin: Plugin[Any]) -> None:
        """Ask the plugin for its health, where it has a check.

        Raises:
            Unhealthy: It is unhealthy, or the check raised or took too long.
        """
        if not has_hook(plugin, "check_health"):
            return
        health: object = await self._guarded(plugin, "check_health")
        if not isinstance(health, Health):
            raise Unhealthy(f"its health check returned {type(health).__name__}, not a Health")
        if not health.ok:
            raise Unhealthy(f"its health check says {health.status}" + (f": {health.message}" * bool(health.message)))

    async def carry_state(self, old: Plugin[Any], new: Plugin[Any]) -> None:
        """Hand the old generation's state to the new one, where both know how.

        Raises:
            Unhealthy: A hook raised or took too long, or the state is not bytes, or too large.
        """
        if not (has_hook(old, "export_state") and has_hook(new, "import_state")):
            return
        state: object = await self._guarded(old, "export_state")
        if state is None:
            return
        if not isinstance(state, bytes):
            raise Unhealthy(f"the old generation's export_state returned {type(state).__name__}, not bytes")
        if len(state) > self._settings.max_state_bytes:
            raise Unhealthy(f"its state has {len(state)} bytes, more than {self._settings.max_state_bytes}")
        await self._guarded(new, "import_state", state)

    async def reconfigure(self, plugin: Plugin[Any], config: BaseModel) -> None:
        """Call the hook that takes a new configuration in, and give the plugin that configuration.

        Raises:
            ConfigurationError: A webhook handler finds it unusable; it keeps its old configuration.
            PluginMisconfigured: The hook raised or took too long; the plugin keeps its old configuration.
        """
        problems = await self._objections(plugin, config)
        if problems:
            raise ConfigurationError(problems)
        try:
            await self._call(plugin, "reconfigure", config, limit=self._settings.start_timeout_seconds)
        except Exception as error:
            raise PluginMisconfigured(
                f"The plugin {plugin.id!r} does not take the configuration: {reason_of(error)}"
            ) from error
        plugin.config = config

    async def stop(self, plugin: Plugin[Any]) -> str:
        """Ask the plugin to stop, and go on without it when it fails or hangs.

        Returns:
            What went wrong; empty when nothing did.
        """
        try:
            await self._call(plugin, "stop", limit=self._settings.stop_timeout_seconds)
        except Exception as error:
            return f"its stop failed and was forced: {reason_of(error)}"
        return ""

    async def _objections(self, plugin: Plugin[Any], config: BaseModel) -> tuple[Problem, ...]:
        if not isinstance(plugin, WebhookHandler):
            return ()
        try:
            found: object = await self._call(
                plugin, "validate_configuration", config, limit=self._settings.start_timeout_seconds
            )
        except Exception as error:
            return (Problem(f"it cannot be validated: {reason_of(error)}"),)
        return tuple(cast("Sequence[Problem]", found or ()))

    async def _guarded(self, plugin: Plugin[Any], hook: str, *args: object) -> Any:
        try:
            return await self._call(plugin, hook, *args, limit=self._settings.health_timeout_seconds)
        except Exception as error:
            raise Unhealthy(f"its {hook} failed: {reason_of(error)}") from error

    async def _call(self, plugin: Plugin[Any], hook: str, *args: object, limit: float) -> Any:
        return await call_hook(plugin, hook, *args, limit=limit, offload=self._offload)


def read_configuration(plugin_id: str, cls: type[Plugin[Any]], configuration: Mapping[str, Any]) -> BaseModel:
    """Read a plugin's configuration with its own model.

    Raises:
        PluginMisconfigured: It does not fit; every error is named with its path. Its cause is a `ConfigurationError`
            with the problems one by one.
    """
    try:
        return cls.Config.model_validate(configuration)
    except ValidationError as error:
        problems = misfits(error, cls.Config)
    except Exception as error:  # a plugin's own validators may raise anything
        problems = [Problem(f"its model failed: {reason_of(error)}")]
    raise _misfit(plugin_id, problems)


def _misfit(plugin_id: str, problems: Sequence[Problem]) -> PluginMisconfigured:
    listing = "; ".join(f"{problem.pointer or '/'}: {problem.message}" for problem in problems)
    error = PluginMisconfigured(f"The configuration of {plugin_id!r} does not fit: {listing}")
    error.__cause__ = ConfigurationError(problems)
    return error


def reason_of(error: BaseException) -> str:
    """Return in one line what went wrong."""
    if isinstance(error, HotplaneError | Unhealthy):
        return str(error)
    try:
        message = str(error)
    except Exception as broken:  # a plugin's exception may not even be printable
        message = f"<{type(broken).__name__} in __str__>"
    return f"{type(error).__name__}: {message}" if message else type(error).__name__
