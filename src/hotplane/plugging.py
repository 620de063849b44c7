"""A host's plugins as a whole: found, taken in, started, followed, and ended. What `app` has of them.

Imports `config`, `specs`, `host`, `registry` and what plugins are given; `app` alone uses it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from pydantic import BaseModel

from hotplane.config import HotplaneConfig
from hotplane.errors import HotplaneError, PluginsUnreadable
from hotplane.host import (
    Doors,
    Manager,
    Overrides,
    Oversight,
    PluginNews,
    PluginSpec,
    Refreshed,
    Reload,
    Transition,
)
from hotplane.host.directories import Directories
from hotplane.host.distributions import Inventory, inventory, restart_reasons
from hotplane.host.instances import Admit
from hotplane.host.refresh import RefreshOutcome, refresh
from hotplane.host.survey import INSTALLED, survey
from hotplane.plugins import Clock, Logger, Plugin, PluginContext
from hotplane.registry import Offload, Registry
from hotplane.specs import FOUND, TypeFinder, host_settings, local_spec, scan, specs_of
from hotplane.values import Json
from hotplane.version import __version__

__all__ = ["KeptOverrides", "Plugging"]


class KeptOverrides(Overrides, Protocol):
    """The store, as far as plugins are concerned."""

    async def overrides(self) -> dict[str, dict[str, Json]]:
        """Return what is overridden, by plugin id and field."""
        ...


class Plugging:
    """Brings a host's plugins up and down.

    Args:
        config: The host's configuration.
        file: Where it was written, for messages.
        store: What operators changed.
        registry: Where active plugins are plugged in.
        make_context: Makes a plugin's context.
        offload: Runs imports, sync hooks and scans.
        clock: Of restarts.
        log: Told of every step.
        on_news: Told of every step, too.
        admit: What configurations may not say.
    """

    def __init__(
        self,
        config: HotplaneConfig,
        file: str,
        *,
        store: KeptOverrides,
        registry: Registry,
        make_context: Callable[[str, BaseModel], PluginContext],
        offload: Offload,
        clock: Clock,
        log: Logger,
        on_news: Callable[[PluginNews], None],
        admit: Admit,
    ) -> None:
        self._on_news = on_news
        self._config = config
        self._file = file
        self._store = store
        self._log = log
        self._offload = offload
        self._installed = Inventory((), ())
        self._types = TypeFinder(config.plugins.paths)
        doors = Doors([Path(directory) for directory in config.plugins.directories], config.plugins.paths)
        self.manager = Manager(
            registry,
            find_type=self._types.find,
            make_context=make_context,
            overrides=store,
            offload=offload,
            settings=host_settings(config.plugins),
            host_version=__version__,
            clock=clock,
            restart=config.plugins.restart,
            doors=doors,
            on_news=self._tell,
            admit=admit,
        )
        self.oversight = Oversight(
            registry, self.manager, health=config.health, watchdog=config.watchdog, clock=clock, offload=offload
        )
        self._directories = Directories(
            self.manager,
            doors.directories,
            scan=partial(scan, config),
            overrides=store.overrides,
            offload=offload,
            log=log,
        )

    async def start(
        self, local: Plugin[Any], registered: Iterable[PluginSpec], made: Iterable[PluginSpec] = ()
    ) -> None:
        """Take everything in and start what is wanted.

        Args:
            local: The host's own runner, which is there whatever the configuration says.
            registered: What the embedding program gave.
            made: What the API made, in earlier lives of the host, too.

        Raises:
            PluginStartFailed: A plugin marked `required` did not start.
            PluginsUnreadable: What is installed, or lies in the directories, could not be read in time.
        """
        self._installed = await survey(inventory, INSTALLED, offload=self._offload)
        overrides = await self._store.overrides()
        self.manager.add(local_spec(local), overrides.get("local"))
        if self._config.plugins.enabled:
            await self._take_in(registered, overrides)
            self._take_back(made, overrides)
        await self.manager.start_all()
        self.oversight.start()
        settings = self._config.plugins
        if settings.enabled and settings.directories and settings.watch:
            self._directories.watch(polling=settings.watch == "polling", debounce_ms=settings.watch_debounce_ms)

    async def stop(self) -> None:
        """Follow the directories no more, and unload everything."""
        await self._directories.stop()
        await self.oversight.stop()
        await self.manager.stop_all()

    async def refresh(self) -> tuple[Refreshed, ...]:
        """Look at every directory again, and reload every plugin whose files have changed.

        Returns:
            What came of each plugin that is loaded from files.
        """
        refreshed = await refresh(self.manager, self._directories if self._config.plugins.enabled else None)
        return (*refreshed, *await self._outdated())

    async def _outdated(self) -> list[Refreshed]:
        """Return the plugins whose installed distribution is not the one that was imported."""
        try:
            now = await survey(inventory, INSTALLED, offload=self._offload)
        except PluginsUnreadable as error:  # the reloads are done, and worth telling of
            self._log.warning("plugins.installed", message=str(error))
            return []
        reasons = restart_reasons(self._installed, now)
        outdated: list[Refreshed] = []
        for status in self.manager.list():
            reason = reasons.get((status.origin.distribution or "").rpartition(" ")[0])
            if reason is not None:
                self._log.warning("plugin.needs-restart", plugin=status.id, reason=reason)
                outdated.append(
                    Refreshed(
                        plugin_id=status.id,
                        outcome=RefreshOutcome.NEEDS_RESTART,
                        reason=reason,
                        generation=status.generation,
                        version=status.version,
                    )
                )
        return outdated

    async def _take_in(self, registered: Iterable[PluginSpec], overrides: Mapping[str, Mapping[str, Json]]) -> None:
        discovery = await self._directories.look()
        self._types.learn(discovery)
        specs = list(specs_of(self._config, discovery, self._file))
        for spec in (*(each for each in specs if each.source not in FOUND), *registered):
            self.manager.add(spec, overrides.get(spec.id))
        for spec in specs:
            if spec.source in FOUND:  # one bad file keeps nothing else from starting
                self._directories.take(spec, overrides.get(spec.id))

    def _take_back(self, made: Iterable[PluginSpec], overrides: Mapping[str, Mapping[str, Json]]) -> None:
        for spec in made:
            try:
                self.manager.add(spec, overrides.get(spec.id))
            except HotplaneError as error:  # the file, or a plugin that came since, has its name now
                self._log.error("plugin.not-restored", plugin=spec.id, why=str(error))

    def _tell(self, news: PluginNews) -> None:
        self._on_news(news)
        self.oversight.metrics.observe()  # what serves for less than the time between two scrapes counts, too
        if isinstance(news, Reload):
            self._tell_reload(news)
        elif isinstance(news, Transition):
            self._tell_step(news)

    def _tell_step(self, step: Transition) -> None:
        level = self._log.warning if step.after == "failed" else self._log.info
        level("plugin." + step.after, plugin=step.plugin_id, before=str(step.before), reason=step.reason or None)

    def _tell_reload(self, reload: Reload) -> None:
        level = self._log.warning if reload.outcome == "failed" or reload.abandoned else self._log.info
        level(
            f"plugin.reload-{reload.outcome}",
            plugin=reload.plugin_id,
            generation=reload.generation,
            version=reload.version,
            trigger=reload.trigger,
            duration_ms=round(reload.duration_ms, 1),
            reason=reload.reason or None,
            abandoned=reload.abandoned or None,
        )
