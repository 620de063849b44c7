"""A small host that is a real one: real loading, judging and storing, with programs that a test gives it.

Imports `app` and what stands below it.
"""

from __future__ import annotations

import inspect
import itertools
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any, Self, TypeAlias, cast

from hotplane.app import Hotplane
from hotplane.events import DeliverySettings
from hotplane.plugins import Plugin
from hotplane.records import Execution
from hotplane.values import Json

__all__ = ["FakeHost", "Program"]

Program: TypeAlias = Callable[[Any], Json | Awaitable[Json]]
"""What a task runs: sync or async, called with the input alone."""

_numbers = itertools.count(1)


def _echo(input: Json) -> Json:
    return input


class FakeHost:
    """A host for a test, on a store that is gone afterwards; use it in an ``async with`` statement.

    It samples every execution, so that all of its validators judge, and records what they say. It has a task for each
    program, of the same name::

        async with FakeHost(NoShouting, programs={"upper": str.upper}) as host:
            execution = await host.execute("upper", "hello")
            assert execution.valid is False

    Args:
        plugins: Classes or instances, registered in this order.
        configuration: For the first plugin, where that is a class. Servers that it names may be asked.
        programs: By the name of their task; without any there is the task ``echo``.
        tasks: Further fields of tasks, by name, such as ``{"upper": {"timeout_ms": 50}}``.
        settings: Further sections of the configuration of a host.
        folder: Where to keep the store; by default a temporary folder that is removed.
        delivery: How events come to the first plugin, where that is a webhook handler.
    """

    def __init__(
        self,
        *plugins: Plugin[Any] | type[Plugin[Any]],
        configuration: Mapping[str, Json] | None = None,
        programs: Mapping[str, Program] | None = None,
        tasks: Mapping[str, Mapping[str, Json]] | None = None,
        settings: Mapping[str, Json] | None = None,
        folder: Path | None = None,
        delivery: DeliverySettings | None = None,
    ) -> None:
        self._plugins = plugins
        self._configuration = configuration
        self._programs = dict(programs or {"echo": _echo})
        self._tasks = dict(tasks or {})
        self._settings = dict(settings or {})
        self._given_folder = folder
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._delivery = delivery
        self._module = f"hotplane_testing_programs_{next(_numbers)}"
        self._host: Hotplane | None = None

    @property
    def hotplane(self) -> Hotplane:
        """The host itself, with everything that one has.

        Raises:
            RuntimeError: It is not running.
        """
        if self._host is None:
            raise RuntimeError("the host runs inside of `async with` only")
        return self._host

    async def execute(self, task: str, input: Json = None, **options: Any) -> Execution:
        """Execute a task and return its record; the options are those of `Hotplane.execute`."""
        return await self.hotplane.execute(task, input, **options)

    def plugin(self, id: str) -> Plugin[Any]:
        """Return the instance that serves under an id, which is its type's name unless it was given another one.

        Raises:
            LookupError: There is none.
        """
        for entry in self.hotplane.registry.entries():
            if entry.id == id:
                return entry.plugin
        raise LookupError(f"no plugin {id!r} serves here")

    async def start(self) -> None:
        """Start it; every plugin has to start with it.

        Raises:
            PluginStartFailed: One does not.
        """
        if self._given_folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="hotplane-testing-")
        sys.modules[self._module] = self._programs_module()
        try:
            host = Hotplane.from_config(self._mapping())
            for index, plugin in enumerate(self._plugins):
                first: dict[str, Any] = {"delivery": self._delivery}
                if isinstance(plugin, type):
                    first["configuration"] = self._configuration
                host.register(plugin, required=True, **(first if index == 0 else {}))
            await host.start()
        except BaseException:
            self._clear()
            raise
        self._host = host

    async def stop(self) -> None:
        """Stop it, and remove what it has stored."""
        host, self._host = self._host, None
        try:
            if host is not None:
                await host.stop(1.0)
        finally:
            self._clear()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()

    def _mapping(self) -> dict[str, object]:
        folder = self._given_folder or Path(cast("tempfile.TemporaryDirectory[str]", self._folder).name)
        tasks = {
            name: {"program": f"{self._module}:program_{index}", "sampling_rate": 1.0, **self._tasks.get(name, {})}
            for index, name in enumerate(self._programs)
        }
        return {
            "storage": {"url": str(folder / "host.db"), "synchronous": "NORMAL"},
            "programs": {"allow": [self._module]},
            "plugins": {"samplers": [{"name": "percentage-sampler", "configuration": {"sampling_rate": 1.0}}]},
            "tasks": tasks,
            **self._settings,
        }

    def _programs_module(self) -> ModuleType:
        module = ModuleType(self._module)
        for index, program in enumerate(self._programs.values()):
            function = _function_of(program)
            function.__module__ = self._module
            setattr(module, f"program_{index}", function)
        return module

    def _clear(self) -> None:
        sys.modules.pop(self._module, None)
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None


def _function_of(program: Program) -> Callable[[Any], object]:
    """Return a function of its own for a program: a host runs functions of allowed modules alone."""
    if inspect.iscoroutinefunction(program):

        async def run_async(input: Json) -> Json:
            return await cast("Awaitable[Json]", program(input))

        return run_async

    def run(input: Json) -> Json:
        return cast("Json", program(input))

    return run
