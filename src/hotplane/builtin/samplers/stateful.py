"""The base of the samplers that ship and need a clock, or have something to remember. Imports only `plugins` and below.

What is remembered is handed on at a reload and stored when the sampler is stopped, so that a restart in order keeps it;
a host that is killed loses what came after its last start. The hooks are async so that they run on the loop, where
nothing changes meanwhile.
"""

from __future__ import annotations

import msgspec

from hotplane.plugins import Clock, KeyValue, PluginContext, Sampler
from hotplane.plugins.base import ConfigT
from hotplane.values import Json

__all__ = ["StatefulSampler"]

_KEY = "state"


class StatefulSampler(Sampler[ConfigT]):
    """A sampler with a clock, and perhaps with a memory: `snapshot` and `restore` say what it is."""

    clock: Clock
    """The host's; set before the first execution."""
    _storage: KeyValue | None = None
    """None until it was started: who never started, or was cancelled at it, has nothing to store."""

    def snapshot(self) -> Json:
        """Return what to remember; None for nothing."""
        return None

    def restore(self, kept: Json) -> None:
        """Go on from what `snapshot` returned, perhaps under another configuration.

        Raises:
            msgspec.ValidationError: Another version wrote it.
        """

    def begin(self, clock: Clock) -> None:
        """Take the clock in."""
        self.clock = clock

    async def start(self, context: PluginContext) -> None:
        """Go on from what was stored at the last stop."""
        self.begin(context.clock)
        kept = await context.storage.get(_KEY)
        # Not before it was read: a start that is cancelled meanwhile must not have its stop store an empty memory.
        self._storage = context.storage
        if kept is None:
            return
        try:
            self.restore(kept)
        except msgspec.ValidationError as error:
            context.log.warning("sampler.state.unreadable", reason=str(error))

    async def stop(self) -> None:
        """Store what is to be remembered."""
        if self._storage is None:
            return
        kept = self.snapshot()
        if kept is not None:
            await self._storage.set(_KEY, kept)

    async def export_state(self) -> bytes | None:
        """Return what the next generation goes on from."""
        kept = self.snapshot()
        return None if kept is None else msgspec.json.encode(kept)

    async def import_state(self, state: bytes) -> None:
        """Go on from the generation before."""
        self.restore(msgspec.json.decode(state))
