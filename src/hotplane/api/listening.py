"""Binding the server's sockets, so that a port in use is said before anything else happens. Imports only `errors`."""

from __future__ import annotations

import errno
import os
import socket
from contextlib import suppress

from hotplane.errors import CannotListen, PortInUse

__all__ = ["bind", "url_of"]

_NOT_HERE = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})


def bind(host: str, port: int) -> list[socket.socket]:
    """Bind to every address of a host, without listening yet.

    Args:
        host: A name or an address; a name such as ``localhost`` may have an IPv4 and an IPv6 one.
        port: The port; 0 takes a free one, the same for every address.

    Raises:
        PortInUse: Another program listens there.
        CannotListen: The address is not this machine's, or the port needs rights that this process does not have.
    """
    sockets: list[socket.socket] = []
    absent: OSError | None = None
    try:
        for family, address in _addresses(host, port):
            try:
                sockets.append(_bound(family, address, sockets[0].getsockname()[1] if sockets else port))
            except OSError as error:
                if error.errno not in _NOT_HERE:
                    raise
                absent = error
    except OSError as error:
        for opened in sockets:
            opened.close()
        raise refusal(error, host, port) from None
    if not sockets:
        raise CannotListen(host, port, _words(absent) if absent else "it has no address")
    return sockets


def refusal(error: OSError, host: str, port: int) -> CannotListen:
    """Return what the system's refusal means."""
    return PortInUse(host, port) if error.errno == errno.EADDRINUSE else CannotListen(host, port, _words(error))


def url_of(host: str, bound: socket.socket) -> str:
    """Return the URL at which a bound socket is reached from this machine."""
    name = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    name = f"[{name}]" if ":" in name else name
    return f"http://{name}:{bound.getsockname()[1]}"


def _addresses(host: str, port: int) -> list[tuple[int, tuple[str, int]]]:
    try:
        found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror as error:
        raise CannotListen(host, port, error.strerror or "the name is not known") from None
    # IPv4 first: `localhost` should be reached at 127.0.0.1 by clients that try only one address.
    return [(family, (str(address[0]), port)) for family, *_, address in sorted(found, key=lambda each: each[0])]


def _bound(family: int, address: tuple[str, int], port: int) -> socket.socket:
    # With its protocol named asyncio sets TCP_NODELAY on what it accepts. Without, an answer in two writes waits for
    # the client to acknowledge the first one, which may take it 40 ms.
    opened = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        # Without it a restart fails for a minute while connections of the last run linger in TIME_WAIT.
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            with suppress(OSError):  # not every system can; there IPv6 sockets are IPv6 only already
                opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        opened.setblocking(False)
        opened.bind((address[0], port))
    except OSError:
        opened.close()
        raise
    return opened


def _words(error: OSError) -> str:
    return os.strerror(error.errno) if error.errno else str(error)
