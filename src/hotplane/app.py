"""The composition root: builds a `Hotplane` from its configuration. The only file that knows every room."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, TypeVar, cast, overload

from msgspec import UNSET, UnsetType
from pydantic import BaseModel

from hotplane.builtin.runners.local import LocalRunner
from hotplane.builtin.webhooks.admission import trespasses
from hotplane.config import HotplaneConfig, LoadedConfig, config_from_mapping, load_config
from hotplane.errors import ConfigurationError, Problem, ShuttingDown
from hotplane.events import DeliverySettings, Happenings, Outbox
from hotplane.execution import ExecutionSettings, Pipeline, TaskTable
from hotplane.execution.batch import Batches, Judging
from hotplane.execution.quality import QualityReport, report_quality
from hotplane.forwarding import Forwarding
from hotplane.host import Manager, Oversight, PluginSpec, PluginStatus, Refreshed, SystemStatus
from hotplane.host.health_report import summarize
from hotplane.log import get_logger
from hotplane.network import OutboundClient, Outbounds
from hotplane.plugging import Plugging
from hotplane.plugins import Plugin, PluginContext
from hotplane.programs import DaemonThreads, Programs, add_paths
from hotplane.records import Execution, now
from hotplane.registry import Registry
from hotplane.specs import route_of, written_configurations
from hotplane.storage import Store
from hotplane.values import Json
from hotplane.version import __version__
from hotplane.webhooks import Webhooks

__all__ = ["Hotplane"]

C = TypeVar("C", bound="type[Plugin[Any]]")

_PLUGIN_THREADS = 8


class SystemClock:
    """The time of this machine."""

    now = staticmethod(now)
    monotonic = staticmethod(time.monotonic)


class Hotplane:
    """A host: holds plugins, runs tasks through them, and records what came of it.

    Use it as an asynchronous context manager, in one event loop::

        async with Hotplane.from_config("hotplane.yaml") as host:
            execution = await host.execute("spam-detector", {"text": "hello"})

    Args:
        loaded: The checked configuration.
    """

    def __init__(self, loaded: LoadedConfig | None = None) -> None:
        self._loaded = loaded or config_from_mapping({})
        self.config: HotplaneConfig = self._loaded.config
        self._log = get_logger()
        self._threads = DaemonThreads(
            max_threads=self.config.programs.max_threads,
            max_stuck=self.config.programs.max_stuck,
            queue_limit=self.config.programs.queue_limit,
        )
        self._programs = Programs(self.config.programs, self._threads)
        # Stuck programs must not keep plugins from being mended, so plugins have threads of their own.
        self._plugin_threads = DaemonThreads(
            max_threads=_PLUGIN_THREADS,
            max_stuck=self.config.programs.max_stuck,
            queue_limit=self.config.programs.queue_limit,
            name="hotplane-plugin",
        )
        self._local = LocalRunner()
        self._local.programs = self._programs
        self._primary = route_of(self.config)[0]
        self._store: Store | None = None
        self._registered: list[PluginSpec] = []
        self._deliveries: dict[str, DeliverySettings] = {
            entry.name: entry.delivery for _, entry in self.config.plugins.entries() if entry.delivery is not None
        }
        # What operators wrote, in the file or in the program around this host, never what came by the API.
        self._written = written_configurations(self.config)
        self._outbounds = Outbounds(self.config.network)
        self._started_at = time.monotonic()
        self._running = False
        self.registry = Registry(offload=self._plugin_threads.call)

    @classmethod
    def from_config(
        cls,
        source: str | Path | Mapping[str, object] | LoadedConfig | None = None,
        *,
        overrides: Mapping[str, Json] | None = None,
    ) -> Hotplane:
        """Build a host; nothing is started or imported yet.

        Args:
            source: A file, a mapping of the same shape, or a checked configuration; None looks for
                ``hotplane.yaml`` in the current directory and is content without.
            overrides: Values that win over the source, by dotted key, such as ``{"storage.url": "jobs.db"}``.

        Raises:
            ConfigurationError: Every problem, with file, line and pointer.
        """
        if isinstance(source, LoadedConfig):
            return cls(source)
        if isinstance(source, Mapping):
            return cls(config_from_mapping(source, overrides=overrides))
        return cls(load_config(source, overrides=overrides))

    # --- plugins by hand ---------------------------------------------------------------------------------

    def register(
        self,
        plugin: Plugin[Any] | type[Plugin[Any]],
        *,
        id: str | None = None,
        enabled: bool = True,
        priority: int | None = None,
        configuration: Mapping[str, Json] | None = None,
        required: bool = False,
        on_fail: Literal["record", "reject", "fix"] | None = None,
        delivery: DeliverySettings | None = None,
    ) -> None:
        """Have a plugin loaded when the host starts; for a running host see `load`.

        Args:
            plugin: A class, which the host instantiates with `configuration`, or an instance.
            id: Unique over all kinds; its type's name by default.
            enabled: Whether it is loaded and in its kind's chain.
            priority: Higher runs earlier; its class's own by default.
            configuration: For a class; an instance brings its own.
            required: Whether the host must not start without it.
            on_fail: What follows when it objects, if it is a validator; a record by default.
            delivery: How events are delivered to it, if it is a webhook handler; as configured for all by default.
        """
        cls, instance = (plugin, None) if isinstance(plugin, type) else (type(plugin), plugin)
        name = cls.metadata.name
        spec = PluginSpec(
            id=id or name,
            type=name,
            enabled=enabled,
            priority=priority,
            configuration=configuration or {},
            required=required,
            on_fail=on_fail,
            source="hand",
            cls=cls,
            instance=instance,
        )
        self._registered.append(spec)
        if delivery is not None:
            self._deliveries[spec.id] = delivery
        self._written[spec.id] = spec.configuration if instance is None else instance.config.model_dump()

    @overload
    def plugin(self, cls: C, /) -> C: ...
    @overload
    def plugin(
        self, /, *, id: str | None = None, priority: int | None = None, configuration: Mapping[str, Json] | None = None
    ) -> Callable[[C], C]: ...
    def plugin(
        self,
        cls: C | None = None,
        /,
        *,
        id: str | None = None,
        priority: int | None = None,
        configuration: Mapping[str, Json] | None = None,
    ) -> C | Callable[[C], C]:
        """Register the class below: ``@host.plugin`` or ``@host.plugin(priority=5)``."""

        def decorate(decorated: C) -> C:
            self.register(decorated, id=id, priority=priority, configuration=configuration)
            return decorated

        return decorate if cls is None else decorate(cls)

    async def load(self, plugin: Plugin[Any] | type[Plugin[Any]], **options: Any) -> PluginStatus:
        """Register a plugin with a running host and start it; the options are those of `register`."""
        self.register(plugin, **options)
        spec = self._registered.pop()
        self.plugins.add(spec)
        return await self.plugins.start(spec.id)

    # --- life --------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Open the store, load the plugins, take the tasks in.

        Raises:
            ConfigurationError: A task or a plugin of the file cannot be used; every problem is named.
            StorageUnavailable, StorageCorrupt, StorageTooNew, MissingExtra: The store cannot be opened.
            PluginStartFailed: A plugin marked `required` did not start.
        """
        add_paths(self.config.programs.paths)
        self._store = await Store.open(self.config.storage)
        try:
            await self._assemble(self._store)
        except BaseException:
            await self._outbounds.close()
            await self._store.close()
            self._store = None
            raise
        self._running = True
        self._started_at = time.monotonic()
        self._log.info("host.started", version=__version__, store=self.store.url, tasks=len(self.tasks.list()))

    async def _assemble(self, store: Store) -> None:
        self._happenings = Happenings(store, self._describe, self._log)
        self._plugging = Plugging(
            self.config,
            str(self._loaded.file or "the configuration"),
            store=store,
            registry=self.registry,
            make_context=self._context,
            offload=self._plugin_threads.call,
            clock=SystemClock(),
            log=self._log,
            on_news=self._happenings.on_plugin,
            admit=self._admit,
        )
        self.plugins: Manager = self._plugging.manager
        self.oversight: Oversight = self._plugging.oversight
        self.outbox = Outbox(
            store=store,
            table=self.plugins,
            registry=self.registry,
            settings=self.config.events,
            own=self._deliveries,
            clock=SystemClock(),
            log=self._log,
        )
        forwarding = Forwarding(
            self.config,
            registry=self.registry,
            plugins=self.plugins.list,
            local=self._local,
            offload=self._plugin_threads.call,
            log=self._log,
            on_change=self._happenings.on_fallback,
        )
        self.webhooks = Webhooks(
            manager=self.plugins,
            outbox=self.outbox,
            store=store,
            check_server=self._check_server,
            forget=self._outbounds.forget,
            own=self._deliveries,
            log=self._log,
        )
        self.routes = forwarding.routes
        self.tasks = TaskTable(
            default_route=forwarding.default,
            check_program=forwarding.check_program,
            check_route=forwarding.check_route,
            store=store,
            file=str(self._loaded.file or "the configuration"),
        )
        self._pipeline = Pipeline(
            registry=self.registry,
            routes=self.routes,
            store=store,
            settings=ExecutionSettings(max_in_flight=self.config.server.max_in_flight),
            validation=self.config.validation,
        )
        self.batches = Batches(
            store=store,
            pipeline=self._pipeline,
            plan=self.tasks.plan,
            judging=Judging(self.registry, self.config.validation),
            settings=self.config.batches,
        )
        try:
            await self._plugging.start(self._local, self._registered, await self.webhooks.restore())
            self.webhooks.settle()
            await self._take_tasks_in(store)
            await self.batches.start()
        except BaseException:
            await self._plugging.stop()
            await self._happenings.stop(1.0)
            raise
        self.outbox.start()

    async def _take_tasks_in(self, store: Store) -> None:
        declared = [entry.to_task() for entry in self.config.tasks]
        problems = await self.tasks.declare(declared)
        if problems:
            raise ConfigurationError([self._loaded.problem(each.message, each.pointer) for each in problems])
        await self.tasks.restore(await store.list_tasks())

    async def stop(self, grace: float | None = None) -> None:
        """Take no more work, wait for what runs, then interrupt and record it; unload the plugins, close the store.

        Args:
            grace: Seconds to wait for what runs; the configured ones by default.
        """
        if not self._running:
            return
        self._running = False
        grace = self.config.server.shutdown_grace_seconds if grace is None else grace
        ends_at = time.monotonic() + grace
        self.batches.halt()
        await self._pipeline.close(grace)
        await self.batches.close()
        await self.outbox.stop(max(0.1, ends_at - time.monotonic()))
        await self._plugging.stop()
        await self._happenings.stop(1.0)
        await self._outbounds.close()
        self._programs.close()
        self._plugin_threads.close()
        await self.store.close(max(1.0, ends_at - time.monotonic()))
        self._log.info("host.stopped", executions=sum(self._pipeline.counts.values()))

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()

    # --- work --------------------------------------------------------------------------------------------

    async def execute(
        self,
        task_id: str,
        input: Json,
        *,
        expected: Json | UnsetType = UNSET,
        id: str | None = None,
        sample: bool = False,
        minted: bool = False,
    ) -> Execution:
        """Execute a task once; the record is stored before this returns.

        Args:
            task_id: The task.
            input: Its input, in the JSON data model.
            expected: What the output should be, where known; validators compare.
            id: The caller's id for the execution; minted by default.
            sample: Whether it is sampled, and so judged, whatever the samplers say; estimates do not count it for that.
            minted: Whether `id` was minted with `new_id` for this very call, to be known beforehand.

        Returns:
            The record. A program that raised, returned something that is not JSON, or overran the deadline is a
            record with another status than ``success``, not an exception.

        Raises:
            UnknownTask: There is no such task.
            InputRejected: The input does not fit the task's schema; that is recorded, too.
            OutputRejected: A validator with ``on_fail: reject`` refused the output; the record has it.
            NotJson, InvalidId: The request cannot be recorded.
            Unavailable: Overloaded, shutting down, too many stuck threads, or a store that is too slow.
            StorageError: The store failed, for example because the disk is full.
        """
        if not self._running:
            raise ShuttingDown
        plan = self.tasks.plan(task_id)
        return await self._pipeline.execute(plan, input, expected=expected, id=id, sample=sample, minted=minted)

    async def reload_plugins(self) -> tuple[Refreshed, ...]:
        """Take in what is new in the plugin directories, and reload every plugin whose files have changed.

        Returns:
            What came of each plugin that is loaded from files; one that fails does not keep the others.
        """
        return await self._plugging.refresh()

    # --- looking -----------------------------------------------------------------------------------------

    async def quality(
        self,
        task_id: str,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        bucket: timedelta | None = None,
        confidence: float = 0.95,
    ) -> QualityReport:
        """Estimate how many of a task's executions are wrong, from those that its designated sampler picked.

        Args:
            task_id: The task.
            since: Aware; executions that started at or after this instant; None for all.
            until: Aware; executions that started before this instant; None for all.
            bucket: Report stretches of this length, too; at most 500.
            confidence: Share of intervals that hold the true rate.

        Raises:
            UnknownTask: There is no such task.
            Invalid: The range ends before it begins, has too many buckets, or the confidence is no share.
        """
        self.tasks.get(task_id)
        counts = await self.store.count_quality(task_id, since, until, bucket=bucket)
        return report_quality(task_id, counts, since=since, until=until, bucket=bucket, confidence=confidence)

    @property
    def store(self) -> Store:
        """The open store.

        Raises:
            ShuttingDown: The host is not running.
        """
        if self._store is None:
            raise ShuttingDown
        return self._store

    def readiness(self) -> tuple[str, ...]:
        """Return why the host is not ready for work; empty when it is."""
        reasons: list[str] = []
        if not self._running:
            reasons.append("the host is not running")
        if self._programs.stuck_threads >= self.config.programs.max_stuck:
            reasons.append(f"{self._programs.stuck_threads} threads hang in programs that overran their deadline")
        if self._plugin_threads.stuck >= self.config.programs.max_stuck:
            reasons.append(f"{self._plugin_threads.stuck} threads hang in plugins that overran their limit")
        return tuple(reasons)

    def primary_available(self) -> bool:
        """Tell whether the first runner of the default route is active, enabled and not unhealthy."""
        primary = self._primary
        entries = self.registry.entries() if self._running else ()
        serves = any(entry.id == primary and entry.enabled and entry.active for entry in entries)
        return serves and self.oversight.is_healthy(primary)

    def status(self) -> SystemStatus:
        """Return how the whole is, at a glance; it may be asked before the start and after the stop, too."""
        return SystemStatus(
            version=__version__,
            running=self._running,
            reasons=self.readiness(),
            primary=self._primary,
            primary_available=self.primary_available(),
            plugins=self.plugins.list() if self._running else (),
            health=self.oversight.health.summary() if self._running else summarize(()),
        )

    def stats(self) -> dict[str, Json]:
        """Return what the host has done since it was started, and what it is doing."""
        states = Counter(str(status.state) for status in self.plugins.list())
        return {
            "version": __version__,
            "uptime_seconds": time.monotonic() - self._started_at,
            "executions": {str(status): count for status, count in self._pipeline.counts.items()},
            "in_flight": self._pipeline.in_flight,
            "stuck_threads": self._programs.stuck_threads + self._plugin_threads.stuck,
            "stuck_tasks": self._programs.stuck_tasks,
            "plugins": dict(states),
            "tasks": len(self.tasks.list()),
            "deliveries_held": self.outbox.held,
            "store": {"url": self.store.url, "waiting": self.store.depth},
        }

    def _way_out(self, plugin_id: str) -> OutboundClient:
        return self._outbounds.for_plugin(plugin_id, self._written.get(plugin_id, {}))

    async def _check_server(self, plugin_id: str, host: str, port: int) -> None:
        await self._way_out(plugin_id).check(host, port)

    def _admit(self, plugin_id: str, config: BaseModel) -> tuple[Problem, ...]:
        return trespasses(config, self._written.get(plugin_id, {}), self.config.webhooks)

    def _describe(self, plugin_id: str) -> PluginStatus:
        return self.plugins.get(plugin_id)

    # --- what the rooms are given ------------------------------------------------------------------------

    def _context(self, plugin_id: str, config: BaseModel) -> PluginContext:
        return PluginContext(
            plugin_id=plugin_id,
            config=config,
            log=self._log.bind(plugin=plugin_id),
            clock=cast("Any", SystemClock),
            storage=self.store.key_value(plugin_id),
            host_version=__version__,
            http=self._way_out(plugin_id),
        )
