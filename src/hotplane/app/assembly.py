"""The rooms of a running host, wired to each other: made when it starts, ended when it stops.

Imports every room below; `host` alone uses it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from pydantic import BaseModel

from hotplane.app.resources import Resources
from hotplane.config import LoadedConfig
from hotplane.errors import ConfigurationError
from hotplane.events import DeliverySettings, Happenings, Outbox
from hotplane.execution import ExecutionSettings, Pipeline, TaskTable
from hotplane.execution.batch import Batches, Judging
from hotplane.forwarding import Forwarding
from hotplane.host import PluginSpec, PluginStatus
from hotplane.plugging import Plugging
from hotplane.plugins import PluginContext
from hotplane.registry import Registry
from hotplane.storage import Store
from hotplane.webhooks import Webhooks

__all__ = ["Assembly"]

_LAST_SECONDS = 1.0
"""What telling the rest may take at the end."""


class Assembly:
    """What a host consists of while it runs. Nothing happens before `start`.

    Args:
        loaded: The checked configuration.
        resources: What the host had before.
        registry: Where active plugins are plugged in.
        store: Open.
        deliveries: How events are delivered to single handlers, by id.
    """

    def __init__(
        self,
        loaded: LoadedConfig,
        resources: Resources,
        *,
        registry: Registry,
        store: Store,
        deliveries: Mapping[str, DeliverySettings],
    ) -> None:
        self._loaded = loaded
        self._config = loaded.config
        self._file = str(loaded.file or "the configuration")
        self._resources = resources
        self._registry = registry
        self._store = store
        self.happenings = Happenings(store, self._describe, resources.log)
        self.plugging = self._plug()
        self.plugins = self.plugging.manager
        self.outbox, self.webhooks = self._tell(deliveries)
        self.forwarding = self._forward()
        self.tasks = TaskTable(
            default_route=self.forwarding.default,
            check_program=self.forwarding.check_program,
            check_route=self.forwarding.check_route,
            store=store,
            file=self._file,
        )
        self.pipeline, self.batches = self._execute()

    async def start(self, registered: Sequence[PluginSpec]) -> None:
        """Load the plugins, take the tasks in, and go on with what was under way.

        Args:
            registered: The plugins that the embedding program gave.

        Raises:
            ConfigurationError: A task of the file cannot be used; every problem is named.
            PluginStartFailed: A plugin marked `required` did not start.
            PluginsUnreadable: What is installed, or lies in the plugin directories, could not be read in time.
        """
        try:
            await self.plugging.start(self._resources.local, registered, await self.webhooks.restore())
            self.webhooks.settle()
            await self._take_tasks_in()
            await self.batches.start()
        except BaseException:
            await self._unplug()
            raise
        self.outbox.start()

    async def stop(self, grace: float) -> None:
        """Take no more work, wait for what runs, then interrupt and record it; unload the plugins.

        Args:
            grace: Seconds to wait for what runs.
        """
        ends_at = time.monotonic() + grace
        self.batches.halt()
        await self.pipeline.close(grace)
        await self.batches.close()
        await self.outbox.stop(max(0.1, ends_at - time.monotonic()))
        await self._unplug()

    async def _unplug(self) -> None:
        await self.plugging.stop()
        await self.happenings.stop(_LAST_SECONDS)

    async def _take_tasks_in(self) -> None:
        problems = await self.tasks.declare([entry.to_task() for entry in self._config.tasks])
        if problems:
            raise ConfigurationError([self._loaded.problem(each.message, each.pointer) for each in problems])
        await self.tasks.restore(await self._store.list_tasks())

    def _plug(self) -> Plugging:
        return Plugging(
            self._config,
            self._file,
            store=self._store,
            registry=self._registry,
            make_context=self._context,
            offload=self._resources.plugin_threads.call,
            clock=self._resources.clock,
            log=self._resources.log,
            on_news=self.happenings.on_plugin,
            admit=self._resources.admit,
        )

    def _tell(self, deliveries: Mapping[str, DeliverySettings]) -> tuple[Outbox, Webhooks]:
        outbox = Outbox(
            store=self._store,
            table=self.plugins,
            registry=self._registry,
            settings=self._config.events,
            own=deliveries,
            clock=self._resources.clock,
            log=self._resources.log,
        )
        webhooks = Webhooks(
            manager=self.plugins,
            outbox=outbox,
            store=self._store,
            check_server=self._resources.check_server,
            forget=self._resources.outbounds.forget,
            own=deliveries,
            log=self._resources.log,
        )
        return outbox, webhooks

    def _forward(self) -> Forwarding:
        return Forwarding(
            self._config,
            registry=self._registry,
            plugins=self.plugins.list,
            local=self._resources.local,
            offload=self._resources.plugin_threads.call,
            log=self._resources.log,
            on_change=self.happenings.on_fallback,
        )

    def _execute(self) -> tuple[Pipeline, Batches]:
        pipeline = Pipeline(
            registry=self._registry,
            routes=self.forwarding.routes,
            store=self._store,
            settings=ExecutionSettings(max_in_flight=self._config.server.max_in_flight),
            validation=self._config.validation,
        )
        batches = Batches(
            store=self._store,
            pipeline=pipeline,
            plan=self.tasks.plan,
            judging=Judging(self._registry, self._config.validation),
            settings=self._config.batches,
            places=self._resources.places_for,
        )
        return pipeline, batches

    def _context(self, plugin_id: str, config: BaseModel) -> PluginContext:
        return self._resources.context(plugin_id, config, self._store.key_value(plugin_id))

    def _describe(self, plugin_id: str) -> PluginStatus:
        return self.plugins.get(plugin_id)
