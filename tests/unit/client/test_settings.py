"""Where a server is, and who may know the token."""

from __future__ import annotations

import inspect
import ssl
import subprocess
import sys

import pytest

from hotplane.client import AsyncClient, BadAddress, BadKey, BadToken, Client, ClientError
from hotplane.client import __all__ as names
from hotplane.client.settings import Settings
from hotplane.errors import Invalid


@pytest.mark.parametrize(
    "address", ["", "host:80", "ftp://h", "http://", "http://h:0", "http://h?x=1", "http://h:x", "//h"]
)
def test_what_is_no_address_is_refused(address: str) -> None:
    """The error names it."""
    with pytest.raises(BadAddress, match="is not the address"):
        Settings.checked(address)


def test_a_password_in_the_address_is_refused_and_not_shown() -> None:
    """The message has no part of it."""
    with pytest.raises(BadAddress) as found:
        Settings.checked("http://me:hunter2@h")
    assert "hunter2" not in str(found.value)
    assert isinstance(found.value, Invalid)


def test_the_token_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """HOTPLANE_TOKEN is used, unless one is given; an empty one is none."""
    monkeypatch.setenv("HOTPLANE_TOKEN", " from-there ")
    assert Settings.checked("http://h").arguments()["headers"]["authorization"] == "Bearer from-there"
    assert Settings.checked("http://h", token="given").token == "given"
    assert "authorization" not in Settings.checked("http://h", token="").arguments()["headers"]


def test_the_address_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """HOTPLANE_SERVER is used, unless one is given; an empty one is none."""
    monkeypatch.setenv("HOTPLANE_SERVER", "http://elsewhere:4000/")
    with Client() as client:
        assert repr(client) == "<Client of http://elsewhere:4000>"
    assert repr(AsyncClient("http://here:1")) == "<AsyncClient of http://here:1>"
    monkeypatch.setenv("HOTPLANE_SERVER", "")
    assert Settings.checked(None).address == "http://127.0.0.1:3000"


def test_a_token_cannot_smuggle_headers() -> None:
    """A line break is no part of a token, and the message has none of it."""
    with pytest.raises(BadToken) as found:
        Settings.checked("http://h", token="secret\r\nx: y")
    assert "secret" not in str(found.value)


@pytest.mark.parametrize(
    "key", ["", "from-a-file\n", " order", "order ", "a\r\nx: y", "bestellung-ü", "x" * 256, "\x7f"]
)
async def test_a_key_that_cannot_be_sent_is_refused_at_once(key: str) -> None:
    """Nobody listens there: a request that was sent, and repeated, would end as a failed connection."""
    with Client("http://127.0.0.1:9") as client:
        with pytest.raises(BadKey, match="1 to 255 printable ASCII"):
            client.execute("echo", 1, idempotency_key=key)
        with pytest.raises(BadKey):
            client.batch("echo", [1], idempotency_key=key)
    async with AsyncClient("http://127.0.0.1:9") as client:
        with pytest.raises(BadKey):
            await client.execute("echo", 1, idempotency_key=key)


def test_certificates_are_checked() -> None:
    """HTTPS is verified; proxies of the environment are not used."""
    arguments = Settings.checked("https://h").arguments()
    assert isinstance(arguments["verify"], ssl.SSLContext)
    assert arguments["verify"].verify_mode is ssl.CERT_REQUIRED
    assert arguments["trust_env"] is False


def test_both_clients_offer_the_same() -> None:
    """Every method of one is a method of the other, with the same parameters."""
    renamed = {"aclose": "close"}

    def methods(kind: type) -> dict[str, list[str]]:
        public = {name: value for name, value in vars(kind).items() if not name.startswith("_")}
        return {renamed.get(name, name): list(inspect.signature(value).parameters) for name, value in public.items()}

    assert methods(AsyncClient) == methods(Client)
    assert inspect.signature(AsyncClient).parameters.keys() == inspect.signature(Client).parameters.keys()


def test_everything_public_is_there() -> None:
    """Each name of `__all__` exists and, where it is a class, is documented."""
    import hotplane.client

    for name in names:
        found = getattr(hotplane.client, name)
        assert not inspect.isclass(found) or found.__doc__, name


def test_every_error_says_one_sentence_or_two() -> None:
    """The default messages have no places left to fill."""
    from hotplane import client

    assert str(client.ConnectionFailed("http://h", "refused")).startswith("No connection to http://h: refused.")
    assert str(client.ConnectionLost("http://h", "reset")).startswith("http://h gave no answer: reset.")
    assert issubclass(client.UploadIncomplete, ClientError)


def test_the_client_does_not_load_the_host() -> None:
    """Importing it loads neither the application nor the API nor storage."""
    code = (
        "import sys, hotplane.client; print([m for m in sys.modules if m in ('hotplane.app', 'fastapi', 'sqlalchemy')])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
