"""Where a server is, and how its clients speak to it. Imports httpx2, and only `failures`.

Proxies of the environment are not used and redirects not followed, so that the token goes nowhere else.
"""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Generator
from contextlib import contextmanager
from typing import TypedDict
from urllib.parse import urlsplit

from msgspec import Struct

from hotplane.client.failures import BadAddress, BadToken, ConnectionFailed, ConnectionLost, NotHotplane
from hotplane.client.retries import RESUME, OnRetry, RetryPolicy, log_retry
from hotplane.errors import MissingExtra
from hotplane.version import __version__

try:
    import httpx2
except ModuleNotFoundError as missing:
    raise MissingExtra("The client", "client") from missing

__all__ = ["DEFAULT_ADDRESS", "SERVER", "TOKEN", "Arguments", "Settings", "transport_errors"]

DEFAULT_ADDRESS = "http://127.0.0.1:3000"
"""Where a server is that nobody gave another address."""
SERVER = "HOTPLANE_SERVER"
"""The environment variable with the server's address, for clients and for the command line."""
TOKEN = "HOTPLANE_TOKEN"  # noqa: S105 - the variable's name
"""The environment variable with the bearer token."""

_ERRNO = re.compile(r"\[Errno -?\d+\] ")
_SILENCE_SECONDS = 60.0
"""Streams are never silent for longer than 15 s; the results of a batch may be, and are then asked for again."""


class Arguments(TypedDict):
    """What both of httpx2's clients take."""

    base_url: str
    headers: dict[str, str]
    timeout: httpx2.Timeout
    verify: ssl.SSLContext | bool
    trust_env: bool


class Settings(Struct, frozen=True, kw_only=True):
    """How to speak to one server."""

    address: str
    token: str
    verify: ssl.SSLContext | bool
    connect_seconds: float
    answer_seconds: float
    retry: RetryPolicy
    resume: RetryPolicy
    on_retry: OnRetry

    @classmethod
    def checked(
        cls,
        address: str | None,
        *,
        token: str | None = None,
        connect_seconds: float = 5.0,
        answer_seconds: float = 120.0,
        retry: RetryPolicy | None = None,
        resume: RetryPolicy | None = None,
        on_retry: OnRetry = log_retry,
        verify: ssl.SSLContext | None = None,
    ) -> Settings:
        """Return the settings that these arguments of the clients mean.

        Raises:
            BadAddress: The address is none.
            BadToken: The token is none.
        """
        checked = _address(os.environ.get(SERVER) or DEFAULT_ADDRESS if address is None else address)
        return cls(
            address=checked,
            token=_token(os.environ.get(TOKEN) if token is None else token),
            verify=verify or (ssl.create_default_context() if checked.startswith("https") else False),
            connect_seconds=connect_seconds,
            answer_seconds=answer_seconds,
            retry=retry or RetryPolicy(),
            resume=resume or RESUME,
            on_retry=on_retry,
        )

    def arguments(self) -> Arguments:
        """Return what httpx2's clients are built with."""
        headers = {"user-agent": f"hotplane/{__version__}"}
        if self.token:
            headers["authorization"] = f"Bearer {self.token}"
        return {
            "base_url": self.address,
            "headers": headers,
            "timeout": self.timeout(None),
            "verify": self.verify,
            "trust_env": False,
        }

    def timeout(self, answer_seconds: float | None) -> httpx2.Timeout:
        """Return the limits of one try; null takes the client's own limit for an answer."""
        return httpx2.Timeout(answer_seconds or self.answer_seconds, connect=self.connect_seconds)

    def silence(self) -> httpx2.Timeout:
        """Return the limits of an answer that goes on: silence is what ends it, not its length."""
        return httpx2.Timeout(_SILENCE_SECONDS, connect=self.connect_seconds)


@contextmanager
def transport_errors(address: str) -> Generator[None]:
    """Say what goes wrong between here and the server.

    Raises:
        ConnectionFailed: Nothing was sent.
        ConnectionLost: Something was sent, and the answer did not come, or not all of it.
        NotHotplane: The answer's encoding is broken.
    """
    try:
        yield
    except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:
        raise ConnectionFailed(address, _words(error, "no connection in time")) from None
    except httpx2.TransportError as error:
        raise ConnectionLost(address, _words(error, "the time was up")) from None
    except httpx2.RequestError as error:
        raise NotHotplane(address, _words(error, "its answer cannot be read")) from None


def _address(address: str) -> str:
    try:
        parts = urlsplit(address)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise BadAddress(address) from None
    if parts.username is not None or parts.password is not None:
        raise BadAddress("", "A server's address has no user name. Give a token as `token`.")
    if not usable or parts.query or parts.fragment:
        raise BadAddress(address)
    return address.rstrip("/")


def _token(token: str | None) -> str:
    token = (token or "").strip()
    if not (token.isascii() and token.isprintable()):
        raise BadToken
    return token


def _words(error: Exception, otherwise: str) -> str:
    return _ERRNO.sub("", str(error)).strip().rstrip(".") or otherwise
