"""Accepting TLS clients so that each counts from its first moment. Imports only `link`.

An event loop that listens with a TLS context tells nobody of a connection before its TLS handshake is done, so that
connections which never begin one could be neither limited nor logged. So the sockets are accepted here.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable

from hotplane.log import get_logger
from hotplane.valkyrie.link import Link

__all__ = ["TlsAcceptor"]

_log = get_logger(room="valkyrie")
_PAUSE_SECONDS = 0.2
"""How long to wait when the system has no more file descriptors, or memory, for another connection."""


class TlsAcceptor:
    """Accepts the connections of one listening socket; closed like an event loop's server."""

    def __init__(
        self, listening: socket.socket, make_link: Callable[[], Link], context: ssl.SSLContext, timeout_seconds: float
    ) -> None:
        self._listening = listening
        self._make_link = make_link
        self._context = context
        self._timeout = timeout_seconds
        self._loop = asyncio.get_running_loop()
        self._upgrades: set[asyncio.Task[None]] = set()
        listening.setblocking(False)
        self._accepting = self._loop.create_task(self._accept())

    def close(self) -> None:
        """Accept no more; handshakes that have begun go on."""
        self._accepting.cancel()

    async def _accept(self) -> None:
        with self._listening:
            while True:
                try:
                    connected, address = await self._loop.sock_accept(self._listening)
                except OSError as error:
                    _log.warning("valkyrie_accept_failed", reason=error.strerror)
                    await asyncio.sleep(_PAUSE_SECONDS)
                    continue
                task = self._loop.create_task(self._upgrade(connected, f"{address[0]}:{address[1]}"))
                self._upgrades.add(task)
                task.add_done_callback(self._upgrades.discard)

    async def _upgrade(self, connected: socket.socket, address: str) -> None:
        link = self._make_link()
        task = asyncio.current_task()
        if task is None or not link.begin_upgrade(address, task.cancel):
            connected.close()
            return
        try:
            await self._loop.connect_accepted_socket(
                lambda: link, connected, ssl=self._context, ssl_handshake_timeout=self._timeout
            )
        except ssl.SSLError as error:
            _log.warning("valkyrie_tls_failed", address=address, reason=error.reason or str(error))
            link.connection_lost(error)
        except OSError as error:
            link.connection_lost(error)
        except asyncio.CancelledError:
            link.connection_lost(None)
            raise
