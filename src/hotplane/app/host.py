"""What an embedding program holds: a host, from its configuration to its end.

Imports `assembly`, `registering`, `resources`, and what lies below for its types.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from msgspec import UNSET, UnsetType

from hotplane.app.assembly import Assembly
from hotplane.app.registering import Registering
from hotplane.app.resources import Resources
from hotplane.config import HotplaneConfig, LoadedConfig, config_from_mapping, load_config
from hotplane.errors import HostNotStarted, HostStarted, ShuttingDown, Unavailable
from hotplane.execution.quality import QualityReport, report_quality
from hotplane.host import Manager, Oversight, PluginStatus, Refreshed, SystemStatus
from hotplane.host.health_report import summarize
from hotplane.log import get_logger
from hotplane.plugins import Plugin
from hotplane.programs import add_paths
from hotplane.records import Execution
from hotplane.registry import Registry
from hotplane.specs import route_of
from hotplane.storage import Store
from hotplane.values import Json
from hotplane.version import __version__

__all__ = ["Hotplane"]


class Hotplane(Registering):
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
        super().__init__(self.config, Resources(self.config))
        self._primary = route_of(self.config)[0]
        self._store: Store | None = None
        self._started_at = time.monotonic()
        self._begun = self._running = False
        self.registry = Registry(offload=self._resources.plugin_threads.call, turns=self._resources.turns)

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

    # --- life --------------------------------------------------------------------------------------------

    async def load(self, plugin: Plugin[Any] | type[Plugin[Any]], **options: Any) -> PluginStatus:
        """Register a plugin with a running host and start it; the options are those of `register`."""
        self.register(plugin, **options)
        spec = self._registered.pop()
        self.plugins.add(spec)
        return await self.plugins.start(spec.id)

    async def start(self) -> None:
        """Open the store, load the plugins, take the tasks in.

        Raises:
            ConfigurationError: A task or a plugin of the file cannot be used; every problem is named.
            StorageUnavailable, StorageCorrupt, StorageTooNew, MissingExtra: The store cannot be opened.
            PluginStartFailed: A plugin marked `required` did not start.
            PluginsUnreadable: What is installed, or lies in the plugin directories, could not be read in time.
            HostStarted: It was started before, whether it still runs or not; a start that failed does not count.
        """
        if self._begun:
            raise HostStarted
        self._begun = True
        try:
            await self._open()
        except BaseException:
            self._begun = False
            raise
        self._running = True
        self._started_at = time.monotonic()
        self._log.info("host.started", version=__version__, store=self.store.url, tasks=len(self.tasks.list()))

    async def _open(self) -> None:
        add_paths(self.config.programs.paths)
        self._store = await Store.open(self.config.storage)
        try:
            await self._assemble(self._store).start(self._registered)
        except BaseException:
            await self._resources.outbounds.close()
            await self._store.close()
            self._store = None
            raise

    def _assemble(self, store: Store) -> Assembly:
        parts = self._parts = Assembly(
            self._loaded, self._resources, registry=self.registry, store=store, deliveries=self._deliveries
        )
        self.plugins: Manager = parts.plugins
        self.oversight: Oversight = parts.plugging.oversight
        self.outbox = parts.outbox
        self.webhooks = parts.webhooks
        self.routes = parts.forwarding.routes
        self.tasks = parts.tasks
        self.batches = parts.batches
        self._pipeline = parts.pipeline
        return parts

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
        await self._parts.stop(grace)
        await self._resources.close()
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
            raise self._refusal()
        plan = self.tasks.plan(task_id)
        return await self._pipeline.execute(plan, input, expected=expected, id=id, sample=sample, minted=minted)

    async def reload_plugins(self) -> tuple[Refreshed, ...]:
        """Take in what is new in the plugin directories, and reload every plugin whose files have changed.

        Returns:
            What came of each plugin that is loaded from files; one that fails does not keep the others.
        """
        return await self._parts.plugging.refresh()

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
            HostNotStarted, ShuttingDown: The host is not running.
        """
        if self._store is None:
            raise self._refusal()
        return self._store

    def _refusal(self) -> Unavailable:
        return ShuttingDown() if self._begun else HostNotStarted()

    def readiness(self) -> tuple[str, ...]:
        """Return why the host is not ready for work; empty when it is."""
        stopped = () if self._running else ("the host is not running",)
        return (*stopped, *self._resources.shortages())

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
            "stuck_threads": self._resources.stuck_threads,
            "stuck_tasks": self._resources.programs.stuck_tasks,
            "plugins": dict(states),
            "tasks": len(self.tasks.list()),
            "deliveries_held": self.outbox.held,
            "store": {"url": self.store.url, "waiting": self.store.depth},
        }
