"""One pool of outbound connections with limits. Imports only `limits` and this room.

No cookies, no redirects, no proxy from the environment. Every failure says whether the other side may have had the
request, which decides whether another attempt is safe.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache

import aiohttp
from msgspec import Struct
from yarl import URL

from hotplane.limits import TimeLimit
from hotplane.network.addresses import AddressPolicy, AllowedOrigins, Origin
from hotplane.network.failures import AnswerLost, LookupFailed, NoAnswer, NoConnection
from hotplane.network.lookup import Lookups
from hotplane.network.ranges import literal_of
from hotplane.network.reading import read_answer
from hotplane.network.sessions import PRESENT, Progress, Unchecked, new_session
from hotplane.network.settings import OutboundSettings
from hotplane.network.sockets import open_socket

__all__ = ["Answer", "OutboundClient"]

_KNOWN_TARGETS = 64
"""URLs of one client that are not read anew at each request."""

_REASONS: Mapping[type[BaseException], str] = {
    aiohttp.ClientConnectorCertificateError: "its certificate is not trusted",
    aiohttp.ClientConnectorSSLError: "the TLS handshake failed",
    aiohttp.ServerDisconnectedError: "the connection was closed",
    ConnectionResetError: "the connection was closed",
    BrokenPipeError: "the connection was closed",
    aiohttp.ClientPayloadError: "it was cut off, or is damaged",
    aiohttp.InvalidURL: "its address is not written in the usual way",
}


class Answer(Struct, frozen=True):
    """What a server answered, whatever the status."""

    status: int
    headers: Mapping[str, str]
    """By name in lower case; of a repeated header the last."""
    body: bytes
    """Unpacked."""


class _Target(Struct, frozen=True):
    """A URL, read."""

    url: URL
    origin: Origin
    name: str
    """The origin in messages."""
    literal: str | None
    """The address that its host is, where it is no name."""

    @classmethod
    def of(cls, url: str) -> _Target:
        origin = Origin.of(url)
        return cls(URL(url), origin, str(origin), _address(origin))

    def __repr__(self) -> str:
        return f"<{self.name}>"  # the rest may be a secret


class OutboundClient:
    """Sends requests to allowed servers. Belongs to one event loop; close it in the end.

    Args:
        policy: Whom it may ask.
        settings: Its limits.
        tls: For servers with certificates of a private authority; the system's authorities by default.
        lookups: Looks names up; an own one by default.
        proxy: The URL of an HTTP proxy that requests go through. Their targets are looked up and checked before, but
            what the proxy connects to in the end nobody here can see.
    """

    def __init__(
        self,
        policy: AddressPolicy,
        settings: OutboundSettings | None = None,
        *,
        tls: ssl.SSLContext | None = None,
        lookups: Lookups | None = None,
        proxy: str | None = None,
    ) -> None:
        self.settings = settings or OutboundSettings()
        self._policy = policy
        self._tls = tls
        self._lookups = lookups or Lookups()
        self._proxy = None if proxy is None else URL(proxy)
        self._proxy_origin = None if proxy is None else Origin.of(proxy)
        self._session: aiohttp.ClientSession | None = None
        self._closed = False
        # Of a client of its own, since a URL may be a secret.
        self._target = lru_cache(_KNOWN_TARGETS)(_Target.of)

    def derive(self, settings: OutboundSettings, *, tls: ssl.SSLContext | None = None) -> OutboundClient:
        """Return another pool that may ask the same servers, with its own limits and without the proxy.

        Whoever asks for it closes it.
        """
        return OutboundClient(self._policy, settings, tls=tls, lookups=self._lookups)

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
        target = self._target(url)
        self._check(target.origin, target.literal)
        limit = self.settings.timeout_seconds
        if timeout is not None:
            limit = min(timeout, limit)
        progress = Progress(self._proxy_origin or target.origin)
        token = PRESENT.set(progress)
        try:
            with TimeLimit(max(0.0, limit)):
                return await self._exchange(method, target, headers, body)
        except TimeoutError:
            seconds = limit if progress.connected else min(limit, self.settings.connect_timeout_seconds)
            raise NoAnswer(target.name, seconds, sent=progress.connected) from None
        except (aiohttp.ClientError, OSError) as error:
            raise _failure(error, target.name, progress) from None
        finally:
            PRESENT.reset(token)

    async def connect(self, host: str, port: int, *, timeout: float | None = None) -> socket.socket:
        """Return a connected, non-blocking socket to the first address of `host` that answers; never by the proxy.

        The caller closes it.

        Args:
            host: A name or an address.
            port: The port.
            timeout: Seconds, where that is less than the client's own limit for connections.

        Raises:
            InvalidAddress, AddressRefused: It may not be asked.
            NoConnection: There is none.
            NoAnswer: The time was over.
        """
        origin = Origin.at(host, port)
        self._check(origin, _address(origin))
        limit = self.settings.connect_timeout_seconds
        if timeout is not None:
            limit = max(0.0, min(timeout, limit))
        clock = asyncio.get_running_loop().time
        ends_at = clock() + limit
        try:
            async with asyncio.timeout(limit):
                addresses = await self._checked_addresses(origin)
                return await open_socket(addresses, port, ends_at - clock())
        except TimeoutError:
            raise NoAnswer(str(origin), limit, sent=False) from None
        except OSError as error:
            raise NoConnection(str(origin), _reason(error)) from None

    async def check(self, host: str, port: int) -> None:
        """Find out whether a server may be asked, without asking it; one whose name has no address now may be.

        Raises:
            InvalidAddress, AddressRefused: It may not.
        """
        origin = Origin.at(host, port)
        self._check(origin, _address(origin))
        with suppress(LookupFailed):  # the guard looks again before each request
            await self._checked_addresses(origin)

    async def close(self) -> None:
        """Close every connection; further requests are refused."""
        self._closed = True
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _check(self, origin: Origin, literal: str | None) -> None:
        if self._closed:
            raise NoConnection(str(origin), "this client is closed")
        self._policy.check(origin)
        if literal is not None:
            # What is an address already is never looked up, so that nobody else shows it to the policy in time.
            self._policy.check_address(origin.host, origin.port, literal)

    async def _checked_addresses(self, origin: Origin) -> tuple[str, ...]:
        literal = _address(origin)
        found = (literal,) if literal is not None else await self._lookups.addresses(origin.host)
        for address in found:
            self._policy.check_address(origin.host, origin.port, address)
        return found

    async def _exchange(
        self, method: str, target: _Target, headers: Mapping[str, str] | None, body: bytes | None
    ) -> Answer:
        origin = target.origin
        if self._proxy_origin is not None and not self._policy.trusts(origin.host, origin.port):
            await self._checked_addresses(origin)
        response = await self._open().request(
            method, target.url, headers=headers, data=body, allow_redirects=False, proxy=self._proxy
        )
        try:
            read = await read_answer(
                response.content,
                response.headers.get("Content-Encoding", ""),
                length=response.content_length,
                limit=self.settings.max_answer_bytes,
                origin=target.name,
            )
        finally:
            if not response.closed:  # what was read to its end has given its connection back
                response.close()
        return Answer(response.status, {name.lower(): text for name, text in response.headers.items()}, read)

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            policy = self._policy if self._proxy is None else AllowedOrigins([str(self._proxy)])
            self._session = new_session(policy, self.settings, self._lookups, self._tls)
        return self._session


def _address(origin: Origin) -> str | None:
    literal = literal_of(origin.host)
    return None if literal is None else str(literal)


def _failure(error: Exception, origin: str, progress: Progress) -> Exception:
    """Return what to raise for what aiohttp raised."""
    if isinstance(error, aiohttp.ClientConnectorError) and isinstance(error.os_error, Unchecked):
        return error.os_error.refusal
    if progress.connected:
        return AnswerLost(origin, _reason(error))
    return NoConnection(origin, _reason(error))


def _reason(error: BaseException) -> str:
    """Say what went wrong without the texts of aiohttp, which may repeat a URL."""
    known = next((reason for kind, reason in _REASONS.items() if isinstance(error, kind)), None)
    if known is not None:
        return known
    match error:
        case LookupFailed():
            return error.reason
        case aiohttp.ClientHttpProxyError():
            return f"the proxy answered {error.status}"
        case aiohttp.ClientProxyConnectionError():
            return f"the proxy: {_reason(error.os_error)}"
        case aiohttp.ClientConnectorError():
            return _reason(error.os_error)
        case aiohttp.ClientResponseError():
            return "it is not HTTP, or a header is too long"
        case OSError() if error.errno:
            return os.strerror(error.errno)
        case _:
            return type(error).__name__
