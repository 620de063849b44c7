"""aiohttp, told to connect to checked addresses only. Imports only `version` and this room.

Every address is shown to the policy twice: all of a name's when it is looked up, and each one again when the socket
to it is made. The second look is the one that counts: whatever way an address came by, a literal that was never looked
up included, it is the address that is connected to, so that no name can lead elsewhere in between.
"""

from __future__ import annotations

import socket
import ssl
from contextvars import ContextVar
from typing import Any, cast

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from hotplane.network.addresses import AddressPolicy, Origin
from hotplane.network.failures import AddressRefused
from hotplane.network.lookup import Lookups
from hotplane.network.settings import OutboundSettings
from hotplane.version import __version__

__all__ = ["PRESENT", "Progress", "Unchecked", "new_session"]


class Progress:
    """One request: whom it connects to, and how far it came.

    Args:
        peer: The target, or the proxy.
    """

    __slots__ = ("connected", "peer")

    def __init__(self, peer: Origin) -> None:
        self.peer = peer
        self.connected = False
        """Whether there is a connection, so that the other side may have the request."""


PRESENT: ContextVar[Progress] = ContextVar("hotplane-outbound-request")
"""The request that connections are made for; without one none is made."""


class Unchecked(OSError):
    """The refusal of an address as aiohttp lets it through; `refusal` is what it carries."""

    def __init__(self, refusal: AddressRefused) -> None:
        self.refusal = refusal
        super().__init__(str(refusal))


class _Request(aiohttp.ClientRequest):
    """Notes that there is a connection. aiohttp's traces would, too, for a tenth of the time of a small request."""

    async def send(self, conn: Any) -> aiohttp.ClientResponse:
        """Send the request."""
        PRESENT.get().connected = True
        return await super().send(conn)


def new_session(
    policy: AddressPolicy, settings: OutboundSettings, lookups: Lookups, tls: ssl.SSLContext | None
) -> aiohttp.ClientSession:
    """Return a session that connects where `policy` agrees, follows nothing, and keeps no cookies."""

    def make_socket(place: Any) -> socket.socket:
        family, kind, protocol, _, address = cast("tuple[int, int, int, str, tuple[str, int]]", place)
        try:
            _check(policy, address[0])
        except AddressRefused as refusal:
            raise Unchecked(refusal) from None
        return socket.socket(family=family, type=kind, proto=protocol)

    connector = aiohttp.TCPConnector(
        limit=settings.max_connections,
        keepalive_timeout=settings.keepalive_seconds,
        resolver=_CheckingResolver(policy, lookups),
        socket_factory=make_socket,
        ssl=True if tls is None else tls,
    )
    return aiohttp.ClientSession(
        connector=connector,
        timeout=aiohttp.ClientTimeout(total=None, connect=settings.connect_timeout_seconds),
        headers={"User-Agent": f"hotplane/{__version__}", "Accept-Encoding": "gzip"},
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
        max_line_size=settings.max_header_bytes,
        max_field_size=settings.max_header_bytes,
        max_headers=settings.max_headers,
        request_class=_Request,
    )


class _CheckingResolver(AbstractResolver):
    """Looks names up and shows the policy every address; one that it refuses refuses the name."""

    def __init__(self, policy: AddressPolicy, lookups: Lookups) -> None:
        self._policy = policy
        self._lookups = lookups

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of `host`."""
        del family
        found = await self._lookups.addresses(host)
        for address in found:
            self._policy.check_address(host, port, address)
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
            for address in found
        ]

    async def close(self) -> None:
        """Let go of nothing: the lookups belong to somebody else."""


def _check(policy: AddressPolicy, address: str) -> None:
    request = PRESENT.get(None)
    if request is None:
        raise AddressRefused(address, "nobody said whom this connection is for")
    policy.check_address(request.peer.host, request.peer.port, address)
