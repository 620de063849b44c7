"""One pool of outbound connections with limits. Imports only `version` and this room.

No cookies, no redirects, no proxy from the environment unless told. Every failure says whether the other side may
have had the request, which decides whether another attempt is safe.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from msgspec import Struct
from yarl import URL

from hotplane.network.addresses import AddressPolicy, Origin
from hotplane.network.failures import AnswerLost, AnswerTooLarge, NoAnswer, NoConnection
from hotplane.network.reading import read_body
from hotplane.network.settings import OutboundSettings
from hotplane.version import __version__

__all__ = ["Answer", "OutboundClient"]


class Answer(Struct, frozen=True):
    """What a server answered, whatever the status."""

    status: int
    headers: Mapping[str, str]
    """By name in lower case; of a repeated header the last."""
    body: bytes
    """Unpacked."""


class _Progress:
    """How far a request came."""

    __slots__ = ("connected",)

    def __init__(self) -> None:
        self.connected = False


class OutboundClient:
    """Sends requests to allowed servers. Belongs to one event loop; close it in the end.

    Args:
        policy: Whom it may ask.
        settings: Its limits.
        tls: For servers with certificates of a private authority; the system's authorities by default.
    """

    def __init__(
        self, policy: AddressPolicy, settings: OutboundSettings | None = None, *, tls: ssl.SSLContext | None = None
    ) -> None:
        self.settings = settings or OutboundSettings()
        self._policy = policy
        self._tls = tls
        self._session: aiohttp.ClientSession | None = None
        self._closed = False

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        timeout: float | None = None,
    ) -> Answer:
        """Send one request and read the answer to its end.

        Args:
            method: For example ``POST``.
            url: Where to; its origin must be allowed.
            headers: Beside those that every request has.
            body: What to send.
            timeout: Seconds for all of it, where that is less than the client's own limit.

        Raises:
            InvalidAddress, AddressRefused: The URL may not be asked.
            NoConnection: Nothing was sent.
            NoAnswer: The time was over; `sent` says whether the request was out.
            AnswerLost, AnswerTooLarge: The answer was cut off, damaged or too long.
        """
        origin = Origin.of(url)
        self._check(origin)
        limit = self.settings.timeout_seconds
        if timeout is not None:
            limit = min(timeout, limit)
        progress = _Progress()
        try:
            async with asyncio.timeout(max(0.0, limit)):
                return await self._exchange(method, url, headers, body, progress=progress, origin=str(origin))
        except TimeoutError:
            seconds = limit if progress.connected else min(limit, self.settings.connect_timeout_seconds)
            raise NoAnswer(str(origin), seconds, sent=progress.connected) from None
        except (aiohttp.ClientError, OSError) as error:
            if progress.connected:
                raise AnswerLost(str(origin), _reason(error)) from None
            raise NoConnection(str(origin), _reason(error)) from None

    async def close(self) -> None:
        """Close every connection; further requests are refused."""
        self._closed = True
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _check(self, origin: Origin) -> None:
        if self._closed:
            raise NoConnection(str(origin), "this client is closed")
        self._policy.check(origin)
        if _is_address(origin.host):
            # aiohttp looks only names up, so that the resolver never sees this one.
            self._policy.check_address(origin.host, origin.port, origin.host)

    async def _exchange(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        body: bytes | None,
        *,
        progress: _Progress,
        origin: str,
    ) -> Answer:
        limit = self.settings.max_answer_bytes
        async with self._open().request(
            method, URL(url), headers=headers, data=body, allow_redirects=False, trace_request_ctx=progress
        ) as response:
            if (response.content_length or 0) > limit:
                raise AnswerTooLarge(origin, limit)
            encoding = response.headers.get("Content-Encoding", "")
            read = await read_body(response.content.iter_any(), encoding, limit=limit, origin=origin)
            return Answer(response.status, {name.lower(): text for name, text in response.headers.items()}, read)

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = self._new_session()
        return self._session

    def _new_session(self) -> aiohttp.ClientSession:
        settings = self.settings
        tracing = aiohttp.TraceConfig()
        tracing.on_connection_create_end.append(_connected)
        tracing.on_connection_reuseconn.append(_connected)
        connector = aiohttp.TCPConnector(
            limit=settings.max_connections,
            keepalive_timeout=settings.keepalive_seconds,
            resolver=_CheckingResolver(self._policy),
            ssl=True if self._tls is None else self._tls,
        )
        return aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(total=None, connect=settings.connect_timeout_seconds),
            headers={"User-Agent": f"hotplane/{__version__}", "Accept-Encoding": "gzip"},
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=settings.proxy_from_environment,
            max_line_size=settings.max_header_bytes,
            max_field_size=settings.max_header_bytes,
            trace_configs=[tracing],
        )


class _CheckingResolver(AbstractResolver):
    """Looks names up and shows the policy every address, so that what is connected to is what was checked."""

    def __init__(self, policy: AddressPolicy) -> None:
        self._policy = policy
        self._resolver = aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of `host`."""
        found = await self._resolver.resolve(host, port, family)
        for each in found:
            self._policy.check_address(host, port, each["host"])
        return found

    async def close(self) -> None:
        """Let go of nothing: there is nothing to let go of."""
        await self._resolver.close()


async def _connected(_session: aiohttp.ClientSession, context: SimpleNamespace, _parameters: Any) -> None:
    progress: _Progress = context.trace_request_ctx
    progress.connected = True


def _is_address(host: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except OSError:
            continue
        return True
    return False


def _reason(error: BaseException) -> str:
    """Say what went wrong without the texts of aiohttp, which may repeat a URL."""
    match error:
        case aiohttp.ClientConnectorDNSError():
            return "its name cannot be looked up"
        case aiohttp.ClientConnectorCertificateError():
            return "its certificate is not trusted"
        case aiohttp.ClientConnectorSSLError():
            return "the TLS handshake failed"
        case aiohttp.ServerDisconnectedError() | ConnectionError():
            return "the connection was closed"
        case aiohttp.ClientPayloadError():
            return "it was cut off, or is damaged"
        case aiohttp.ClientResponseError():
            return "it is not HTTP, or a header is too long"
        case aiohttp.ClientConnectorError():
            number = error.os_error.errno
            return os.strerror(number) if number else type(error.os_error).__name__
        case _:
            return type(error).__name__
