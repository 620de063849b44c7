"""Which servers may be asked. Imports only this room's failures."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address
from typing import Protocol, Self

from msgspec import Struct
from yarl import URL

from hotplane.network.failures import AddressRefused, InvalidAddress

__all__ = ["AddressPolicy", "AllowedOrigins", "Origin"]


class Origin(Struct, frozen=True):
    """Scheme, host and port of a server."""

    scheme: str
    host: str
    """In lower case, without the final dot of a complete name."""
    port: int

    @classmethod
    def of(cls, url: str) -> Self:
        """Return the origin of a URL.

        Raises:
            InvalidAddress: It is not a URL of a server; the message does not repeat it.
        """
        try:
            parts = URL(url)
            scheme, host, port = parts.scheme, parts.raw_host, parts.port
        except (ValueError, TypeError):
            raise InvalidAddress("it cannot be read") from None
        if scheme not in {"http", "https"}:
            raise InvalidAddress("its scheme is neither `http` nor `https`")
        if not host or not port:
            raise InvalidAddress("it has no host, or the port 0")
        return cls(scheme, host.lower().rstrip("."), port)

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


class AddressPolicy(Protocol):
    """Decides whom a client may ask, by name before the lookup and by address after it."""

    def check(self, origin: Origin) -> None:
        """Raise `AddressRefused` when `origin` must not be asked."""
        ...

    def check_address(self, host: str, port: int, address: str) -> None:
        """Raise `AddressRefused` when `host`, which is at `address` now, must not be connected to."""
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

    def check(self, origin: Origin) -> None:
        """Raise `AddressRefused` when nobody wrote `origin` down."""
        if origin not in self._allowed:
            raise AddressRefused(str(origin), "it is not in the configuration")

    def check_address(self, host: str, port: int, address: str) -> None:
        """Accept every address: whoever wrote the name down vouches for where it leads."""
