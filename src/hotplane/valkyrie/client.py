"""Connecting to a Valkyrie server. Imports only this room."""

from __future__ import annotations

import asyncio
import os
import ssl
from typing import Any

from hotplane.valkyrie.connection import Connection
from hotplane.valkyrie.endpoint import Endpoint
from hotplane.valkyrie.failures import ConnectFailed, InvalidEndpoint, PlaintextRefused
from hotplane.valkyrie.handshake import ClientHandshake, Introduction
from hotplane.valkyrie.settings import ClientSettings
from hotplane.valkyrie.tls import client_context

__all__ = ["connect"]


async def connect(endpoint: str | Endpoint, settings: ClientSettings | None = None) -> Connection:
    """Connect, shake hands, and return the connection as soon as calls may be made.

    Args:
        endpoint: ``tcp://host:port``, ``tls://host:port`` or ``unix:///path``.
        settings: Limits, times, secret and certificates.

    Raises:
        ConnectFailed: Nobody answers in time, or one side refuses the other; nothing was executed.
        InvalidEndpoint: The endpoint cannot be used.
        PlaintextRefused: It is beyond this machine and not encrypted.
        InvalidSecret: The secret file cannot be used.
        ConfigurationError: A certificate file cannot be used.
    """
    settings = settings or ClientSettings()
    where = endpoint if isinstance(endpoint, Endpoint) else Endpoint.parse(endpoint)
    if where.scheme != "unix" and not where.port:
        raise InvalidEndpoint(str(where), "nobody can connect to port 0")
    if where.scheme == "tcp" and not (where.is_local or settings.allow_plaintext):
        raise PlaintextRefused(str(where))
    introduction = Introduction(settings.name, settings.max_frame_bytes, secret=settings.read_secret())
    context = client_context(settings.tls) if where.scheme == "tls" else None
    connection = Connection(asyncio.get_running_loop(), str(where), settings, ClientHandshake(str(where), introduction))
    try:
        async with asyncio.timeout(settings.connect_timeout_seconds):
            await _open(where, connection, context, settings)
            await connection.ready
    except TimeoutError:
        raise _failed(connection, f"no answer within {settings.connect_timeout_seconds:g} s") from None
    except OSError as error:
        raise _failed(connection, _reason(error)) from None
    except BaseException:
        connection.link.abort("the attempt to connect was given up")
        raise
    return connection


async def _open(
    where: Endpoint, connection: Connection, context: ssl.SSLContext | None, settings: ClientSettings
) -> None:
    loop = asyncio.get_running_loop()
    if where.scheme == "unix":
        await loop.create_unix_connection(lambda: connection.link, where.path)
        return
    tls: dict[str, Any] = {}
    if context is not None:
        name = (settings.tls.server_name if settings.tls else None) or where.host
        tls = {"ssl": context, "server_hostname": name, "ssl_handshake_timeout": settings.connect_timeout_seconds}
    await loop.create_connection(lambda: connection.link, where.host, where.port, **tls)


def _failed(connection: Connection, reason: str) -> ConnectFailed:
    connection.link.abort(reason)
    return ConnectFailed(connection.endpoint, reason)


def _reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the server's certificate is not accepted: {error.verify_message}"
    if error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)  # event loops word it differently
    return error.strerror or str(error) or type(error).__name__
