"""The full guard: public addresses, and the two exceptions."""

from __future__ import annotations

import pytest

from hotplane.network import AddressRefused, GuardedAddresses, Origin
from hotplane.network.settings import NetworkSettings


def allowing(*networks: str) -> GuardedAddresses:
    """Return a guard with networks of an operator."""
    return GuardedAddresses(NetworkSettings(allow=networks).networks)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1",
        "http://127.1:8080",
        "http://0x7f.1",
        "http://2130706433",
        "http://0177.0.0.1",
        "http://１２７.0.0.1",
        "http://127。0。0。1",
        "http://127.0.0.1.",
        "http://10.0.0.1@192.168.0.1",
        "http://[::1]",
        "http://[::1%25lo]",
        "http://[fe80::1%25eth0]",
        "http://[::ffff:10.0.0.1]",
        "http://[::ffff:a00:1]",
        "http://[64:ff9b::10.0.0.1]",
        "http://[2002:a00:1::]",
        "http://169.254.169.254/latest/meta-data",
    ],
)
def test_literals_of_private_addresses_are_refused_before_any_lookup(url: str):
    """However they are spelt."""
    with pytest.raises(AddressRefused, match=r"network\.allow"):
        GuardedAddresses().check(Origin.of(url))


@pytest.mark.parametrize(
    "url", ["http://8.8.8.8", "https://[2606:4700::1111]", "http://name.example", "http://08.8.8.8"]
)
def test_public_literals_and_names_pass_the_first_look(url: str):
    """A name is judged by its addresses, later."""
    GuardedAddresses().check(Origin.of(url))


@pytest.mark.parametrize("address", ["10.0.0.1", "::ffff:8.8.8.8", "fe80::1%2", "no address", ""])
def test_a_name_is_refused_by_where_it_leads(address: str):
    """Also by something that cannot be read as an address."""
    with pytest.raises(AddressRefused):
        GuardedAddresses().check_address("name.example", 443, address)


def test_a_network_of_the_operator_is_allowed():
    """By the address, whatever the name."""
    guard = allowing("10.1.0.0/16", "fd00::/8")
    guard.check_address("name.example", 443, "10.1.255.1")
    guard.check_address("name.example", 443, "fd12::1")
    with pytest.raises(AddressRefused):
        guard.check_address("name.example", 443, "10.2.0.1")


def test_what_the_operator_wrote_may_be_anywhere():
    """Case and the final dot make no difference."""
    guard = GuardedAddresses(exact=[("Hooks.internal", 8080), ("127.0.0.1", 9)])
    guard.check(Origin.of("http://127.0.0.1:9"))
    guard.check_address("hooks.internal.", 8080, "10.0.0.1")


@pytest.mark.parametrize(
    ("host", "port"), [("hooks.internal", 80), ("a.hooks.internal", 8080), ("10.0.0.1", 8080), ("internal", 8080)]
)
def test_only_exactly_what_the_operator_wrote(host: str, port: int):
    """Another port, a name below it, and its own address are something else."""
    guard = GuardedAddresses(exact=[("hooks.internal", 8080)])
    with pytest.raises(AddressRefused):
        guard.check_address(host, port, "10.0.0.1")
    assert not guard.trusts(host, port)


def test_a_refusal_does_not_tell_where_a_name_leads():
    """Who may only ask must not learn the addresses of a private network."""
    with pytest.raises(AddressRefused) as refused:
        GuardedAddresses().check_address("db.internal", 443, "10.20.30.40")
    assert "10.20.30.40" not in str(refused.value)
    assert "10.0.0.0/8, private" in str(refused.value)
