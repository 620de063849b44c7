"""The whole configuration, composed of the sections that the rooms own."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, ValidationError, model_validator

from hotplane.builtin.webhooks.admission import WebhooksSettings
from hotplane.config.plugins import PluginsSettings
from hotplane.config.section import Section, wrong
from hotplane.config.server import LogSettings, ServerSettings
from hotplane.config.tasks import FallbackSettings, TaskEntry
from hotplane.events.settings import EventsSettings
from hotplane.execution.batch.settings import BatchSettings
from hotplane.execution.settings import ValidationSettings
from hotplane.host.health_settings import HealthSettings
from hotplane.host.watchdog import WatchdogSettings
from hotplane.network.settings import NetworkSettings
from hotplane.programs import ProgramSettings
from hotplane.routing import RunnerBreakerSettings
from hotplane.storage.settings import StorageSettings
from hotplane.values import pointer

__all__ = ["HotplaneConfig"]


class HotplaneConfig(Section):
    """Everything that an operator may set; all of it has defaults."""

    server: ServerSettings = ServerSettings()
    storage: StorageSettings = StorageSettings()
    programs: ProgramSettings = ProgramSettings()
    plugins: PluginsSettings = PluginsSettings()
    health: HealthSettings = HealthSettings()
    watchdog: WatchdogSettings = WatchdogSettings()
    network: NetworkSettings = NetworkSettings()
    fallback: FallbackSettings = FallbackSettings()
    events: EventsSettings = EventsSettings()
    webhooks: WebhooksSettings = WebhooksSettings()
    validation: ValidationSettings = ValidationSettings()
    batches: BatchSettings = BatchSettings()
    tasks: Annotated[tuple[TaskEntry, ...], Field(max_length=10_000)] = ()
    """The tasks: a list of mappings, or a mapping of ids."""
    log: LogSettings = LogSettings()

    def breakers(self) -> dict[str, RunnerBreakerSettings]:
        """Return the settings of the breakers of runners that have some of their own, by id."""
        common = self.fallback.breaker
        return {each.name: each.breaker.over(common) for _, each in self.plugins.entries() if each.breaker is not None}

    @model_validator(mode="after")
    def _breakers_can_open(self) -> Self:
        _check_breaker(self.fallback.breaker, pointer("fallback", "breaker"))
        own = self.breakers()
        for place, entry in self.plugins.entries():
            if entry.breaker is not None:
                _check_breaker(own[entry.name], f"{place}/breaker")
        return self


def _check_breaker(breaker: RunnerBreakerSettings, place: str) -> None:
    try:
        breaker.settings()
    except ValidationError as error:
        raise wrong(error.errors()[0]["msg"].removeprefix("Value error, "), place) from None
