"""Load one generation of a plugin from its source, and let go of it again.

Imports `source`, `generation`, the plugin contract and `errors`; never the manager, which decides when.
`importlib.reload` is never used: each load makes new modules, and the old ones live on until they are released.
What a plugin imports by absolute name from elsewhere is imported once, as everywhere in Python.
"""

from __future__ import annotations

import sys
import threading
import traceback
import typing
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from inspect import isabstract, isclass
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from hotplane.errors import InvalidMetadata, PluginImportFailed
from hotplane.host.generation import Generation
from hotplane.host.source import Source, read_source
from hotplane.plugins import Plugin
from hotplane.plugins.checking import check_plugin_class
from hotplane.records import PluginMetadata

__all__ = ["LoadedModule", "load_generation", "release"]

_TRACEBACK_LINES = 60
_REASON_CHARACTERS = 300
_WORDED = {
    SystemExit: "it ends the process (`sys.exit`) while it is imported",
    RecursionError: "it recurses without end while it is imported",
    MemoryError: "it runs out of memory while it is imported, or is nested too deeply to compile",
}


@dataclass(frozen=True, slots=True, eq=False)
class LoadedModule:
    """One generation of a plugin's code, ready to take its class from."""

    module: ModuleType
    """The main module."""
    number: int
    """The generation's number."""
    source: Source
    """The files: path, SHA-256, size and time."""
    warnings: tuple[str, ...]
    """What the import did that a plugin should leave, each a sentence: printing, starting threads."""
    generation: Generation

    def plugin_classes(self) -> tuple[type[Plugin[Any]], ...]:
        """Return the classes defined in this generation that derive from `Plugin` and can be plugins.

        Left out are imported classes, private and abstract ones, and bases: classes without metadata, or with
        subclasses here, where another has some.
        """
        classes = list(dict.fromkeys(self._own_classes()))
        described = [each for each in classes if isinstance(getattr(each, "metadata", None), PluginMetadata)]
        kept = described or classes
        return tuple(each for each in kept if not any(other is not each and issubclass(other, each) for other in kept))

    def plugin_class(self, name: str | None = None) -> type[Plugin[Any]]:
        """Return the one plugin class, checked.

        Args:
            name: The class's name or its metadata's name, where the file has several plugins.

        Raises:
            InvalidMetadata: There is none, or more than one to choose from, or it cannot be used.
        """
        classes = self.plugin_classes()
        if name is not None:
            classes = tuple(each for each in classes if name in {each.__qualname__, _type_name(each)})
        if len(classes) == 1:
            return check_plugin_class(classes[0])
        wanted = f" {name!r}" if name is not None else ""
        if not classes:
            raise InvalidMetadata(self.source.path.name, f"it has no plugin class{wanted}, such as a `Validator`")
        names = ", ".join(each.__qualname__ for each in classes)
        raise InvalidMetadata(
            self.source.path.name, f"it has {len(classes)} plugin classes{wanted} ({names}); name one of them"
        )

    def _own_classes(self) -> Iterator[type[Plugin[Any]]]:
        for module in self.generation.loaded().values():
            for value in list(vars(module).values()):
                if isclass(value) and issubclass(value, Plugin):
                    candidate = cast("type[Plugin[Any]]", value)
                    own = self.generation.owns(candidate.__module__)
                    if own and not candidate.__name__.startswith("_") and not isabstract(candidate):
                        yield candidate


def load_generation(path: Path, number: int) -> LoadedModule:
    """Read, compile and execute a plugin file or package in modules of its own.

    It blocks for as long as the plugin's import takes: call it in a thread, where a `KeyboardInterrupt` can only
    be the plugin's own. In the main thread that exception is passed on, for it may be the operator's.

    Args:
        path: The file, or the directory of the package.
        number: The plugin's generation number; part of the modules' names.

    Raises:
        PluginImportFailed: The files cannot be read or compiled, or raised something; no module is left behind.
    """
    source = read_source(path)
    generation = Generation(source, number)
    before = set(threading.enumerate())
    failure: PluginImportFailed | None = None
    try:
        module = generation.import_main()
    except BaseException as error:
        failure = _failure(generation, error)
        release_generation(generation)
        if isinstance(error, KeyboardInterrupt) and threading.current_thread() is threading.main_thread():
            raise
    else:
        warnings = tuple(_warnings(generation, before))
        return LoadedModule(module, number, source, warnings, generation)
    # Outside of the handler, lest the plugin's frames hang on to the report by its context.
    raise failure


