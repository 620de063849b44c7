"""Which addresses are not on the public internet, those included that carry another. Imports nothing of Hotplane.

The table is written out and not taken from `ipaddress.is_global`, whose answers differ between releases of Python.
Source: the special-purpose address registries of the IANA (RFC 6890 and its successors), with every range that
translates, tunnels or was withdrawn on top: what leads elsewhere than it says is refused as a whole.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

__all__ = ["IPAddress", "IPNetwork", "embedded_in", "literal_of", "refused_range"]

IPAddress = IPv4Address | IPv6Address
IPNetwork = IPv4Network | IPv6Network

_IPV4 = (
    ("0.0.0.0/8", "this network, unspecified"),
    ("10.0.0.0/8", "private"),
    ("100.64.0.0/10", "carrier-grade NAT"),
    ("127.0.0.0/8", "loopback"),
    ("168.63.129.16/32", "the own address of a cloud's platform"),
    ("169.254.0.0/16", "link-local"),
    ("172.16.0.0/12", "private"),
    ("192.0.0.0/24", "protocol assignments"),
    ("192.0.2.0/24", "documentation"),
    ("192.88.99.0/24", "6to4 relays"),
    ("192.168.0.0/16", "private"),
    ("198.18.0.0/15", "benchmarking"),
    ("198.51.100.0/24", "documentation"),
    ("203.0.113.0/24", "documentation"),
    ("224.0.0.0/4", "multicast"),
    ("255.255.255.255/32", "broadcast"),
    ("240.0.0.0/4", "reserved"),
)
_IPV6 = (
    ("::/128", "unspecified"),
    ("::1/128", "loopback"),
    ("::/96", "IPv4-compatible"),
    ("::ffff:0:0/96", "IPv4-mapped"),
    ("::ffff:0:0:0/96", "IPv4-translated"),
    ("64:ff9b::/96", "NAT64"),
    ("64:ff9b:1::/48", "local NAT64"),
    ("100::/64", "discard-only"),
    ("2001::/32", "Teredo"),
    ("2001::/23", "protocol assignments"),
    ("2001:db8::/32", "documentation"),
    ("2002::/16", "6to4"),
    ("3ffe::/16", "the former 6bone"),
    ("3fff::/20", "documentation"),
    ("5f00::/16", "segment routing"),
    ("fc00::/7", "unique local"),
    ("fe80::/10", "link-local"),
    ("fec0::/10", "site-local"),
    ("ff00::/8", "multicast"),
)
_RANGES_4 = tuple((IPv4Network(network), what) for network, what in _IPV4)
_RANGES_6 = tuple((IPv6Network(network), what) for network, what in _IPV6)
_GLOBAL_6 = IPv6Network("2000::/3")
"""All that is handed out as global unicast (RFC 4291, section 2.4)."""

_LAST_32_BITS = tuple(IPv6Network(network) for network in ("::/96", "::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96"))
_SIX_TO_FOUR = IPv6Network("2002::/16")
_TEREDO = IPv6Network("2001::/32")
_LOCAL_NAT64 = IPv6Network("64:ff9b:1::/48")
_LOCAL_NAT64_PLACES = ((6, 7, 9, 10), (7, 9, 10, 11), (9, 10, 11, 12), (12, 13, 14, 15))
"""The octets of the IPv4 address for prefixes of 48, 56, 64 and 96 bits (RFC 6052, section 2.2)."""


def refused_range(address: IPAddress, allow: Iterable[IPNetwork] = ()) -> str | None:
    """Say in which refused range an address lies, such as ``10.0.0.0/8, private``; None for a public one.

    An address that carries others inside is public only if each of them is: allowing all of ``64:ff9b::/96`` opens
    no way to ``64:ff9b::10.0.0.1``.

    Args:
        address: The address.
        allow: Networks that count as public.
    """
    allow = tuple(allow)
    for each in (address, *embedded_in(address)):
        found = _range_of(each)
        if found is not None and not any(each in network for network in allow):
            return found
    return None


def embedded_in(address: IPAddress) -> Iterator[IPv4Address]:
    """Yield the IPv4 addresses that an IPv6 address carries, as far as its range tells.

    Of local NAT64 the length of the prefix is not known, so every place is tried that does not hold just zeros.
    """
    if isinstance(address, IPv4Address):
        return
    octets = address.packed
    if any(address in network for network in _LAST_32_BITS):
        yield IPv4Address(octets[12:])
    elif address in _SIX_TO_FOUR:
        yield IPv4Address(octets[2:6])
    elif address in _TEREDO:
        yield IPv4Address(octets[4:8])
        yield IPv4Address(bytes(octet ^ 0xFF for octet in octets[12:]))
    elif address in _LOCAL_NAT64:
        for place in _LOCAL_NAT64_PLACES:
            found = bytes(octets[index] for index in place)
            if found[0]:
                yield IPv4Address(found)


@lru_cache(1_024)  # the guard asks at every request
def literal_of(host: str) -> IPAddress | None:
    """Return the address that a host is, in any spelling that `getaddrinfo` understands; None for a name.

    Besides the usual ones these are ``127.1``, ``2130706433``, ``0x7f.1`` and ``0177.0.0.1``.
    """
    with suppress(ValueError):  # not the usual spelling, which says nothing yet
        return ip_address(host)
    try:
        return IPv4Address(socket.inet_aton(host))
    except (OSError, ValueError):
        return None


def _range_of(address: IPAddress) -> str | None:
    ranges = _RANGES_4 if isinstance(address, IPv4Address) else _RANGES_6
    for network, what in ranges:
        if address in network:
            return f"{network}, {what}"
    if isinstance(address, IPv6Address) and address not in _GLOBAL_6:
        return "not global unicast"
    return None
