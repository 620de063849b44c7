"""Fixtures for pytest: ``addopts = ["-p", "hotplane.testing.pytest_plugin"]``, or `pytest_plugins` in a `conftest.py`.

Every fixture is sync, so that it serves sync tests and those of any async plugin for pytest. Imports this room when
a fixture is used, and pytest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from hotplane.plugins import PluginContext
    from hotplane.testing import FakeClock, FakeHost, Receiver

__all__ = ["hotplane_clock", "hotplane_context", "hotplane_host", "hotplane_receiver"]


@pytest.fixture
def hotplane_clock() -> FakeClock:
    """Return a clock that stands still."""
    from hotplane.testing import FakeClock

    return FakeClock()


@pytest.fixture
def hotplane_context(hotplane_clock: FakeClock) -> Callable[..., PluginContext]:
    """Return what makes contexts, with the clock of `hotplane_clock` in them."""
    from hotplane.testing import make_context

    def make(plugin: Any, **given: Any) -> PluginContext:
        given.setdefault("clock", hotplane_clock)
        return make_context(plugin, **given)

    return make


@pytest.fixture
def hotplane_host(tmp_path: Path) -> Callable[..., FakeHost]:
    """Return what makes hosts for ``async with``; their store is in the folder of the test."""
    from hotplane.testing import FakeHost

    def make(*plugins: Any, **given: Any) -> FakeHost:
        given.setdefault("folder", tmp_path)
        return FakeHost(*plugins, **given)

    return make


@pytest.fixture
def hotplane_receiver() -> Iterator[Receiver]:
    """Give a receiver of webhooks that listens."""
    from hotplane.testing import Receiver

    with Receiver() as receiver:
        yield receiver
