"""What the Valkyrie runner's configuration accepts and refuses."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from hotplane.builtin.runners.valkyrie import ValkyrieConfig
from hotplane.builtin.runners.valkyrie.settings import plan
from hotplane.errors import PluginMisconfigured
from hotplane.log import capture_logs

EXAMPLE = """
endpoint: "tcp://localhost:8080"
enable_fallback: true
health_check_interval: 30
"""


def test_the_defaults_are_those_of_the_requirements():
    """A configuration that says nothing has the documented values."""
    config = ValkyrieConfig()
    assert [str(worker) for worker in config.workers] == ["tcp://localhost:8080"]
    assert (config.connect_timeout_ms, config.request_timeout_ms, config.max_connections) == (5_000, 30_000, 100)
    assert (config.pooling, config.health_check_interval, config.metrics, config.enable_fallback) == (
        True, 30, True, True,
    )  # fmt: skip


@pytest.mark.parametrize(
    "given",
    [
        yaml.safe_load(EXAMPLE),
        {"Endpoint": "tcp://localhost:8080", "EnableFallback": True, "HealthCheckInterval": 30},
    ],
)
def test_the_example_is_accepted(given: dict[str, Any]):
    """The keys of the example file, in either spelling."""
    assert ValkyrieConfig.model_validate(given) == ValkyrieConfig()


LOCAL = "tcp://127.0.0.1:1"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"endpoint": "tpc://127.0.0.1:1"}, "the scheme 'tpc' is unknown; did you mean 'tcp'?"),
        ({"endpoint": "http://127.0.0.1:1"}, "the scheme 'http' is unknown"),
        ({"endpoint": "127.0.0.1:1"}, "Write `tcp://host:port`"),
        ({"endpoint": ""}, "it has no scheme"),
        ({"endpoint": "tcp://127.0.0.1"}, "it needs a host and a port"),
        ({"endpoint": "tcp://127.0.0.1:0"}, "nobody can connect to port 0"),
        ({"endpoint": "tcp://127.0.0.1:65536"}, "the port is not a number from 0 to 65535"),
        ({"endpoint": "tcp://127.0.0.1:http"}, "the port is not a number from 0 to 65535"),
        ({"endpoints": [LOCAL, "tls://"]}, "it needs a host and a port"),
        ({"endpoints": [LOCAL, LOCAL]}, "is there twice; raise `connections_per_endpoint`"),
        ({"endpoint": LOCAL, "endpoints": [LOCAL]}, "`endpoint` and `endpoints` exclude each other"),
        ({"endpoint": "tcp://worker.example:1"}, "beyond this machine and not encrypted; use `tls://`"),
        ({"endpoint": LOCAL, "tls": {}}, "`tls` has no effect on tcp://127.0.0.1:1"),
        ({"secret_file": "a", "secret_env": "B"}, "`secret_file` and `secret_env` exclude each other"),
        ({"max_connections": 1}, "are more than `max_connections`, 1"),
        ({"reconnect_max_ms": 1}, "`reconnect_max_ms` is less than `reconnect_min_ms`"),
        ({"health_check_interval": 0}, "greater than 0"),
        ({"endpoints": [f"tcp://127.0.0.1:{port}" for port in range(1, 34)]}, "at most 32"),
    ],
)
def test_what_cannot_work_is_refused_with_a_reason(given: dict[str, Any], said: str):
    """Every mistake is told before anything is connected."""
    with pytest.raises(ValidationError) as refused:
        ValkyrieConfig.model_validate(given)
    assert said in str(refused.value)


def test_a_secret_does_not_belong_into_the_configuration():
    """It is refused as an unknown key, and the message does not repeat it."""
    with pytest.raises(ValidationError) as refused:
        ValkyrieConfig.model_validate({"secret": "0123456789abcdef0123"})
    assert "0123456789abcdef" not in str(refused.value)


def test_plaintext_beyond_this_machine_needs_a_word():
    """`allow_plaintext` is that word."""
    config = ValkyrieConfig(endpoint="tcp://worker.example:1", allow_plaintext=True)
    assert plan(config).client.allow_plaintext


def test_without_a_pool_there_is_one_connection():
    """`pooling: false` overrides the number of connections, which then fits any limit."""
    config = ValkyrieConfig(pooling=False, connections_per_endpoint=64, max_connections=1)
    assert plan(config).connections_each == 1


def test_a_secret_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch):
    """White space at its ends is dropped, as with files."""
    monkeypatch.setenv("WORKER_SECRET", " 0123456789abcdef0123 \n")
    client = plan(ValkyrieConfig(secret_env="WORKER_SECRET")).client  # the name of a variable
    assert client.read_secret() == b"0123456789abcdef0123"
    assert "0123456789" not in repr(client)


def test_a_secret_file_that_others_can_read_is_warned_of_once(tmp_path):
    """The file is read once, so that reconnecting neither warns again nor depends on it."""
    file = tmp_path / "secret"
    file.write_text("0123456789abcdef0123\n")
    file.chmod(0o644)
    with capture_logs() as logs:
        client = plan(ValkyrieConfig(secret_file=file)).client
        file.unlink()
        assert client.read_secret() == client.read_secret() == b"0123456789abcdef0123"
    assert [line["event"] for line in logs] == ["secret_file_readable_by_others"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"secret_env": "NO_SUCH_VARIABLE"}, "'NO_SUCH_VARIABLE' is not set"),
        ({"secret_env": "SHORT"}, "fewer than 16"),
        ({"secret_file": "/nonexistent/secret"}, "cannot be read"),
        ({"endpoint": "tls://localhost:1", "tls": {"ca_file": "/nonexistent/ca.pem"}}, "holds no certificates"),
    ],
)
def test_files_that_cannot_be_used_wait_for_the_operator(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, Any], said: str
):
    """What no restart can mend is misconfigured, and the message says what."""
    monkeypatch.setenv("SHORT", "tooshort")
    with pytest.raises(PluginMisconfigured) as raised:
        plan(ValkyrieConfig.model_validate(given))
    assert said in str(raised.value)
    assert "tooshort" not in str(raised.value)
