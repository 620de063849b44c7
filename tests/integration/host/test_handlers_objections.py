"""What a webhook handler finds wrong with its own configuration, once it is started."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from hotplane import Hotplane
from hotplane.errors import ConfigurationError, PluginReloadFailed, Problem
from hotplane.plugins import Config, WebhookHandler
from hotplane.records import Event, PluginMetadata, PluginState


class Word(Config):
    """A word, and a key that nobody may see."""

    word: str = "good"
    key: SecretStr = SecretStr("hush")


class Choosy(WebhookHandler[Word]):
    """Objects to a word; validates only between start and stop."""

    metadata = PluginMetadata(name="choosy", version="1.0")

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[str] = []

    async def start(self, context: Any) -> None:
        self.steps.append("start")

    async def validate_configuration(self, configuration: Any) -> tuple[Problem, ...]:
        self.steps.append("validate")
        if configuration.word == "raise":
            raise RuntimeError("no idea")
        return () if configuration.word == "good" else (Problem("it is a bad word", "/word"),)

    async def stop(self) -> None:
        self.steps.append("stop")

    def handle(self, event: Event, context: Any) -> None:
        """Take everything."""


class Adaptable(Choosy):
    """Takes another configuration in by itself."""

    metadata = PluginMetadata(name="adaptable", version="1.0")

    async def reconfigure(self, config: Any) -> None:
        self.steps.append("reconfigure")


def a_host(folder: Path, cls: type[Choosy], word: str) -> Hotplane:
    """Return a host with a handler."""
    host = Hotplane.from_config({"storage": {"url": str(folder / "host.db")}})
    host.register(cls, configuration={"word": word})
    return host


@pytest.mark.parametrize(("word", "reason"), [("bad", "it is a bad word (at /word)"), ("raise", "no idea")])
async def test_a_handler_that_objects_does_not_serve(tmp_path: Path, word: str, reason: str) -> None:
    """It is failed with the reasons, the host starts without it, and it is asked again later."""
    async with a_host(tmp_path, Choosy, word) as host:
        status = host.plugins.get("choosy")
        assert status.state is PluginState.FAILED
        assert reason in str(status.reason)
        assert status.retry_at is not None
        assert host.readiness() == ()


async def test_it_is_asked_between_start_and_service(tmp_path: Path) -> None:
    """With everything that the start gave it."""
    async with a_host(tmp_path, Choosy, "good") as host:
        plugin = next(entry.plugin for entry in host.registry.entries() if entry.id == "choosy")
        assert isinstance(plugin, Choosy)
        assert plugin.steps == ["start", "validate"]


async def test_an_objection_leaves_the_old_generation_serving(tmp_path: Path) -> None:
    """A configuration that comes while it runs is validated, too."""
    async with a_host(tmp_path, Choosy, "good") as host:
        with pytest.raises(PluginReloadFailed, match="it is a bad word"):
            await host.plugins.reconfigure("choosy", {"word": "bad"})
        assert host.plugins.get("choosy").state is PluginState.ACTIVE
        assert host.plugins.get("choosy").overrides == {}


async def test_an_objection_comes_before_a_plugins_own_hook(tmp_path: Path) -> None:
    """Where the handler takes configurations in by itself."""
    async with a_host(tmp_path, Adaptable, "good") as host:
        with pytest.raises(ConfigurationError, match="it is a bad word"):
            await host.plugins.reconfigure("adaptable", {"word": "bad"})
        plugin = next(entry.plugin for entry in host.registry.entries() if entry.id == "adaptable")
        assert isinstance(plugin, Adaptable)
        assert plugin.steps == ["start", "validate", "validate"]


async def test_what_operators_changed_is_shown_without_secrets(tmp_path: Path) -> None:
    """Whether or not it serves, and whether or not its class is known."""
    async with a_host(tmp_path, Choosy, "good") as host:
        changed = await host.plugins.reconfigure("choosy", {"word": "good", "key": "top-secret"})
        assert changed.overrides == {"configuration": {"word": "good", "key": "**********"}}
        stopped = await host.plugins.stop("choosy")
        assert "top-secret" not in str(stopped)
        assert "top-secret" in str(await host.store.overrides())
