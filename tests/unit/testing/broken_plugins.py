"""Plugins that break one promise each, by the check that has to find it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import threading
import time
from typing import Any

from pydantic import BaseModel, ConfigDict

from hotplane.plugins import (
    Config,
    Plugin,
    ProgramFailed,
    Receipt,
    Runner,
    Sample,
    Sampler,
    Validator,
    WebhookHandler,
)
from hotplane.records import ExecutionFailure, PluginMetadata, ValidationResult

META = PluginMetadata(name="broken", version="1.0")
FINE = ValidationResult(valid=True)


def beside_the_loop() -> None:
    """Object to being called by an event loop."""
    with contextlib.suppress(RuntimeError):
        asyncio.get_running_loop()
        raise AssertionError("called in the event loop")


class Sound(Validator):
    """Breaks nothing; what the others are made of."""

    metadata = META

    def validate(self, execution: Any, context: Any) -> Any:
        """Find everything right."""
        return FINE


class TooNew(Sound):
    metadata = PluginMetadata(name="broken", version="1.0", requires_host=">=99")


class Reserved(Sound):
    metadata = PluginMetadata(name="health", version="1.0")


class Lenient(Sound):
    class Config(BaseModel):
        """Derives from the wrong base."""

        word: str = "x"


class SnakeOnly(Sound):
    class Config(BaseModel):
        """Knows its settings by one spelling alone."""

        model_config = ConfigDict(extra="forbid")
        two_words: str = "x"


class NoSchema(Sound):
    class Config(Config):
        """Has what JSON Schema cannot say."""

        model_config = ConfigDict(arbitrary_types_allowed=True)
        thing: Sound | None = None


class NeverStarts(Sound):
    def start(self, context: Any) -> None:
        raise RuntimeError("no luck")


class StartsOnce(Sound):
    started = False

    def start(self, context: Any) -> None:
        assert not self.started
        self.started = True


class StopsOnlyWhenStarted(Sound):
    def start(self, context: Any) -> None:
        self.context = context

    def stop(self) -> None:
        assert self.context


class SwallowsCancellation(Sound):
    async def start(self, context: Any) -> None:
        try:
            await asyncio.sleep(0.2)
        except asyncio.CancelledError:
            raise RuntimeError("cancelled") from None


class LeavesTasks(Sound):
    async def start(self, context: Any) -> None:
        self.task = asyncio.create_task(asyncio.sleep(3600), name="forgotten")


class HealthIsText(Sound):
    def check_health(self) -> Any:
        return "fine"


class StatsAreSets(Sound):
    def stats(self) -> Any:
        return {"seen": {1, 2}}


class RefusesItsOwn(Sound):
    def reconfigure(self, config: Any) -> None:
        raise ValueError("not that one")


class Blocks(Sound):
    def validate(self, execution: Any, context: Any) -> Any:
        if execution.latency_ms > 1000:
            time.sleep(0.1)
        return FINE


class BlocksAside(Sound):
    blocking = True

    def validate(self, execution: Any, context: Any) -> Any:
        beside_the_loop()
        return FINE


class Forgets(Sound):
    def export_state(self) -> bytes:
        return b"%d" % random.getrandbits(64)

    def import_state(self, state: bytes) -> None:
        """Throw it away."""


class Gullible(Sound):
    """Takes whatever it is given for its state."""

    state = b"[]"

    def export_state(self) -> bytes:
        return self.state

    def import_state(self, state: bytes) -> None:
        self.state = state

    def validate(self, execution: Any, context: Any) -> Any:
        json.loads(self.state).append(1)
        return FINE


class HalfState(Sound):
    def export_state(self) -> bytes:
        return b"1"


class SaysYes(Sound):
    def validate(self, execution: Any, context: Any) -> Any:
        return True


class AlwaysRaises(Sound):
    def validate(self, execution: Any, context: Any) -> Any:
        raise KeyError("price")


class Moody(Sound):
    def validate(self, execution: Any, context: Any) -> Any:
        return ValidationResult(valid=True, confidence=random.random())


class Meddles(Sound):
    def validate(self, execution: Any, context: Any) -> Any:
        if isinstance(execution.output, dict):
            execution.output["seen"] = execution.output.get("seen", 0) + 1
        return FINE


class Optimist(Sound):
    def validate(self, execution: Any, context: Any) -> Any:
        try:
            str(execution.output)
        except Exception:
            return FINE
        return FINE


class Exits(Sound):
    def stats(self) -> Any:
        raise SystemExit(3)


class Hangs(Sound):
    """Keeps the loop until it is released."""

    released = threading.Event()

    async def check_health(self) -> Any:
        self.released.wait(60)


class SamplesTrue(Sampler):
    metadata = META

    def should_sample(self, execution: Any, context: Any) -> Any:
        return True


class NoProbability(Sampler):
    metadata = META
    probabilistic = True

    def should_sample(self, execution: Any, context: Any) -> Any:
        return Sample(sampled=False)


class Lies(Sampler):
    metadata = META
    probabilistic = True

    def should_sample(self, execution: Any, context: Any) -> Any:
        return Sample(sampled=False, probability=0.5)


class Dice(Sampler):
    metadata = META
    probabilistic = True

    def should_sample(self, execution: Any, context: Any) -> Any:
        return Sample(sampled=random.random() < 0.5, probability=0.5)


class Blind(Sampler):
    metadata = META
    observes = True

    def should_sample(self, execution: Any, context: Any) -> Any:
        return Sample(sampled=False)

    def observe(self, execution: Any) -> None:
        raise RuntimeError("nothing to see")


class SendsAnyway(WebhookHandler):
    metadata = META

    def start(self, context: Any) -> None:
        self.http = context.http

    async def handle(self, event: Any, context: Any) -> Receipt:
        await self.http.request("POST", "https://example.com")
        return Receipt()


class ObjectsToItself(WebhookHandler):
    metadata = META

    def handle(self, event: Any, context: Any) -> None:
        """Take it."""

    def validate_configuration(self, configuration: Any) -> Any:
        return ["something"]


class TakesNothing(WebhookHandler):
    metadata = META
    supported_events = frozenset()

    def handle(self, event: Any, context: Any) -> None:
        """Take it."""


class Untyped(Runner):
    metadata = META

    async def run(self, task: Any, input: Any, deadline: float) -> Any:
        raise RuntimeError("somewhere, something")


class Ignorant(Runner):
    """Fails typed, but answers everything with its input."""

    metadata = META

    async def run(self, task: Any, input: Any, deadline: float) -> Any:
        if task.program.endswith(":fail"):
            raise ProgramFailed(ExecutionFailure(type="Error", message="?"))
        return input


class Shape(Plugin):
    """A kind of one's own."""

    def area(self, size: int) -> int:
        """Return an area."""
        raise NotImplementedError