def release(loaded: LoadedModule) -> None:
    """Let go of a generation: its modules, cached lines, loggers, and entries in the caches that hold classes.

    Objects of it that are still in use go on working. Memory comes back by garbage collection, since modules and
    classes are cycles; where generic pydantic models took part it needs two, for their weak table holds its keys
    until the first has freed the values.
    """
    release_generation(loaded.generation)


def release_generation(generation: Generation) -> None:
    """Do what `release` does, for a generation that was perhaps not loaded entirely."""
    generation.remove()
    # `Validator[MyConfig]` stays in typing's caches for ever, and with it the class; `test.support` clears them so.
    clear: Callable[[], None]
    for clear in getattr(typing, "_cleanups", ()):
        clear()


def _type_name(plugin: type[Plugin[Any]]) -> str | None:
    metadata = getattr(plugin, "metadata", None)
    return metadata.name if isinstance(metadata, PluginMetadata) else None


# --- what went wrong -------------------------------------------------------------------------------------


def _failure(generation: Generation, error: BaseException) -> PluginImportFailed:
    source = generation.source
    reason = " ".join(_reason(generation, error).split())
    return PluginImportFailed(
        str(source.path),
        reason if len(reason) <= _REASON_CHARACTERS else f"{reason[:_REASON_CHARACTERS]}…",
        traceback=_own_traceback(generation, error),
        changed=source.changed_on_disk(),
    )


def _reason(generation: Generation, error: BaseException) -> str:
    if isinstance(error, SyntaxError):
        name = Path(error.filename or generation.source.path).name
        place = f"{name}, line {error.lineno}" if error.lineno else name
        return f"it is not valid Python: {error.msg} ({place})"
    frames = _own_frames(generation, error)
    place = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    for raised, sentence in _WORDED.items():
        if isinstance(error, raised):
            return sentence + place
    hint = _neighbour_hint(generation.source, error) if isinstance(error, ModuleNotFoundError) else ""
    return f"it raises {_shown(error)} while it is imported{place}{hint}"


def _shown(error: BaseException) -> str:
    try:
        message = str(error)
    except Exception as broken:  # a plugin's exception may not even be printable
        message = f"<{type(broken).__name__} in __str__>"
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


def _neighbour_hint(source: Source, error: ModuleNotFoundError) -> str:
    missing = (error.name or "").partition(".")[0]
    folder = source.path.parent
    if missing and ((folder / f"{missing}.py").is_file() or (folder / missing).is_dir()):
        return f"; {missing} lies beside it: make both one package, and import with `from . import {missing}`"
    return ""


def _own_frames(generation: Generation, error: BaseException) -> list[traceback.FrameSummary]:
    files = {generation.code_path(module.path) for module in generation.source.modules.values()}
    return [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename in files]


def _own_traceback(generation: Generation, error: BaseException) -> str:
    frames = traceback.StackSummary.from_list(_own_frames(generation, error)).format()
    last = traceback.format_exception_only(error) if isinstance(error, SyntaxError) else [f"{_shown(error)}\n"]
    lines = "".join([*frames, *last]).splitlines()
    if len(lines) > _TRACEBACK_LINES:
        half = _TRACEBACK_LINES // 2
        lines = [*lines[:half], f"  … {len(lines) - 2 * half} lines …", *lines[-half:]]
    return "\n".join(lines)


# --- what was not nice -----------------------------------------------------------------------------------


def _warnings(generation: Generation, before: Iterable[threading.Thread]) -> Iterator[str]:
    if generation.shadows_standard:
        name = generation.source.name
        yield f"It has the name of the standard module {name!r}: `import {name}` in it means that one."
    for text in generation.printed:
        yield f"It printed {text!r} while it was imported: use `context.log`."
    for thread in sorted(set(threading.enumerate()) - set(before), key=lambda thread: thread.name):
        if _may_be_started_by(generation, thread):
            name = thread.name
            yield f"It started the thread {name!r} while it was imported: do that in `start`, and end it in `stop`."


def _may_be_started_by(generation: Generation, thread: threading.Thread) -> bool:
    """Tell whether a new thread runs nothing that is clearly the host's or another plugin's."""
    frame = sys._current_frames().get(thread.ident or 0)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    foreign = False
    while frame is not None:
        module = str(frame.f_globals.get("__name__"))
        if generation.owns(module):
            return True
        foreign = foreign or module.partition(".")[0] in {"hotplane", "hotplane_plugins", "asyncio"}
        frame = frame.f_back
    return not foreign and not thread.name.startswith("asyncio_")
