"""A plugin that asks whatever its configuration says."""

from __future__ import annotations

from hotplane.errors import HotplaneError
from hotplane.plugins import Config, PluginContext, Sample, Sampler, SamplingContext
from hotplane.records import Execution, PluginMetadata

__all__ = ["ANSWERS", "Asker", "AskerConfig"]

ANSWERS: dict[str, str] = {}
"""What came of it, by plugin id: a status, or the code of an error."""


class AskerConfig(Config):
    """Where to."""

    url: str = ""


class Asker(Sampler[AskerConfig]):
    """Asks once, when it is started."""

    metadata = PluginMetadata(name="asker", version="1.0.0")

    async def start(self, context: PluginContext) -> None:
        """Send the request."""
        try:
            answer = await context.http.request("GET", self.config.url)
        except HotplaneError as error:
            ANSWERS[self.id] = error.code
        else:
            ANSWERS[self.id] = str(answer.status)

    def should_sample(self, execution: Execution, context: SamplingContext) -> Sample:
        """Sample nothing."""
        return Sample(sampled=False)
