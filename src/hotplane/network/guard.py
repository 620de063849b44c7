"""The full guard: the public internet, and what an operator allowed or wrote down. Imports only this room."""

from __future__ import annotations

from collections.abc import Iterable

from hotplane.network.addresses import Origin, plain_host
from hotplane.network.failures import AddressRefused
from hotplane.network.ranges import IPNetwork, literal_of, refused_range

__all__ = ["GuardedAddresses"]


class GuardedAddresses:
    """Refuses every address that is not public, with two exceptions that only an operator can make.

    A name is judged by every address that it has: one that is not public refuses all, because a name with both kinds
    is either an attack or a split that the operator knows about and can allow.

    Args:
        allow: Networks that may be asked although they are not public.
        exact: Host and port of servers that may be asked wherever they are, see `origins_in`.
    """

    def __init__(self, allow: Iterable[IPNetwork] = (), exact: Iterable[tuple[str, int]] = ()) -> None:
        self._allow = tuple(allow)
        self._exact = frozenset((plain_host(host), port) for host, port in exact)

    def check(self, origin: Origin) -> None:
        """Raise `AddressRefused` when the host of `origin` is an address, however it is spelt, and is not allowed."""
        literal = None if self.trusts(origin.host, origin.port) else literal_of(origin.host)
        if literal is not None:
            self.check_address(origin.host, origin.port, str(literal))

    def check_address(self, host: str, port: int, address: str) -> None:
        """Raise `AddressRefused` when `host` is at `address` and that is not allowed."""
        if self.trusts(host, port):
            return
        found = literal_of(address)
        if found is None:
            raise AddressRefused(_server(host, port), "it has no address that can be read")
        reason = refused_range(found, self._allow)
        if reason is not None:
            raise AddressRefused(
                _server(host, port), f"it is not on the public internet ({reason}) and `network.allow` does not name it"
            )

    def trusts(self, host: str, port: int) -> bool:
        """Tell whether an operator wrote this host and port down."""
        return (plain_host(host), port) in self._exact


def _server(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
