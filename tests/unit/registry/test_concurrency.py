"""The registry under eight threads."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from hotplane.plugins import Validator
from hotplane.records import PluginMetadata
from hotplane.registry import Failure, Registry

SECONDS = 10.0
ENOUGH = 10
PATIENCE = 90.0


class Counting(Validator):
    metadata = PluginMetadata(name="counting", version="1")

    def validate(self, execution: Any, context: Any) -> str:
        return self.id


@pytest.fixture
def frequent_switches() -> Iterator[None]:
    """Make the interpreter change threads every few microseconds."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(5e-6)
    yield
    sys.setswitchinterval(before)


class Crowd:
    """Threads that work on one registry until time is up and each did some work, and keep what went wrong."""

    def __init__(self) -> None:
        self.registry = Registry()
        self.ends_at = time.monotonic() + SECONDS
        self.errors: list[BaseException] = []
        self.turns: dict[str, int] = {"write": 0, "switch": 0, "read": 0}

    def loop(self, role: str, turn: Any) -> None:
        try:
            while not self.is_over():
                turn()
                self.turns[role] += 1
        except BaseException as error:
            self.errors.append(error)

    def is_over(self) -> bool:
        left = self.ends_at - time.monotonic()
        return left < 0 and (min(self.turns.values()) > ENOUGH or left < -PATIENCE or bool(self.errors))

    def write(self, number: int) -> None:
        """Register and take out ids that no other thread touches: none may be lost or left behind."""
        for step in range(4):
            self.registry.register(Counting(), id=f"w{number}-{step}", priority=step)
        for step in range(4):
            assert self.registry.contains(Validator, f"w{number}-{step}")
            assert self.registry.unregister(Validator, f"w{number}-{step}") is not None

    def switch(self) -> None:
        for enabled in (False, True):
            self.registry.update("steady", enabled=enabled, priority=int(enabled))

    def read(self) -> None:
        """Every snapshot is in order, and a call over a chain returns what that chain holds."""
        listed = [(-entry.priority, entry.id) for entry in self.registry.entries()]
        assert listed == sorted(listed), "torn order"
        with self.registry.lease(Validator) as chain:
            results = [link.call(None, None) for link in chain.links]
            assert results == [link.plugin_id for link in chain.links]
        results = chain.run(None, None)
        assert not any(isinstance(result, Failure) for result in results)


@pytest.mark.usefixtures("frequent_switches")
def test_eight_threads_for_ten_seconds() -> None:
    """Concurrent register, unregister, switch, list and call: no error, no torn order, no lost update."""
    crowd = Crowd()
    crowd.registry.register(Counting(), id="steady")
    work = [("write", lambda n=n: crowd.write(n)) for n in range(3)]
    work += [("switch", crowd.switch)] * 2 + [("read", crowd.read)] * 3
    threads = [threading.Thread(target=crowd.loop, args=each) for each in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert crowd.errors == []
    assert [entry.id for entry in crowd.registry.entries()] == ["steady"]
    assert crowd.registry.entry("steady").enabled
    assert all(turns > ENOUGH for turns in crowd.turns.values()), crowd.turns
