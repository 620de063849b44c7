"""To which plugin a stack frame belongs. Imports only `plugins` and `generation`'s name for loaded modules.

Safe from other threads: it reads one copy of what is plugged in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import FrameType
from typing import Any, Protocol

from hotplane.host.generation import ROOT
from hotplane.plugins import Plugin

__all__ = ["AttributedPlugin", "PluginFrames"]


class AttributedPlugin(Protocol):
    """An active plugin; the registry's entries are such."""

    @property
    def id(self) -> str:
        """The plugin's id."""
        ...

    @property
    def plugin(self) -> Plugin[Any]:
        """The instance that serves."""
        ...


class PluginFrames:
    """Says whose code a frame runs.

    A method of a plugin is known by its first argument, the instance; a function beside it by its module. Where
    several instances share the module, all are named.

    Args:
        plugins: Returns the plugins that are active now; called in the thread that asks.
    """

    def __init__(self, plugins: Callable[[], Iterable[AttributedPlugin]]) -> None:
        self._plugins = plugins

    def __call__(self, frame: FrameType) -> str | None:
        """Return the id of the plugin whose code `frame` runs, ``"a or b"`` of several; None for everybody else's."""
        first = _first_argument(frame)
        module = _unit(frame.f_globals.get("__name__"))
        suspects = list[str]()
        for each in self._plugins():
            if each.plugin is first:  # by identity: comparing would run code of the plugin
                return each.id
            if _unit(type(each.plugin).__module__) == module:
                suspects.append(each.id)
        return " or ".join(sorted(suspects)) or None


def _unit(module: object) -> str:
    """Return what is loaded as one: of a generation's submodules the generation, else the module itself."""
    name = module if isinstance(module, str) else ""
    return ".".join(name.split(".", 2)[:2]) if name.startswith(f"{ROOT}.") else name


def _first_argument(frame: FrameType) -> object:
    code = frame.f_code
    return frame.f_locals.get(code.co_varnames[0]) if code.co_argcount else None
