"""aiohttp, told to connect to checked addresses only. Imports only `version` and this room.

Every address is shown to the policy twice: all of a name's when it is looked up, and each one again when the socket
to it is made. The second look is the one that counts: whatever way an address came by, a literal that was never looked
up included, it is the address that is connected to, so that no name can lead elsewhere in between.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Generator
from contextvars import ContextVar
from types import SimpleNamespace
from typing import Any, cast

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from hotplane.network.addresses import AddressPolicy
from hotplane.network.failures import AddressRefused
from hotplane.network.lookup import Lookups
from hotplane.network.settings import OutboundSettings
from hotplane.version import __version__

__all__ = ["Progress", "Unchecked", "connecting_to", "new_session"]

_SERVER: ContextVar[tuple[str, int]] = ContextVar("hotplane-outbound-server")
"""Whom the present request connects to: host and port of the target, or of the proxy."""


class Progress:
    """How far a request came; given to aiohttp as the context of its traces."""

    __slots__ = ("connected",)

    def __init__(self) -> None:
        self.connected = False


class Unchecked(OSError):
    """The refusal of an address as aiohttp lets it through; `refusal` is what it carries."""

    def __init__(self, refusal: AddressRefused) -> None:
        self.refusal = refusal
        super().__init__(str(refusal))


@contextlib.contextmanager
def connecting_to(host: str, port: int) -> Generator[None]:
    """Say whom connections made in this context are for; without it none is made."""
    token = _SERVER.set((host, port))
    try:
        yield
    finally:
        _SERVER.reset(token)


def new_session(
    policy: AddressPolicy, settings: OutboundSettings, lookups: Lookups, tls: ssl.SSLContext | None
) -> aiohttp.ClientSession:
    """Return a session that connects where `policy` agrees, follows nothing, and keeps no cookies."""
    tracing = aiohttp.TraceConfig()
    tracing.on_connection_create_end.append(_connected)
    tracing.on_connection_reuseconn.append(_connected)

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
        trace_configs=[tracing],
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
    server = _SERVER.get(None)
    if server is None:
        raise AddressRefused(address, "nobody said whom this connection is for")
    policy.check_address(*server, address)


async def _connected(_session: aiohttp.ClientSession, context: SimpleNamespace, _parameters: Any) -> None:
    progress: Progress = context.trace_request_ctx
    progress.connected = True
