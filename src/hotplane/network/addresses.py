"""Which servers may be asked. Imports only this room's failures."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from ipaddress import ip_address
from typing import Protocol, Self

from msgspec import Struct
from yarl import URL

from hotplane.network.failures import AddressRefused, InvalidAddress

__all__ = ["AddressPolicy", "AllowedOrigins", "Origin", "plain_host"]

_HTTP = frozenset({"http", "https"})
_NO_HOST = "its host is neither a name nor an address"


class Origin(Struct, frozen=True):
    """Scheme, host and port of a server."""

    scheme: str
    host: str
    """In lower case, without the final dot of a complete name."""
    port: int

    @classmethod
    def of(cls, url: str, *, schemes: Collection[str] = _HTTP, port: int | None = None) -> Self:
        """Return the origin of a URL.

        Args:
            url: The URL.
            schemes: Those that it may have.
            port: Of URLs without one whose scheme has none that is known.

        Raises:
            InvalidAddress: It is not a URL of a server; the message does not repeat it.
        """
        try:
            parts = URL(url)
            scheme, host = parts.scheme, parts.raw_host
            found = port if parts.port is None else parts.port
        except (ValueError, TypeError):
            raise InvalidAddress("it cannot be read") from None
        if scheme not in schemes:
            raise InvalidAddress(f"its scheme is neither {' nor '.join(f'`{each}`' for each in sorted(schemes))}")
        if not host or not found:
            raise InvalidAddress("it has no host, or the port 0")
        return cls(scheme, _complete(host), found)

    @classmethod
    def at(cls, host: str, port: int, *, scheme: str = "tcp") -> Self:
        """Return the origin of a server that has no URL.

        Raises:
            InvalidAddress: `host` is neither a name nor an address, or `port` is not within 1 and 65535.
        """
        if not 0 < port < 65_536:
            raise InvalidAddress("its port is not within 1 and 65535")
        try:
            encoded = URL.build(scheme=scheme, host=host, port=port).raw_host
        except (ValueError, TypeError):
            encoded = None
        if not encoded:
            raise InvalidAddress(_NO_HOST)
        return cls(scheme, _complete(encoded), port)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether the host is this machine, as far as its name tells."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


def plain_host(host: str) -> str:
    """Return a host in lower case and without the final dot of a complete name."""
    return host.lower().removesuffix(".")


def _complete(host: str) -> str:
    """Return the plain form of a host; raise `InvalidAddress` for `.`, `a..b` and others with an empty label."""
    plain = plain_host(host)
    if "" in plain.split("."):
        raise InvalidAddress(_NO_HOST)
    return plain


class AddressPolicy(Protocol):
    """Decides whom a client may ask, by name before the lookup and by address after it."""

    def check(self, origin: Origin) -> None:
        """Raise `AddressRefused` when `origin` must not be asked."""
        ...

    def check_address(self, host: str, port: int, address: str) -> None:
        """Raise `AddressRefused` when `host`, which is at `address` now, must not be connected to."""
        ...

    def trusts(self, host: str, port: int) -> bool:
        """Tell whether the name alone is enough, wherever it leads."""
        ...


class AllowedOrigins:
    """Allows exactly the servers that the operator wrote down, wherever they are.

    Args:
        urls: Their URLs; only scheme, host and port count.

    Raises:
        InvalidAddress: One of them is not a URL of a server.
    """

    def __init__(self, urls: Iterable[str]) -> None:
        self._allowed = frozenset(Origin.of(url) for url in urls)
        self._servers = frozenset((origin.host, origin.port) for origin in self._allowed)

    def check(self, origin: Origin) -> None:
        """Raise `AddressRefused` when nobody wrote `origin` down."""
        if origin not in self._allowed:
            raise AddressRefused(str(origin), "it is not in the configuration")

    def check_address(self, host: str, port: int, address: str) -> None:
        """Accept every address of what was written down: whoever wrote the name vouches for where it leads."""
        del address
        if not self.trusts(host, port):
            raise AddressRefused(f"{host}:{port}", "it is not in the configuration")

    def trusts(self, host: str, port: int) -> bool:
        """Tell whether somebody wrote this host and port down."""
        return (plain_host(host), port) in self._servers
