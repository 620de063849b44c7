"""The configuration files that must load, and the ways to register plugins."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hotplane import Hotplane
from hotplane.plugins import Config, Plugin, Validator
from hotplane.records import PluginMetadata, ValidationResult

SHARED = Path(__file__).parents[3].parent / "shared" / "examples"
PLUGINS_YAML = """
plugins:
  enabled: true
  valkyrie:
    endpoint: "tcp://localhost:8080"
    enable_fallback: true
    health_check_interval: 30
  webhook_handlers:
    - name: slack-webhook-handler

fallback:
  enabled: true
  strategy: "http"
  http_config:
    base_url: "http://localhost:3000"
    timeout_ms: 30000
"""


def states(host: Hotplane) -> dict[str, tuple[str, str | None]]:
    """Return state and reason of every plugin."""
    return {status.id: (status.state, status.reason) for status in host.plugins.list()}


async def test_an_incomplete_handler_does_not_keep_the_host_from_starting(tmp_path: Path) -> None:
    """It is listed as failed, with the reason, and the rest works; a worker that is not there keeps nobody either."""
    file = tmp_path / "plugins.yaml"
    file.write_text(PLUGINS_YAML)
    async with Hotplane.from_config(file, overrides={"storage.url": str(tmp_path / "x.db")}) as host:
        found = states(host)
        state, reason = found.pop("slack-webhook-handler")
        assert found == {"local": ("active", None), "http": ("active", None), "valkyrie": ("active", None)}
        assert state == "failed"
        assert "/slack_webhook_url: `slack_webhook_url` is missing" in str(reason)


@pytest.mark.parametrize("name", ["plugins.yaml", "appsettings.json"])
@pytest.mark.skipif(not SHARED.is_dir(), reason="../shared is not here")
async def test_the_shared_examples_load_unchanged(name: str, tmp_path: Path) -> None:
    """Both files load, and a host starts with them."""
    async with Hotplane.from_config(SHARED / name, overrides={"storage.url": str(tmp_path / "x.db")}) as host:
        assert states(host)["local"] == ("active", None)
        assert len(states(host)) > 1


class Words(Config):
    words: tuple[str, ...] = ()


class Polite(Validator[Words]):
    metadata = PluginMetadata(name="polite", version="1.0")

    def validate(self, execution: Any, context: Any) -> ValidationResult:
        return ValidationResult(valid=not set(self.config.words) & set(str(execution.output).split()))


class Greeter(Plugin):
    """A kind of our own."""

    def greet(self, name: str) -> str:
        raise NotImplementedError


async def test_plugins_are_registered_by_hand_by_decorator_and_by_configuration(tmp_path: Path) -> None:
    """Three ways in, one way of living; a kind of one's own is loaded and switched like any other."""
    host = Hotplane.from_config(
        {
            "storage": {"url": str(tmp_path / "x.db")},
            "plugins": {"validators": [{"name": "json-schema-validator", "priority": 1}]},
        }
    )
    host.register(Polite, configuration={"Words": ["damn"]}, priority=5)
    host.register(Polite(Words(words=("heck",))), id="second")

    @host.plugin(priority=9)
    class Friendly(Greeter):
        metadata = PluginMetadata(name="friendly", version="1")

        def greet(self, name: str) -> str:
            return f"hello {name}"

    async with host:
        assert [plugin.id for plugin in host.registry.list(Validator)] == ["polite", "json-schema-validator", "second"]
        assert host.registry.chain(Greeter).run("you") == ["hello you"]
        assert host.registry.resolve(Friendly, "friendly") is not None
        await host.plugins.disable("friendly")
        assert host.registry.chain(Greeter).run("you") == []
        loaded = await host.load(Polite, id="third")
        assert loaded.state == "active"
