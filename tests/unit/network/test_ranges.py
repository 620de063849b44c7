"""Which addresses are on the public internet."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hotplane.network.ranges import embedded_in, literal_of, refused_range

PRIVATE = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
]
REFUSED_4 = st.sampled_from(PRIVATE).flatmap(lambda network: st.ip_addresses(network=network))


@pytest.mark.parametrize(
    ("address", "what"),
    [
        ("0.0.0.0", "unspecified"),
        ("10.1.2.3", "private"),
        ("100.64.0.1", "carrier-grade"),
        ("100.100.100.200", "carrier-grade"),
        ("127.0.0.1", "loopback"),
        ("127.255.255.254", "loopback"),
        ("168.63.129.16", "cloud"),
        ("169.254.169.254", "link-local"),
        ("172.31.255.255", "private"),
        ("192.0.0.192", "protocol"),
        ("192.0.2.1", "documentation"),
        ("192.88.99.1", "6to4"),
        ("192.168.0.1", "private"),
        ("198.19.255.255", "benchmarking"),
        ("198.51.100.1", "documentation"),
        ("203.0.113.1", "documentation"),
        ("224.0.0.1", "multicast"),
        ("239.255.255.255", "multicast"),
        ("240.0.0.1", "reserved"),
        ("255.255.255.255", "broadcast"),
        ("::", "unspecified"),
        ("::1", "loopback"),
        ("::8.8.8.8", "IPv4-compatible"),
        ("::ffff:10.0.0.1", "IPv4-mapped"),
        ("::ffff:8.8.8.8", "IPv4-mapped"),
        ("::ffff:0:8.8.8.8", "IPv4-translated"),
        ("64:ff9b::8.8.8.8", "NAT64"),
        ("64:ff9b:1::1", "NAT64"),
        ("100::1", "discard"),
        ("2001::1", "Teredo"),
        ("2001:2::1", "protocol"),
        ("2001:db8::1", "documentation"),
        ("2002:808:808::1", "6to4"),
        ("3ffe::1", "6bone"),
        ("3fff::1", "documentation"),
        ("4000::1", "global unicast"),
        ("5f00::1", "segment routing"),
        ("fc00::1", "unique local"),
        ("fd00:ec2::254", "unique local"),
        ("fe80::1%eth0", "link-local"),
        ("fec0::1", "site-local"),
        ("ff02::1", "multicast"),
    ],
)
def test_what_is_not_public_is_refused_by_name(address: str, what: str):
    """The range says what it is, so that an operator knows what to allow."""
    assert what in str(refused_range(ip_address(address)))


@pytest.mark.parametrize(
    "address",
    [
        "1.1.1.1",
        "8.8.8.8",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "192.0.1.0",
        "192.167.255.255",
        "198.17.255.255",
        "198.20.0.0",
        "223.255.255.255",
        "2001:4860:4860::8888",
        "2606:4700::1111",
        "2a00::1",
    ],
)
def test_what_is_public_is_not_refused(address: str):
    """Neighbours of refused ranges included."""
    assert refused_range(ip_address(address)) is None


@given(st.ip_addresses())
def test_nothing_is_public_that_python_holds_for_private(address: Any):
    """The standard library is the second opinion; ours may be stricter, never laxer."""
    if refused_range(address) is None:
        assert address.is_global
        assert not address.is_multicast


def embeddings(inside: IPv4Address) -> list[IPv6Address]:
    """Return every IPv6 address that stands for an IPv4 one."""
    number = int(inside)
    octets = inside.packed
    forms = [int(IPv6Address(prefix)) | number for prefix in ("::", "::ffff:0:0", "::ffff:0:0:0", "64:ff9b::")]
    forms.append(int(IPv6Address("64:ff9b:1::")) | number)
    forms.append(int(IPv6Address("64:ff9b:1:fffe::")) | number)
    forms.append(0x2002 << 112 | number << 80 | 1)
    forms.append(0x20010000 << 96 | int(IPv4Address("8.8.8.8")) << 64 | number ^ 0xFFFFFFFF)
    forms.append(0x20010000 << 96 | number << 64 | int(IPv4Address("8.8.8.8")) ^ 0xFFFFFFFF)
    local = int(IPv6Address("64:ff9b:1::")).to_bytes(16)
    places = ((6, 7, 9, 10), (7, 9, 10, 11), (9, 10, 11, 12))
    for place in places:
        spread = bytearray(local)
        for index, octet in zip(place, octets, strict=True):
            spread[index] = octet
        forms.append(int.from_bytes(spread))
    return [IPv6Address(form) for form in forms]


@given(REFUSED_4)
@example(IPv4Address("10.0.0.1"))
def test_a_refused_address_is_refused_in_every_embedding(inside: Any):
    """Whatever an IPv6 address says it is."""
    assert refused_range(inside)
    for outside in embeddings(inside):
        assert refused_range(outside), outside


@given(REFUSED_4.filter(lambda address: address.packed[0] != 0))
def test_allowing_a_translated_range_does_not_allow_what_is_inside(inside: Any):
    """Who allows all of NAT64 has not allowed 10.0.0.0/8."""
    for outside in embeddings(inside):
        everything = [IPv6Network("::/0")]
        assert refused_range(outside, everything), outside


@given(st.ip_addresses(v=4).filter(lambda address: refused_range(address) is None))
def test_a_public_address_in_an_allowed_translated_range_is_allowed(inside: Any):
    """A network with NAT64 alone can be used."""
    assert (
        refused_range(IPv6Address(int(IPv6Address("64:ff9b::")) | int(inside)), [IPv6Network("64:ff9b::/96")]) is None
    )


@given(REFUSED_4)
def test_what_an_operator_allows_is_allowed(address: Any):
    """By the very address or by any network around it."""
    for length in (0, 8, 16, 32):
        assert refused_range(address, [ip_network((int(address), length), strict=False)]) is None
    assert refused_range(address, [IPv4Network("8.0.0.0/8"), IPv6Network("::/0")])


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("127.1", "127.0.0.1"),
        ("0x7f.1", "127.0.0.1"),
        ("0X7F000001", "127.0.0.1"),
        ("2130706433", "127.0.0.1"),
        ("0177.0.0.1", "127.0.0.1"),
        ("017700000001", "127.0.0.1"),
        ("0", "0.0.0.0"),
        ("10.1", "10.0.0.1"),
        ("::1", "::1"),
        ("::1%25lo", "::1%25lo"),
        ("::ffff:10.0.0.1", "::ffff:a00:1"),
        ("0:0:0:0:0:0:0:1", "::1"),
    ],
)
def test_an_address_is_known_in_every_spelling(host: str, address: str):
    """Those that the system's own lookup takes for numbers."""
    assert literal_of(host) == ip_address(address)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1.example", "0x7g.1", "256.0.0.1", "", "a:b", "1.2.3.4.5"])
def test_a_name_is_no_address(host: str):
    """It is looked up, and what it has is checked then."""
    assert literal_of(host) is None


def test_a_public_address_carries_nothing():
    """Only the ranges that translate are taken apart."""
    assert list(embedded_in(IPv6Address("2606:4700::10.0.0.1"))) == []
    assert list(embedded_in(IPv4Address("10.0.0.1"))) == []
