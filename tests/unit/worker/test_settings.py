"""Reading the HTTP address, and what the settings refuse together."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from hotplane.valkyrie import TlsSettings
from hotplane.worker import CpuBoundWithoutPattern, HttpDoorOpen, InvalidHttpAddress, WorkerSettings
from hotplane.worker.settings import HttpAddress

OPEN = "0.0.0.0:8081"


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("127.0.0.1:8081", "http://127.0.0.1:8081"),
        ("localhost:0", "http://localhost:0"),
        ("http://[::1]:8081/", "http://[::1]:8081"),
        ("https://worker.example:443", "https://worker.example:443"),
    ],
)
def test_an_address_is_read(text: str, url: str):
    """Host and port, with or without a scheme."""
    assert str(HttpAddress.parse(text)) == url


@pytest.mark.parametrize(
    "text",
    ["", "8081", ":8081", "::1:8081", "host", "host:", "host:x", "host:1/path", "a@b:1", "host:1?q", "tcp://h:1"],
)
def test_anything_else_is_refused(text: str):
    """Nothing is guessed."""
    with pytest.raises(InvalidHttpAddress):
        HttpAddress.parse(text)


def test_a_client_certificate_is_as_good_as_a_token():
    """HTTPS that asks clients for certificates may be beyond this machine; without asking it may not."""
    files = {"cert_file": "cert.pem", "ca_file": "ca.pem"}
    mutual = WorkerSettings(programs=("jobs",), http=f"https://{OPEN}", tls=TlsSettings.model_validate(files))
    plain = WorkerSettings(
        programs=("jobs",), http=f"https://{OPEN}", tls=TlsSettings.model_validate({**files, "ca_file": None})
    )
    assert mutual.http_address() is not None
    with pytest.raises(HttpDoorOpen):
        plain.http_address()


def test_processes_need_programs():
    """A number of processes without a pattern would do nothing, silently."""
    with pytest.raises(CpuBoundWithoutPattern):
        WorkerSettings(programs=("jobs",), processes=2)


def test_no_processes_without_pattern():
    """By default every program runs in the worker."""
    assert WorkerSettings(programs=("jobs",)).process_count == 0
    assert WorkerSettings(programs=("jobs",), cpu_bound=("jobs",)).process_count >= 1


def test_a_malformed_token_is_not_in_the_message():
    """Errors of settings are printed; secrets are not."""
    with pytest.raises(ValidationError) as refused:
        WorkerSettings.model_validate({"programs": ("jobs",), "token": "secret with spaces"})
    assert "spaces" not in str(refused.value)
