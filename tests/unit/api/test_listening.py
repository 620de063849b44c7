"""Binding."""

from __future__ import annotations

import socket

import pytest

from hotplane.api.listening import bind, url_of
from hotplane.errors import CannotListen, PortInUse


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:{port}"),
        ("localhost", "http://localhost:{port}"),
        ("0.0.0.0", "http://127.0.0.1:{port}"),
        ("::", "http://[::1]:{port}"),
        ("::1", "http://[::1]:{port}"),
    ],
)
def test_the_url_can_be_opened_here(host: str, url: str) -> None:
    """A wildcard address is shown as the loopback one, and an IPv6 address in brackets."""
    with socket.create_server(("127.0.0.1", 0)) as bound:
        assert url_of(host, bound) == url.format(port=bound.getsockname()[1])


def test_a_port_in_use_is_named() -> None:
    """The error holds host and port."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortInUse) as caught:
            bind("127.0.0.1", port)
    assert (caught.value.host, caught.value.port) == ("127.0.0.1", port)


def test_every_address_of_a_name_gets_the_same_port() -> None:
    """Also when the port is a free one."""
    sockets = bind("localhost", 0)
    assert len({each.getsockname()[1] for each in sockets}) == 1
    for each in sockets:
        each.close()


def test_an_unknown_name_is_refused() -> None:
    """The error says which name."""
    with pytest.raises(CannotListen, match=r"no-such-host\.invalid"):
        bind("no-such-host.invalid", 0)
