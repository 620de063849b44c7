"""Finding a program: from ``package.module:function`` to something that can be called.

Imports only `settings` and `errors`. Importing code runs it, so nothing is imported that the allow-list does not name.
"""

from __future__ import annotations

import importlib
import inspect
import re
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast

from hotplane.errors import ProgramNotAllowed, ProgramNotImportable
from hotplane.programs.settings import ProgramSettings

__all__ = ["Program", "add_paths", "find_program", "split_spec"]

_SPEC = re.compile(r"(?P<module>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*):(?P<function>[A-Za-z_]\w*)")
_MAX_SPEC = 300
_MAX_REASON = 500


@dataclass(frozen=True, slots=True)
class Program:
    """A program that is ready to run."""

    spec: str
    """``package.module:function``, as the task names it."""
    function: Callable[[object], object]
    is_async: bool
    """Whether calling it gives a coroutine, so that it runs on the event loop."""


def split_spec(spec: str) -> tuple[str, str]:
    """Return the module's and the function's name.

    Raises:
        ProgramNotImportable: `spec` is not written ``package.module:function``.
    """
    match = _SPEC.fullmatch(spec) if len(spec) <= _MAX_SPEC else None
    if match is None:
        raise ProgramNotImportable(spec[:_MAX_SPEC], "its name is malformed")
    return match["module"], match["function"]


def add_paths(paths: Sequence[Path]) -> None:
    """Append folders to `sys.path`, so that nothing in them hides an installed module."""
    for path in paths:
        entry = str(path.resolve())
        if entry not in sys.path:
            sys.path.append(entry)


def find_program(spec: str, settings: ProgramSettings) -> Program:
    """Import a program's module in this thread and check that the program can be called.

    The function has to come from an allowed module itself: what an allowed module merely imported, `os.system`
    say, is no program.

    Raises:
        ProgramNotAllowed: The allow-list does not name its module; nothing was imported.
        ProgramNotImportable: There is no such program, its module's import failed, or it cannot be called with an
            input alone.
    """
    module_name, name = split_spec(spec)
    if not settings.allows(module_name):
        raise ProgramNotAllowed(spec, settings.allow)
    try:
        found = _find(module_name, name, settings)
    except ModuleNotFoundError as error:
        found = _missing_module(error, module_name)
    except BaseException as error:
        # Importing runs code that may raise anything, `SystemExit` and `KeyboardInterrupt` included.
        found = f"its import failed: {_describe(error)}"
    if isinstance(found, str):
        raise ProgramNotImportable(spec, found)
    return found


def _find(module_name: str, name: str, settings: ProgramSettings) -> Program | str:
    """Import the program, or say why that cannot be one."""
    if module_name not in sys.modules:
        # The finders remember folders by their time of change, which misses a file that is a moment old.
        importlib.invalidate_caches()
    module = importlib.import_module(module_name)
    try:
        found: object = getattr(module, name)
    except AttributeError:
        return f"the module {module_name!r} has no {name!r}"
    reason = _unfit(found, name, settings)
    if reason:
        return reason
    function = cast("Callable[[object], object]", found)
    return Program(f"{module_name}:{name}", function, _is_async(function))


def _unfit(found: object, name: str, settings: ProgramSettings) -> str:
    """Say why `found` cannot be a program; empty when it can."""
    if inspect.isclass(found):
        return f"{name!r} is a class; write a function that uses it"
    if not callable(found):
        return f"{name!r} is a {type(found).__name__} and cannot be called"
    if inspect.isgeneratorfunction(found) or inspect.isasyncgenfunction(found):
        return f"{name!r} yields; a program returns one value"
    origin = _origin(found)
    if origin is None or not settings.allows(origin):
        return (
            f"{name!r} comes from the module {origin!r}, which `programs.allow` does not name; "
            "write a function that calls it"
        )
    return _unfit_signature(found, name)


def _unfit_signature(found: Callable[..., object], name: str) -> str:
    try:
        signature = inspect.signature(found)
    except ValueError:
        # Some functions written in C do not tell; calling will.
        return ""
    try:
        signature.bind(None)
    except TypeError:
        return f"it has to take the input as its only argument, and it is {name}{_short(str(signature))}"
    return ""


def _origin(found: object) -> str | None:
    while isinstance(found, partial):
        found = cast("partial[object]", found).func
    return getattr(found, "__module__", None)


def _is_async(function: Callable[[object], object]) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None))  # noqa: B004 (not asking whether it can be called)


def _missing_module(error: ModuleNotFoundError, module_name: str) -> str:
    if error.name is not None and f"{module_name}.".startswith(f"{error.name}."):
        return f"there is no module {error.name!r} on `sys.path` or in `programs.paths`"
    return f"its import failed: {_describe(error)}"


def _describe(error: BaseException) -> str:
    """Return an error as one line with the place where it was raised, the importing machinery left out."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "importlib" not in frame.filename]
    place = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if len(frames) > 1 else ""
    return _short("".join(traceback.format_exception_only(error)).strip().splitlines()[-1]) + place


def _short(text: str) -> str:
    return text if len(text) <= _MAX_REASON else text[: _MAX_REASON - 1] + "…"
