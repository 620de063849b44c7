"""What an operator may set about the network."""

from __future__ import annotations

import re
from ipaddress import ip_network
from pathlib import Path

import pytest
from pydantic import ValidationError

from hotplane.config import load_config
from hotplane.errors import ConfigurationError
from hotplane.network import NetworkSettings


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("10.0.0.0/255.0.0.0", "10.0.0.0/8"),
        ("10.0.0.7", "10.0.0.7/32"),
        ("FD00::/8", "fd00::/8"),
    ],
)
def test_a_network_is_read_in_the_usual_spellings(text: str, network: str):
    """An address alone is the network of itself."""
    assert NetworkSettings(allow=(text,)).networks == (ip_network(network),)


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("10.0.0.1/8", "write '10.0.0.0/8' for the network, or '10.0.0.1' for the address alone"),
        ("fd00::1/8", "write 'fd00::/8' for the network"),
        ("10.0.0.0/33", "is not a network"),
        ("10.0.0/8", "is not a network"),
        ("internal.example", "is not a network"),
        ("*", "is not a network"),
        ("", "is not a network"),
    ],
)
def test_a_wrong_network_is_told_the_right_one(text: str, advice: str):
    """Host bits that are set are the most usual mistake."""
    with pytest.raises(ValidationError, match=re.escape(advice)):
        NetworkSettings(allow=(text,))


def test_a_wrong_network_is_reported_with_file_line_and_pointer(tmp_path: Path):
    """The message leads to the very item."""
    file = tmp_path / "hotplane.yaml"
    file.write_text("network:\n  allow:\n    - 10.0.0.0/8\n    - 192.168.1.7/24\n", encoding="utf-8")
    with pytest.raises(ConfigurationError) as wrong:
        load_config(file)
    (problem,) = wrong.value.problems
    assert (problem.file, problem.line, problem.pointer) == (str(file), 4, "/network/allow/1")
    assert "write '192.168.1.0/24' for the network" in problem.message


@pytest.mark.parametrize("proxy", ["http://proxy.example:3128", "https://user:secret@[::1]:1/"])
def test_a_proxy_is_a_url(proxy: str):
    """Its credentials are not shown."""
    settings = NetworkSettings(proxy=proxy)
    assert settings.proxy == proxy
    assert "secret" not in repr(settings)


@pytest.mark.parametrize(
    "proxy", ["proxy.example:3128", "socks5://secret", "http://", "http://a/secret", "http://a?secret"]
)
def test_what_is_no_proxy_is_refused_without_showing_it(proxy: str):
    """It may hold a password."""
    with pytest.raises(ValidationError) as wrong:
        NetworkSettings(proxy=proxy)
    assert "secret" not in str(wrong.value)


def test_a_plugins_client_has_the_limits_of_the_file():
    """Every limit of a client can be set."""
    limits = NetworkSettings(timeout_seconds=7, max_headers=3).outbound()
    assert (limits.timeout_seconds, limits.max_headers) == (7, 3)
