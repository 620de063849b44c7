"""Where a peer is: `tcp://host:port`, `tls://host:port` or `unix:///path`. Imports only `failures`."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from typing import Literal
from urllib.parse import SplitResult, urlsplit

from hotplane.errors import did_you_mean
from hotplane.valkyrie.failures import InvalidEndpoint

__all__ = ["Endpoint"]

_SCHEMES = ("tcp", "tls", "unix")
_UNIX_PATH_BYTES = 107
"""Linux keeps socket paths in 108 bytes, the closing zero included (unix(7))."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One address of a peer."""

    scheme: Literal["tcp", "tls", "unix"]
    host: str = ""
    port: int = 0
    path: str = ""

    @classmethod
    def parse(cls, text: str) -> Endpoint:
        """Read an endpoint.

        Raises:
            InvalidEndpoint: The scheme is unknown, a part is missing or superfluous, or the port is no port.
        """
        try:
            parts = urlsplit(text)
        except ValueError as error:
            raise InvalidEndpoint(text, str(error)) from None
        if parts.query or parts.fragment or "@" in parts.netloc:
            raise InvalidEndpoint(text, "it has a user, a query or a fragment")
        match parts.scheme:
            case "unix":
                return cls("unix", path=_unix_path(text, parts))
            case "tcp" | "tls" as scheme:
                return cls(scheme, *_host_and_port(text, parts))
            case other:
                hint = did_you_mean(other, _SCHEMES)
                raise InvalidEndpoint(text, f"the scheme {other!r} is unknown{hint}" if other else "it has no scheme")

    @property
    def is_local(self) -> bool:
        """Whether no other machine can be at the other end: a Unix socket or a loopback address."""
        if self.scheme == "unix" or self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        """Return the endpoint as it is written."""
        if self.scheme == "unix":
            return f"unix://{self.path}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


def _unix_path(text: str, parts: SplitResult) -> str:
    if parts.netloc or not parts.path.startswith("/") or parts.path == "/":
        raise InvalidEndpoint(text, "a Unix socket needs an absolute path after `unix://`")
    if len(parts.path.encode()) > _UNIX_PATH_BYTES:
        raise InvalidEndpoint(text, f"the path is longer than {_UNIX_PATH_BYTES} bytes, the system's limit")
    return parts.path


def _host_and_port(text: str, parts: SplitResult) -> tuple[str, int]:
    try:
        port = parts.port
    except ValueError:
        raise InvalidEndpoint(text, "the port is not a number from 0 to 65535") from None
    if not parts.hostname or port is None:
        raise InvalidEndpoint(text, "it needs a host and a port")
    if parts.path:
        raise InvalidEndpoint(text, "it has a path")
    return parts.hostname, port
