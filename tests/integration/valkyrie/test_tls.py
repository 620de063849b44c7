"""TLS and mutual TLS by ordinary certificate files."""

import pytest

from hotplane.errors import ConfigurationError
from hotplane.log import capture_logs
from hotplane.valkyrie import ConnectFailed
from tests.integration.valkyrie.conftest import Certificates, Connect, RawConnect, Serve, openssl, until

TLS = "tls://localhost:0"


def files(certificates: Certificates, name: str | None = None, ca: str | None = None) -> dict[str, str]:
    """Return the settings for a certificate and an authority."""
    own = {"cert_file": certificates.path(f"{name}.pem"), "key_file": certificates.path(f"{name}.key")}
    return {**(own if name else {}), **({"ca_file": certificates.path(f"{ca}.pem")} if ca else {})}


async def test_calls_are_encrypted(start_server: Serve, start_client: Connect, certificates: Certificates):
    """A certificate that the client's authority signed, for the endpoint's name."""
    server = await start_server(endpoint=TLS, tls=files(certificates, "server"))
    client = await start_client(server.endpoint, tls=files(certificates, ca="ca"))
    assert await client.call("t", "m", b"x" * 300_000, 30) == b"x" * 300_000


@pytest.mark.parametrize(
    ("names", "reason"),
    [(("server", "other"), "certificate is not accepted"), (("expired", "ca"), "certificate has expired")],
)
async def test_a_certificate_that_is_not_good_is_refused(
    start_server: Serve, start_client: Connect, certificates: Certificates,
    names: tuple[str, str], reason: str,
):  # fmt: skip
    """An unknown authority or a time that is over: no connection, nothing executed."""
    server = await start_server(endpoint=TLS, tls=files(certificates, names[0]))
    with pytest.raises(ConnectFailed, match=reason) as caught:
        await start_client(server.endpoint, tls=files(certificates, ca=names[1]))
    assert caught.value.executed == "no"


async def test_a_certificate_for_another_name_is_refused(
    start_server: Serve, start_client: Connect, certificates: Certificates
):
    """The name counts, and `server_name` says which."""
    server = await start_server(endpoint=TLS, tls=files(certificates, "server"))
    with pytest.raises(ConnectFailed, match="not accepted"):
        await start_client(server.endpoint, tls=files(certificates, ca="ca") | {"server_name": "other.example"})


async def test_mutual_tls_admits_the_known(start_server: Serve, start_client: Connect, certificates: Certificates):
    """A client with a certificate of the server's authority may call."""
    server = await start_server(endpoint=TLS, tls=files(certificates, "server", "ca"))
    client = await start_client(server.endpoint, tls=files(certificates, "client", "ca"))
    assert await client.call("t", "m", b"x", 30) == b"x"


@pytest.mark.parametrize("name", [None, "expired"])
async def test_mutual_tls_refuses_the_unknown(
    start_server: Serve, start_client: Connect, certificates: Certificates, name: str | None
):
    """No certificate, or one whose time is over, is no entrance."""
    server = await start_server(endpoint=TLS, tls=files(certificates, "server", "ca"))
    with pytest.raises(ConnectFailed) as caught:
        await start_client(server.endpoint, tls=files(certificates, name, "ca"))
    assert caught.value.executed == "no"


async def test_plaintext_on_a_tls_port_is_closed(
    start_server: Serve, raw_connect: RawConnect, certificates: Certificates
):
    """A client without TLS gets no answer but the end, and the log says why."""
    server = await start_server(endpoint="tls://127.0.0.1:0", tls=files(certificates, "server"))
    peer = await raw_connect(server)
    with capture_logs() as logs:
        peer.writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await peer.at_end()
        await until(lambda: bool(logs))
    assert [entry["event"] for entry in logs] == ["valkyrie_tls_failed"]


async def test_idle_connections_evict_each_other_before_tls_too(
    start_server: Serve, start_client: Connect, raw_connect: RawConnect, certificates: Certificates
):
    """Connections that never begin their TLS handshake count as unauthenticated."""
    server = await start_server(endpoint="tls://127.0.0.1:0", tls=files(certificates, "server"), max_unauthenticated=5)
    for _ in range(20):
        await raw_connect(server)
    client = await start_client(server.endpoint, tls=files(certificates, ca="ca"))
    assert await client.call("t", "m", b"x", 30) == b"x"
    assert server.unauthenticated <= 5


async def test_missing_files_are_named(start_server: Serve, start_client: Connect, certificates: Certificates):
    """A server without a certificate, a client with an authority that does not exist."""
    with pytest.raises(ConfigurationError, match="needs a certificate"):
        await start_server(endpoint=TLS)
    with pytest.raises(ConfigurationError, match=r"nobody\.pem"):
        await start_client("tls://localhost:1", tls=files(certificates, ca="nobody"))


async def test_an_authority_that_nobody_named_must_be_the_systems(
    start_server: Serve, start_client: Connect, certificates: Certificates
):
    """Without an authority of its own a client trusts the system's list, which does not hold ours."""
    server = await start_server(endpoint=TLS, tls=files(certificates, "server"))
    with pytest.raises(ConnectFailed, match="certificate is not accepted"):
        await start_client(server.endpoint)


async def test_a_certificate_without_its_key_is_named(start_server: Serve, certificates: Certificates):
    """A key that belongs to another certificate is refused before anybody can connect."""
    tls = {"cert_file": certificates.path("server.pem"), "key_file": certificates.path("client.key")}
    with pytest.raises(ConfigurationError, match=r"no certificate with its key can be read from .*client\.key"):
        await start_server(endpoint=TLS, tls=tls)


async def test_an_encrypted_key_is_refused_instead_of_asked_for(start_server: Serve, certificates: Certificates):
    """No terminal is asked for a password: that would block the process."""
    openssl(
        certificates.directory,
        *("ec", "-in", "server.key", "-aes128", "-passout", "pass:secret", "-out", "locked.key"),
    )
    tls = {"cert_file": certificates.path("server.pem"), "key_file": certificates.path("locked.key")}
    with pytest.raises(ConfigurationError, match="keys must not be"):
        await start_server(endpoint=TLS, tls=tls)