class BadShape(Shape):
    metadata = META

    def area(self, size: int) -> int:
        raise ZeroDivisionError


class SyncRunner(Runner):
    metadata = META

    def run(self, task: Any, input: Any, deadline: float) -> Any:
        """Return at once what should have been awaited."""
        return input


class SlowConstructor(Sound):
    seconds = 0.2
    released = threading.Event()

    def __init__(self) -> None:
        super().__init__()
        beside_the_loop()
        self.released.wait(self.seconds)


BROKEN: dict[str, type[Plugin[Any]]] = {
    "metadata can be used": TooNew,
    "configuration has a schema": NoSchema,
    "unknown settings are refused": Lenient,
    "settings may be in PascalCase": SnakeOnly,
    "starts and stops": NeverStarts,
    "starts and stops, twice": StartsOnce,
    "stops without a start": StopsOnlyWhenStarted,
    "a start can be cancelled": SwallowsCancellation,
    "leaves no task behind": LeavesTasks,
    "health can be asked for": HealthIsText,
    "stats are JSON": StatsAreSets,
    "takes its configuration again": RefusesItsOwn,
    "state survives a reload": Forgets,
    "answers with verdicts": SaysYes,
    "equal executions get equal verdicts": Moody,
    "does not change what it judges": Meddles,
    "is never valid by accident": Optimist,
    "answers with samples": SamplesTrue,
    "keeps to its probability": Lies,
    "the same id gets the same answer": Dice,
    "observes what others pick": Blind,
    "a dry run calls nothing": SendsAnyway,
    "validates its configuration": ObjectsToItself,
    "names its destination and events": TakesNothing,
    "failures have a type": Untyped,
    "an error is the program's": Ignorant,
}
