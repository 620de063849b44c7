"""Each plugin's way out of the host, and their common end. Imports only this room."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from hotplane.network.client import OutboundClient
from hotplane.network.guard import GuardedAddresses
from hotplane.network.lookup import Lookups
from hotplane.network.origins import origins_in
from hotplane.network.settings import NetworkSettings

__all__ = ["Outbounds"]


class Outbounds:
    """Gives every plugin a client of its own, because each may ask other servers. Belongs to one event loop.

    Args:
        settings: Whom plugins may ask, and their limits.
        lookups: Looks names up for all of them.
    """

    def __init__(self, settings: NetworkSettings, *, lookups: Lookups | None = None) -> None:
        self._settings = settings
        self._lookups = lookups or Lookups(
            timeout_seconds=settings.lookup_timeout_seconds, max_threads=settings.lookup_threads
        )
        self._clients: dict[str, tuple[frozenset[tuple[str, int]], OutboundClient]] = {}
        self._closing = set[asyncio.Task[None]]()

    def for_plugin(self, plugin_id: str, written: Mapping[str, object]) -> OutboundClient:
        """Return the client of a plugin; it opens connections when it is used, and is closed by `close` alone.

        All generations of a plugin share it. Where the operator names other servers than before, it is replaced.

        Args:
            plugin_id: The plugin.
            written: The configuration that the operator wrote for it, in the file or in the embedding program; never
                what came by the API. The servers that it names may be anywhere.
        """
        exact = origins_in(written)
        known = self._clients.get(plugin_id)
        if known is not None:
            if known[0] == exact:
                return known[1]
            self._close_soon(known[1])
        client = OutboundClient(
            GuardedAddresses(self._settings.networks, exact),
            self._settings.outbound(),
            lookups=self._lookups,
            proxy=self._settings.proxy,
        )
        self._clients[plugin_id] = exact, client
        return client

    def forget(self, plugin_id: str) -> None:
        """Close the client of a plugin that is gone."""
        known = self._clients.pop(plugin_id, None)
        if known is not None:
            self._close_soon(known[1])

    async def close(self) -> None:
        """Close every connection of every plugin; their further requests are refused."""
        clients, self._clients = self._clients, {}
        for _, client in clients.values():
            await client.close()
        if self._closing:
            await asyncio.wait(self._closing)

    def _close_soon(self, client: OutboundClient) -> None:
        task = asyncio.get_running_loop().create_task(client.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
