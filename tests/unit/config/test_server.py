"""The doors: addresses, tokens and hosts."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from hotplane.config import LogSettings, ServerSettings, hash_token, is_loopback

TOKEN = hash_token("secret")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost", "LocalHost"])
def test_loopback_needs_no_token(host: str):
    """Only this machine can call."""
    assert ServerSettings(host=host).tokens == ()


@pytest.mark.parametrize(
    "host",
    ["0.0.0.0", "::", "[::]", "10.0.0.1", "example.org", "localhost.example.org", "127.0.0.1.nip.io", "127.1", "*"],
)
def test_anything_beyond_loopback_needs_a_token(host: str):
    """An open bind is refused, and opened by a token."""
    with pytest.raises(ValidationError, match="no token is set"):
        ServerSettings(host=host)
    assert ServerSettings(host=host, tokens=(TOKEN,)).host == host


@given(st.ip_addresses())
def test_an_address_is_loopback_when_its_network_is(address: Any):
    """127.0.0.0/8 and ::1, and nothing else."""
    assert is_loopback(str(address)) == (str(address).startswith("127.") or str(address) == "::1")


@pytest.mark.parametrize("token", ["secret", "sha256:secret", TOKEN.upper(), TOKEN + "0", TOKEN[7:], TOKEN + "\n"])
def test_a_plain_token_is_refused_without_showing_it(token: str):
    """The file holds hashes alone, and the message tells how to make one."""
    with pytest.raises(ValidationError) as caught:
        ServerSettings(tokens=(TOKEN, token))
    assert "sha256sum" in str(caught.value)
    assert token not in str(caught.value)


def test_a_hashed_token_is_the_sha256_of_its_bytes():
    """What `printf %s secret | sha256sum` prints."""
    assert TOKEN == "sha256:2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"


@pytest.mark.parametrize("host", ["http://x", "x:80", "*", "*.x", "", "a b", "a/b"])
def test_a_host_is_a_bare_name(host: str):
    """Schemes, ports and wildcards would never match a Host header's name."""
    with pytest.raises(ValidationError):
        ServerSettings(allowed_hosts=(host,))


def test_host_names_are_compared_in_lower_case():
    """The Host header knows no case."""
    assert ServerSettings(allowed_hosts=("Example.ORG", "[fe80::1]")).allowed_hosts == ("example.org", "[fe80::1]")


def test_a_log_level_may_be_written_in_any_case():
    """`INFO` is what other programs call it."""
    assert LogSettings.model_validate({"level": "WARNING"}).level == "warning"
