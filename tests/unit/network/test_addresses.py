"""Whom a client may ask."""

import pytest

from hotplane.network import AddressRefused, AllowedOrigins, InvalidAddress, Origin


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("http://Example.COM/x?y", "http://example.com:80"),
        ("https://user:secret@example.com.:8443", "https://example.com:8443"),
        ("http://[::1]:9", "http://[::1]:9"),
        ("https://bücher.example", "https://xn--bcher-kva.example:443"),
    ],
)
def test_an_origin_is_scheme_host_and_port(url, origin):
    """Spelling, path and credentials make no difference."""
    assert str(Origin.of(url)) == origin


@pytest.mark.parametrize(
    "url", ["ftp://a", "file:///etc/passwd", "a.example", "http://", "http://a:0", "http://a:x", ""]
)
def test_what_is_no_server_is_refused(url):
    """Other schemes, missing hosts and impossible ports."""
    with pytest.raises(InvalidAddress):
        Origin.of(url)


@pytest.mark.parametrize("host", [".", "..", "a..", ".a", "a..b", "1.2.3.4.."])
def test_a_name_with_an_empty_label_is_refused(host):
    """One final dot may stand; nothing may be missing before it."""
    with pytest.raises(InvalidAddress):
        Origin.of(f"http://{host}/")
    with pytest.raises(InvalidAddress):
        Origin.at(host, 25)


def test_a_refused_url_is_not_repeated():
    """It may hold a secret."""
    with pytest.raises(InvalidAddress) as refused:
        Origin.of("ftp://user:secret@a/?token=secret")
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "url", ["http://a.example:81", "https://a.example:80", "http://b.example", "http://a.example.b"]
)
def test_only_what_was_written_down_is_allowed(url):
    """Scheme, host and port have to be the same."""
    policy = AllowedOrigins(["http://a.example/worker"])
    policy.check(Origin.of("http://A.example:80/other"))
    with pytest.raises(AddressRefused):
        policy.check(Origin.of(url))


@pytest.mark.parametrize(
    ("url", "local"),
    [("http://127.0.0.9", True), ("http://[::1]", True), ("http://localhost", True), ("http://10.0.0.1", False)],
)
def test_loopback_is_known_by_its_name(url, local):
    """Names that are not `localhost` are taken for other machines."""
    assert Origin.of(url).is_loopback is local
