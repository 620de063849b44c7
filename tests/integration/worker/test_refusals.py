"""What keeps a worker from starting: it says why, and leaves nothing behind."""

from __future__ import annotations

import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from hotplane.errors import ConfigurationError, HotplaneError, MissingExtra
from hotplane.valkyrie import (
    AddressInUse,
    AnonymousRefused,
    InvalidEndpoint,
    InvalidSecret,
    PlaintextRefused,
    TlsSettings,
)
from hotplane.worker import (
    HttpDoorOpen,
    HttpNotEncrypted,
    InvalidHttpAddress,
    NothingMatches,
    Worker,
    WorkerSettings,
)

TOKEN = "a-token-of-nobody"
ADDRESSES: list[tuple[dict[str, Any], type[HotplaneError], str]] = [
    ({"listen": "udp://127.0.0.1:0"}, InvalidEndpoint, "the scheme 'udp' is unknown"),
    ({"listen": "tcp://127.0.0.1"}, InvalidEndpoint, "needs a host and a port"),
    ({"listen": "tcp://127.0.0.1:99999"}, InvalidEndpoint, "from 0 to 65535"),
    ({"listen": "tls://127.0.0.1:0"}, ConfigurationError, "needs a certificate"),
    ({"listen": "tcp://0.0.0.0:0"}, PlaintextRefused, "not encrypted"),
    ({"listen": "tcp://0.0.0.0:0", "allow_plaintext": True}, AnonymousRefused, "anybody on the network"),
    ({"secret_file": Path("/ghost")}, InvalidSecret, "cannot be read"),
    ({"http": "127.0.0.1"}, InvalidHttpAddress, "needs a host and a port"),
    ({"http": "127.0.0.1:99999"}, InvalidHttpAddress, "from 0 to 65535"),
    ({"http": "ftp://127.0.0.1:1"}, InvalidHttpAddress, "the scheme 'ftp' is unknown"),
    ({"http": "https://127.0.0.1:0"}, InvalidHttpAddress, "needs `--tls-cert`"),
    ({"http": "https://127.0.0.1:0", "tls": TlsSettings(cert_file=Path("/ghost"))}, ConfigurationError, "ghost"),
    ({"http": "0.0.0.0:0", "allow_plaintext": True}, HttpDoorOpen, "HOTPLANE_WORKER_TOKEN"),
    ({"http": "0.0.0.0:0", "token": TOKEN}, HttpNotEncrypted, "not encrypted"),
]
PATTERNS = {
    "ghost": "there is no module 'ghost'",
    "ghost.house": "No module named 'ghost'",
    "broken_for_workers": "No module named 'nothing_of_that_name'",
    "leaving_for_workers": "raised SystemExit",
    "email.ghost*": "no module of 'email' matches",
    "ghost*.house": "no module matches",
    "ghost.*": "No module named 'ghost'",
}


def settings(**changed: Any) -> WorkerSettings:
    """Return settings that work, with changes."""
    return WorkerSettings.model_validate({"listen": "tcp://127.0.0.1:0", "programs": ("json",), **changed})


@pytest.mark.parametrize(("changed", "refusal", "words"), ADDRESSES)
async def test_an_address_that_cannot_be_used_is_refused(
    changed: dict[str, Any], refusal: type[HotplaneError], words: str
):
    """Malformed, not encrypted, or open to everybody: the message says which, and what to do."""
    with pytest.raises(refusal, match=words):
        await Worker(settings(**changed)).start()


@pytest.mark.parametrize("door", ["listen", "http"])
async def test_an_address_in_use_is_refused(door: str):
    """Whichever door it is for."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(AddressInUse, match="in use"):
            await Worker(settings(**{door: f"tcp://{address}" if door == "listen" else address})).start()


@pytest.mark.parametrize(("pattern", "reason"), PATTERNS.items())
async def test_a_pattern_that_allows_nothing_is_refused(tmp_path: Path, pattern: str, reason: str):
    """A misspelt pattern is found at the start, not by the first call."""
    (tmp_path / "broken_for_workers.py").write_text("import nothing_of_that_name\n", "utf-8")
    (tmp_path / "leaving_for_workers.py").write_text("raise SystemExit\n", "utf-8")
    with pytest.raises(NothingMatches, match=reason) as refused:
        await Worker(settings(programs=("json", pattern), paths=(tmp_path,))).start()
    assert refused.value.pattern == pattern


@pytest.mark.parametrize("pattern", ["json", "json.*", "*", "js*", "ema*.mime", "email.mime*"])
async def test_a_pattern_that_allows_something_is_taken(pattern: str):
    """A module, or a pattern that some module matches."""
    worker = Worker(settings(programs=(pattern,)))
    await worker.start()
    await worker.stop(0)


async def test_http_without_its_packages_names_the_extra(monkeypatch: pytest.MonkeyPatch):
    """The message holds the command that installs them."""
    for module in ("hotplane.worker.http_server", "hotplane.network.answering"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(MissingExtra, match=r"pip install 'hotplane\[server\]'"):
        await Worker(settings(http="127.0.0.1:0")).start()
