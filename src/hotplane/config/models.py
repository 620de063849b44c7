"""The whole configuration, composed of the sections that the rooms own."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from hotplane.builtin.webhooks.admission import WebhooksSettings
from hotplane.config.plugins import PluginsSettings
from hotplane.config.section import Section
from hotplane.config.server import LogSettings, ServerSettings
from hotplane.config.tasks import FallbackSettings, TaskEntry
from hotplane.events.settings import EventsSettings
from hotplane.execution.batch.settings import BatchSettings
from hotplane.execution.settings import ValidationSettings
from hotplane.host.health_settings import HealthSettings
from hotplane.host.watchdog import WatchdogSettings
from hotplane.network.settings import NetworkSettings
from hotplane.programs import ProgramSettings
from hotplane.storage.settings import StorageSettings

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
