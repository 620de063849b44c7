"""The plugins that ship keep the contract that their authors' plugins have to keep."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from hotplane.builtin import BUILTIN_TYPES, load_builtin
from hotplane.builtin.runners.local import LocalRunner
from hotplane.builtin.webhooks.keys import new_secret
from hotplane.plugins import Plugin
from hotplane.programs import Programs, ProgramSettings
from hotplane.testing import FakeRunner, assert_plugin_contract
from hotplane.values import Json

NOBODY = "127.0.0.1:9"
CONFIGURATIONS: Mapping[str, Sequence[Mapping[str, Json]]] = {
    "http": [{"base_url": f"http://{NOBODY}"}],
    "valkyrie": [{"endpoint": f"tcp://{NOBODY}"}],
    "expression-validator": [{"rules": [{"expression": "output != null"}]}],
    "expected-output": [{}, {"mode": "fuzzy"}],
    "json-schema-validator": [{}, {"check_status": False, "max_latency_ms": 5}],
    "percentage-sampler": [{}, {"sampling_rate": 0.5}],
    "error-rate-sampler": [{}, {"window": "time", "minimum_calls": 1}],
    "rate-limited": [{"sampler": {"type": "always-on-failure"}}],
    "budget": [{"sampler": {"type": "always-on-failure"}}],
    "slack-webhook-handler": [{"slack_webhook_url": "https://hooks.example.com/services/T0/B0/secret"}],
    "teams-webhook-handler": [{"teams_webhook_url": "https://teams.example.com/hook/secret"}],
    "http-webhook-handler": [{"url": "https://example.com/hook", "secrets": [new_secret()]}],
    "email-webhook-handler": [{"host": "mail.example.com", "sender": "a@example.com", "recipients": ["b@example.com"]}],
}


@pytest.fixture
def make() -> Iterator[Callable[[str], Callable[[Any], Plugin[Any]] | None]]:
    """Return what says how a type is made, where it is not as a host makes all others."""
    programs = Programs(ProgramSettings(allow=("hotplane.testing.*",)))

    def local(config: Any) -> Plugin[Any]:
        runner = LocalRunner(config)
        runner.programs = programs
        return runner

    yield lambda name: local if name == "local" else None
    programs.close()


@pytest.mark.parametrize("type", sorted(BUILTIN_TYPES))
def test_a_builtin_keeps_the_contract(type: str, make: Any, tmp_path: Path):
    """Metadata, configuration, hooks in any order, and what its kind promises."""
    configurations = CONFIGURATIONS.get(type, [{}])
    if type == "file-webhook-handler":
        configurations = [{"directory": str(tmp_path)}]
    assert_plugin_contract(load_builtin(type), configurations=configurations, make=make(type), network=type != "http")


def test_the_fake_runner_keeps_the_contract():
    """What tests rely on is held to what runners are held to."""
    assert_plugin_contract(FakeRunner)
