"""What a host has from its making to its end: threads, programs, its own runner, and the ways out of its plugins.

Imports `builtin`, `config`, `network`, `plugins`, `programs` and what lies below; `host` and `assembly` use it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any, cast

from pydantic import BaseModel

from hotplane.builtin.runners.local import LocalRunner
from hotplane.builtin.webhooks.admission import trespasses
from hotplane.config import HotplaneConfig
from hotplane.errors import Problem
from hotplane.execution import Plan
from hotplane.log import get_logger
from hotplane.network import OutboundClient, Outbounds
from hotplane.plugins import KeyValue, PluginContext
from hotplane.programs import DaemonThreads, Programs
from hotplane.records import now
from hotplane.registry import Turns
from hotplane.specs import written_configurations
from hotplane.version import __version__

__all__ = ["Resources", "SystemClock"]

_PLUGIN_THREADS = 8
_HERE = ("local",)


class SystemClock:
    """The time of this machine."""

    now = staticmethod(now)
    monotonic = staticmethod(time.monotonic)


class Resources:
    """Holds what does not depend on the store, so that it is there before the host starts.

    Args:
        config: The host's configuration.
    """

    def __init__(self, config: HotplaneConfig) -> None:
        self.log = get_logger()
        self.clock = SystemClock()
        limits = config.programs
        self.programs = Programs(
            limits,
            DaemonThreads(max_threads=limits.max_threads, max_stuck=limits.max_stuck, queue_limit=limits.queue_limit),
        )
        # Stuck programs must not keep plugins from being mended, so plugins have threads of their own.
        self.plugin_threads = DaemonThreads(
            max_threads=_PLUGIN_THREADS,
            max_stuck=limits.max_stuck,
            queue_limit=limits.queue_limit,
            name="hotplane-plugin",
        )
        self.turns = Turns(_PLUGIN_THREADS)
        self.local = LocalRunner()
        self.local.programs = self.programs
        self.outbounds = Outbounds(config.network)
        self._config = config
        # Of the threads for programs items of batches leave one in eight: a single call finds one at once.
        self._places = asyncio.Semaphore(max(1, limits.max_threads - max(1, limits.max_threads // 8)))
        # What operators wrote, in the file or in the program around this host, never what came by the API.
        self._written = written_configurations(config)

    def write(self, plugin_id: str, configuration: Mapping[str, object]) -> None:
        """Take note of what the program around this host wrote about a plugin."""
        self._written[plugin_id] = configuration

    @property
    def stuck_threads(self) -> int:
        """Threads that hang in programs and in plugins."""
        return self.programs.stuck_threads + self.plugin_threads.stuck

    def shortages(self) -> tuple[str, ...]:
        """Return what there is too little of for taking work."""
        limit = self._config.programs.max_stuck
        reasons: list[str] = []
        if self.programs.stuck_threads >= limit:
            reasons.append(f"{self.programs.stuck_threads} threads hang in programs that overran their deadline")
        if self.plugin_threads.stuck >= limit:
            reasons.append(f"{self.plugin_threads.stuck} threads hang in plugins that overran their limit")
        return tuple(reasons)

    def places_for(self, plan: Plan) -> asyncio.Semaphore | None:
        """Return where items of batches wait for a thread, so that their time begins when there is one.

        None for a program that runs on the loop, or that somebody else than this host may run.
        """
        if plan.route != _HERE:
            return None
        program = self.programs.loaded.get(plan.task.program)
        return None if program is not None and program.is_async else self._places

    def context(self, plugin_id: str, config: BaseModel, storage: KeyValue) -> PluginContext:
        """Return what a plugin is given when it starts."""
        return PluginContext(
            plugin_id=plugin_id,
            config=config,
            log=self.log.bind(plugin=plugin_id),
            clock=cast("Any", SystemClock),
            storage=storage,
            host_version=__version__,
            http=self._way_out(plugin_id),
        )

    async def check_server(self, plugin_id: str, host: str, port: int) -> None:
        """Refuse a server that a plugin may not speak to; see `OutboundClient.check`."""
        await self._way_out(plugin_id).check(host, port)

    def admit(self, plugin_id: str, config: BaseModel) -> tuple[Problem, ...]:
        """Return what a configuration may not say, because no operator wrote it."""
        return trespasses(config, self._written.get(plugin_id, {}), self._config.webhooks)

    async def close(self) -> None:
        """Let go of connections, and refuse further work in the threads; return at once, whatever hangs in them."""
        await self.outbounds.close()
        self.programs.close()
        self.plugin_threads.close()

    def _way_out(self, plugin_id: str) -> OutboundClient:
        return self.outbounds.for_plugin(plugin_id, self._written.get(plugin_id, {}))
