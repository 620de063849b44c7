"""A whole host with a plugin directory: real files, the real watcher, real executions."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from textwrap import indent
from typing import Any

import pytest

from hotplane import Hotplane
from hotplane.host import PluginNews, PluginStatus, Reload
from hotplane.records import Execution

PATIENCE = 60.0
"""Seconds to wait for what has to happen."""

PLUGIN = """
from hotplane.plugins import Config, Validator
from hotplane.records import Health, PluginMetadata, ValidationResult

{top}

class Marking(Validator{config}):
    metadata = PluginMetadata(name="{name}", version="{version}"{extra})

    def validate(self, execution, context):
        return ValidationResult(valid=True, message={marker!r}, metadata={{"marker": {marker!r}}})

{body}
"""


HANG = """
import time
from pathlib import Path
while "import time" in Path(__file__).read_text():
    time.sleep(0.02)
"""
"""Hangs until its file says something else, so that no thread and no module of it outlives the test."""


def source(
    marker: str = "one",
    *,
    name: str = "marking",
    version: str = "1",
    top: str = "",
    body: str = "",
    config: str = "",
    extra: str = "",
) -> str:
    """Return a validator's file, whose results say `marker`."""
    fields = {"top": top, "body": indent(body, "    "), "config": config, "extra": extra}
    return PLUGIN.format(marker=marker, name=name, version=version, **fields)


class Yard:
    """A host, its plugin directory, and what happens to its plugins."""

    def __init__(self, host: Hotplane, directory: Path) -> None:
        self.host = host
        self.directory = directory
        self.news: list[PluginNews] = []
        self._happened = asyncio.Condition()
        self._listener = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        async for news in self.host.plugins.subscribe():
            async with self._happened:
                self.news.append(news)
                self._happened.notify_all()

    async def close(self) -> None:
        self._listener.cancel()
        await asyncio.wait({self._listener})

    def path(self, name: str = "marking") -> Path:
        return self.directory / f"{name}.py"

    def write(self, text: str, name: str = "marking") -> None:
        self.path(name).write_text(text)

    def status(self, plugin_id: str = "marking") -> PluginStatus:
        return self.host.plugins.get(plugin_id)

    @property
    def reloads(self) -> list[Reload]:
        return [news for news in self.news if isinstance(news, Reload)]

    async def until(self, true: Callable[[], bool], what: str = "") -> None:
        """Wait until something is true, looking whenever something happened, and now and then."""
        async with asyncio.timeout(PATIENCE):
            while not true():
                async with self._happened:
                    try:
                        async with asyncio.timeout(0.05):
                            await self._happened.wait()
                    except TimeoutError:
                        continue

    async def until_reload(self, outcome: str, *, number: int = 1) -> Reload:
        """Wait for the nth reload with an outcome."""

        def found() -> list[Reload]:
            return [reload for reload in self.reloads if reload.outcome == outcome]

        await self.until(lambda: len(found()) >= number)
        return found()[number - 1]

    async def execute(self) -> Execution:
        return await self.host.execute("upper", {"text": "a"})

    async def marker(self) -> str:
        """Return what the validator that serves says."""
        execution = await self.execute()
        assert execution.validations, self.host.plugins.list()
        return execution.validations[0].message


OpenYard = Callable[..., Any]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Return an empty plugin directory."""
    made = tmp_path / "plugins"
    made.mkdir()
    return made


def write_programs(folder: Path) -> str:
    """Write a module with a program, under a name of its own, and return that name."""
    name = f"programs_{folder.name.replace('-', '_')}"
    (folder / f"{name}.py").write_text("def upper(value):\n    return value['text'].upper()\n")
    return name


def configuration_of(
    folder: Path, directory: Path, programs: str, entries: Sequence[dict[str, Any]], settings: dict[str, Any]
) -> dict[str, Any]:
    """Return the configuration of a host with a plugin directory, a sampler that takes all, and one task."""
    return {
        "storage": {"url": str(folder / "host.db")},
        "programs": {"allow": [programs], "paths": [str(folder)]},
        "plugins": {
            "directories": [str(directory)],
            "watch_debounce_ms": 20,
            "import_timeout_seconds": PATIENCE,
            "start_timeout_seconds": PATIENCE,
            "health_timeout_seconds": PATIENCE,
            "call_timeout_ms": 60_000,
            "samplers": [{"name": "percentage-sampler"}],
            "others": list(entries),
            **settings,
        },
        "tasks": [{"id": "upper", "program": f"{programs}:upper", "sampling_rate": 1.0}],
    }


@pytest.fixture
def open_yard(tmp_path: Path, directory: Path) -> Iterator[OpenYard]:
    """Return a context manager that runs a host on the plugin directory; its arguments are plugin settings."""
    name = write_programs(tmp_path)

    @asynccontextmanager
    async def opened(*entries: dict[str, Any], **settings: Any) -> AsyncGenerator[Yard]:
        async with Hotplane.from_config(configuration_of(tmp_path, directory, name, entries, settings)) as host:
            yard = Yard(host, directory)
            try:
                yield yard
            finally:
                await yard.close()

    yield opened
    sys.modules.pop(name, None)
    sys.path[:] = [entry for entry in sys.path if entry != str(tmp_path)]
