"""Listening sockets, so that nobody else's are taken and nobody else can use ours. Imports only this room."""

from __future__ import annotations

import os
import socket
import stat
from contextlib import suppress
from pathlib import Path
from secrets import token_hex

from hotplane.valkyrie.endpoint import Endpoint
from hotplane.valkyrie.failures import AddressInUse

__all__ = ["UnixSocket", "open_tcp"]

_PROBE_SECONDS = 1.0


class UnixSocket:
    """A listening Unix socket at a path, for its owner alone (0600).

    It is bound under a temporary name, restricted, and moved over the path in one step, so that it is never open
    to others and a stale file of a killed server is replaced without a moment in which the path does not exist.
    """

    def __init__(self, endpoint: Endpoint, backlog: int) -> None:
        self._path = Path(endpoint.path)
        self._refuse_foreign_file(endpoint)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        # In the same directory, for the move; short, because the system limits the length of socket paths.
        temporary = self._path.with_name(f".{token_hex(4)}")
        try:
            self.socket.bind(str(temporary))
            temporary.chmod(stat.S_IRUSR | stat.S_IWUSR)
            self.socket.listen(backlog)
            self._inode = temporary.stat().st_ino
            temporary.rename(self._path)
        except OSError as error:
            self.socket.close()
            with suppress(FileNotFoundError):  # bind may have failed before there was a file
                temporary.unlink()
            raise AddressInUse(str(endpoint), error.strerror or str(error)) from None

    def remove(self) -> None:
        """Remove the file, if it is still ours: another server may have taken the path over."""
        with suppress(FileNotFoundError):
            if self._path.stat().st_ino == self._inode:
                self._path.unlink()

    def _refuse_foreign_file(self, endpoint: Endpoint) -> None:
        try:
            mode = self._path.lstat().st_mode
        except FileNotFoundError:
            return
        except OSError as error:
            raise AddressInUse(str(endpoint), error.strerror or str(error)) from None
        if not stat.S_ISSOCK(mode):
            raise AddressInUse(str(endpoint), "there is a file that is not a socket")
        if _answers(self._path):
            raise AddressInUse(str(endpoint), "another server listens there")


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(_PROBE_SECONDS)
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except OSError:
            return True  # a full backlog or a lack of permission: somebody is there
        return True


def open_tcp(endpoint: Endpoint, backlog: int) -> list[socket.socket]:
    """Listen at all addresses of the endpoint's host, with one port for all of them.

    Raises:
        AddressInUse: The host is unknown, or a port is taken.
    """
    sockets: list[socket.socket] = []
    port = endpoint.port
    try:
        found = socket.getaddrinfo(endpoint.host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, kind, protocol, _, address in dict.fromkeys(found):
            listening = socket.socket(family, kind, protocol)
            sockets.append(listening)
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listening.bind((address[0], port, *address[2:]))
            listening.listen(backlog)
            port = int(listening.getsockname()[1])
    except OSError as error:
        for listening in sockets:
            listening.close()
        raise AddressInUse(str(endpoint), error.strerror or os.strerror(error.errno or 0)) from None
    return sockets
