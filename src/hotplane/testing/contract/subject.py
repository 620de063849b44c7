"""The plugin under the contract: made, started and called as a host does it.

Imports `errors`, `host`'s way of calling hooks, `programs`' threads, and this room.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from inspect import iscoroutinefunction
from typing import Any, TypeAlias

from pydantic import BaseModel

from hotplane.errors import PluginTimeout
from hotplane.host.hooks import call_hook
from hotplane.plugins import Plugin, kind_of
from hotplane.programs import DaemonThreads
from hotplane.records import Execution
from hotplane.registry.driving import LimitExceededError, within
from hotplane.testing.broken import ContractBroken
from hotplane.testing.context import make_context
from hotplane.testing.outbound import FakeOutbound
from hotplane.values import Json

__all__ = ["LIMIT_SECONDS", "Arguments", "Make", "Subject"]

LIMIT_SECONDS = 5.0
"""For one call of a hook or a method: what a host gives by default."""

Arguments: TypeAlias = tuple[object, ...]
Make: TypeAlias = Callable[[Any], Plugin[Any]]
"""Makes an instance of a configuration, which is already read by the plugin's model."""


class Subject:
    """One plugin class with one configuration.

    Args:
        cls: The class.
        configuration: As it would be written in a file.
        given: Whether the author gave the configuration; the contract took the defaults otherwise.
        make: Makes an instance; as a host does by default.
        executions: What validators and samplers are asked about beside the contract's own.
        calls: What the method of a kind of the author's own is called with.
        network: Whether it may use the network, which is a fake.
    """

    def __init__(
        self,
        cls: type[Plugin[Any]],
        configuration: Mapping[str, Json],
        *,
        given: bool = True,
        make: Make | None = None,
        executions: Sequence[Execution] = (),
        calls: Sequence[Arguments] = (),
        network: bool = True,
    ) -> None:
        self.cls = cls
        self.configuration = configuration
        self.given = given
        self.executions = tuple(executions)
        self.calls = tuple(calls)
        self.http = FakeOutbound()
        self._network = network
        self._make = make
        self._threads = DaemonThreads(max_threads=4, name="hotplane-contract")

    def config(self) -> BaseModel:
        """Return the configuration, read by the plugin's model."""
        return self.cls.Config.model_validate(dict(self.configuration))

    async def instance(self) -> Plugin[Any]:
        """Return a new instance that is not started; its constructor runs beside the event loop, as in a host.

        Raises:
            PluginTimeout: The limit passed.
            BaseException: Whatever the constructor raised.
        """
        config = self.config()
        if self._make is not None:
            plugin = self._make(config)
        else:
            plugin = self.cls.__new__(self.cls)
            plugin.id, plugin.config = self.cls.metadata.name, config
            try:
                await self._threads.call(partial(type(plugin).__init__, plugin), timeout=LIMIT_SECONDS)
            except TimeoutError:
                raise PluginTimeout(plugin.id, "__init__", LIMIT_SECONDS) from None
        plugin.id = plugin.id or self.cls.metadata.name
        return plugin

    async def start(self, plugin: Plugin[Any]) -> None:
        """Start an instance with a context of its own."""
        context = make_context(plugin, http=self.http, network=self._network)
        await self.hook(plugin, "start", context)

    async def hook(self, plugin: Plugin[Any], hook: str, *args: object) -> Any:
        """Call a hook as a host does, within the limit; None where there is no such hook.

        Raises:
            PluginTimeout: The limit passed.
            BaseException: Whatever the hook raised.
        """
        return await call_hook(plugin, hook, *args, limit=LIMIT_SECONDS, offload=self._threads.call)

    async def call(self, plugin: Plugin[Any], *args: object) -> Any:
        """Call the kind's method as a host does, within the limit.

        Raises:
            ContractBroken: The limit passed.
            BaseException: Whatever the method raised.
        """
        name = kind_of(self.cls).method
        method: Callable[..., Any] = getattr(plugin, name)
        try:
            if plugin.blocking and not iscoroutinefunction(method):
                result = await self._threads.call(method, *args, timeout=LIMIT_SECONDS)
            else:
                result = method(*args)
            return await within(LIMIT_SECONDS, result) if hasattr(result, "__await__") else result
        except LimitExceededError:
            raise ContractBroken(f"`{name}` took longer than {LIMIT_SECONDS:g} s") from None

    @asynccontextmanager
    async def started(self) -> AsyncGenerator[Plugin[Any]]:
        """Give an instance that is started, and stop it afterwards."""
        plugin = await self.instance()
        await self.start(plugin)
        try:
            yield plugin
        finally:
            await self.hook(plugin, "stop")

    def has(self, hook: str) -> bool:
        """Tell whether the plugin has a hook."""
        return callable(getattr(self.cls, hook, None))

    def close(self) -> None:
        """Let the threads go."""
        self._threads.close()
