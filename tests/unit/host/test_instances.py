"""Making a plugin of its class, and what its hooks may do wrong at each step."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Event
from typing import Any

import pytest
from pydantic import field_validator

from hotplane.errors import ConfigurationError, ConfigurationRefused, PluginMisconfigured, PluginTimeout, Problem
from hotplane.host import HostSettings, PluginSpec
from hotplane.host.instances import Instances, Unhealthy, read_configuration, reason_of
from hotplane.host.showing import HIDDEN, shown_configuration
from hotplane.plugins import Config, Plugin, Validator, WebhookHandler
from hotplane.programs import DaemonThreads
from hotplane.records import PluginMetadata, ValidationResult


class Plain(Validator):
    metadata = PluginMetadata(name="plain", version="1")

    def validate(self, execution: Any, context: Any) -> ValidationResult:
        return ValidationResult(valid=True)


class Keeping(Plain):
    """Exports what its class says."""

    state: object = b"state"
    taken: object = None

    def export_state(self) -> Any:
        return self.state

    def import_state(self, state: bytes) -> None:
        self.taken = state


class Handler(WebhookHandler):
    metadata = PluginMetadata(name="handler", version="1")
    supported_events = frozenset()
    objections: Sequence[Problem] | None = ()
    stopped = False

    def validate_configuration(self, configuration: Any) -> Any:
        if self.objections is None:
            raise OSError("the network is down")
        return self.objections

    async def handle(self, event: Any, context: Any) -> None: ...

    def stop(self) -> None:
        self.stopped = True


class Cancelling(Handler):
    async def validate_configuration(self, configuration: Any) -> Any:
        raise KeyboardInterrupt


Make = Any
PATIENT = {f"{step}_timeout_seconds": 60 for step in ("start", "health", "stop")}


@pytest.fixture
def instances() -> Any:
    """Instances with limits that a test sets."""
    threads = DaemonThreads(max_threads=2, max_stuck=2, queue_limit=4)

    def make(admit: Any = None, **limits: float) -> Instances:
        settings = HostSettings.model_validate({**PATIENT, **limits})
        return Instances(make_context=lambda *_: Any, offload=threads.call, settings=settings, admit=admit)  # pyright: ignore[reportArgumentType, reportReturnType]

    return make


async def made(instances: Instances, cls: type[Plugin[Any]], **fields: Any) -> Any:
    """Make an instance of a class."""
    return await instances.make(PluginSpec(id="one", type="one", cls=cls), cls, fields)


async def test_a_constructor_that_hangs(instances: Make) -> None:
    """It is given up after the time for a start."""
    release = Event()

    class Slow(Plain):
        def __init__(self) -> None:
            release.wait(60)

    try:
        with pytest.raises(PluginTimeout, match="__init__"):
            await made(instances(start_timeout_seconds=0.05), Slow)
    finally:
        release.set()


async def test_a_configuration_that_the_host_does_not_allow(instances: Make) -> None:
    """The plugin's own model took it, the operator does not."""
    limited = instances(admit=lambda *_: [Problem("not here", "/url")])
    with pytest.raises(PluginMisconfigured, match="/url: not here"):
        await made(limited, Plain)


@pytest.mark.parametrize(
    ("state", "limit", "reason"),
    [("text", 100, "returned str, not bytes"), (b"x" * 11, 10, "has 11 bytes, more than 10")],
)
async def test_a_state_that_cannot_be_carried_over(instances: Make, state: object, limit: int, reason: str) -> None:
    """The new generation does not begin with half of what the old one knew."""
    host = instances(max_state_bytes=limit)
    old, new = await made(host, Keeping), await made(host, Keeping)
    old.state = state
    with pytest.raises(Unhealthy, match=reason):
        await host.carry_state(old, new)
    assert new.taken is None


async def test_no_state_is_no_state(instances: Make) -> None:
    """Nothing is handed over where nothing was exported."""
    host = instances()
    old, new = await made(host, Keeping), await made(host, Keeping)
    old.state = None
    await host.carry_state(old, new)
    assert new.taken is None
    old.state = b"known"
    await host.carry_state(old, new)
    assert new.taken == b"known"


async def test_a_handler_that_objects_is_stopped_again(instances: Make) -> None:
    """Also when it cannot even tell whether it objects."""
    host = instances()
    for objections, reason in (
        ((Problem("no such channel", "/channel"),), "no such channel"),
        (None, "network is down"),
    ):
        handler = await made(host, Handler)
        handler.objections = objections
        with pytest.raises(ConfigurationRefused, match=reason):
            await host.start(handler)
        assert handler.stopped


async def test_a_start_that_is_broken_off_stops_the_handler(instances: Make) -> None:
    """Whatever ends the check of its configuration, nothing of it goes on."""
    host = instances()
    handler = await made(host, Cancelling)
    with pytest.raises(KeyboardInterrupt):
        await host.start(handler)
    assert handler.stopped


async def test_a_handler_keeps_its_configuration_when_it_objects_to_another(instances: Make) -> None:
    """It goes on as before."""
    host = instances()
    handler = await made(host, Handler)
    before = handler.config
    handler.objections = (Problem("no such channel"),)
    with pytest.raises(ConfigurationError, match="no such channel"):
        await host.reconfigure(handler, Config())
    assert handler.config is before


class Moody(Config):
    """A model whose validators raise what they should not, and that cannot be written."""

    word: str = ""

    @field_validator("word")
    @classmethod
    def _check(cls, word: str) -> str:
        raise RuntimeError(f"cannot judge {word}")


class Odd(Plain):
    Config = Moody


def test_a_model_that_fails_is_the_plugins_mistake() -> None:
    """Not every author raises ValueError."""
    with pytest.raises(PluginMisconfigured, match="its model failed: RuntimeError: cannot judge x"):
        read_configuration("odd", Odd, {"word": "x"})


def test_a_configuration_that_its_model_cannot_read_is_hidden() -> None:
    """Its keys are shown, and nothing of what may be a secret."""
    assert shown_configuration(Odd, {"word": "x"}) == {"word": HIDDEN}
    assert shown_configuration(None, {"word": "x"}) == {"word": HIDDEN}


def test_an_error_that_cannot_be_printed_still_has_a_name() -> None:
    """The reason says what it was."""

    class Mute(Exception):
        def __str__(self) -> str:
            raise LookupError

    assert reason_of(Mute()) == "Mute: <LookupError in __str__>"
    assert reason_of(Mute.__mro__[1]()) == "Exception"
