"""Endpoints are read strictly and written back as they were."""

import pytest

from hotplane.valkyrie import Endpoint, InvalidEndpoint


@pytest.mark.parametrize(
    "text",
    ["tcp://127.0.0.1:8080", "tcp://localhost:0", "tls://worker.example:443", "tcp://[::1]:9", "unix:///run/hp.sock"],
)
def test_an_endpoint_is_written_as_it_was_read(text: str):
    """Reading and writing are inverse."""
    assert str(Endpoint.parse(text)) == text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("http://localhost:80", "the scheme 'http' is unknown"),
        ("tpc://localhost:80", "did you mean 'tcp'"),
        ("localhost:80", "unknown"),
        ("worker", "it has no scheme"),
        ("tcp://localhost", "needs a host and a port"),
        ("tcp://:80", "needs a host and a port"),
        ("tcp://localhost:99999", "not a number from 0 to 65535"),
        ("tcp://localhost:http", "not a number from 0 to 65535"),
        ("tcp://localhost:80/x", "it has a path"),
        ("tcp://user@localhost:80", "a user"),
        ("tcp://[::1:80", "IPv6"),
        ("unix://run/x.sock", "absolute path"),
        ("unix:///", "absolute path"),
        ("unix:///" + "x" * 108, "longer than 107 bytes"),
    ],
)
def test_what_is_wrong_is_said(text: str, reason: str):
    """A refused endpoint names its fault and the right form."""
    with pytest.raises(InvalidEndpoint, match=r"tcp://host:port") as caught:
        Endpoint.parse(text)
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("text", "local"),
    [
        ("unix:///run/x", True),
        ("tcp://localhost:1", True),
        ("tcp://127.8.0.1:1", True),
        ("tcp://[::1]:1", True),
        ("tcp://0.0.0.0:1", False),
        ("tcp://10.0.0.1:1", False),
        ("tcp://localhost.example:1", False),
    ],
)
def test_only_loopback_counts_as_local(text: str, local: bool):
    """A name that merely resembles localhost is beyond this machine."""
    assert Endpoint.parse(text).is_local is local
