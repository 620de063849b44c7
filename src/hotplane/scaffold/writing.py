"""Writing the beginning of a distribution: everything, or nothing. Imports `errors`, `version` and this room."""

from __future__ import annotations

import keyword
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from string import Template

from hotplane.errors import Invalid
from hotplane.scaffold.kinds import CHECK_OPTIONS, CONFIGURATIONS, GROUPS, SUMMARIES, NewKind
from hotplane.version import __version__

__all__ = ["CannotBegin", "begin_plugin", "check_name"]

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_MAX_NAME = 40
_RESERVED = frozenset({"events", "health", "hotplane", "hotplane-plugins", "system", "test", "tests"})


class CannotBegin(Invalid):
    """The plugin cannot be begun: {reason}."""

    code = "cannot-begin-plugin"

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__()


def begin_plugin(name: str, kind: NewKind, into: Path, *, taken: Mapping[str, str] | None = None) -> Path:
    """Write a distribution with a plugin, its tests and its entry point, and return its folder.

    It is written beside its place and then moved there, so that nothing half is ever seen.

    Args:
        name: Of the distribution and the plugin's type, such as ``no-shouting``.
        kind: What it is for.
        into: The folder in which its own folder is made; it may be new.
        taken: Names that plugins have already, and whose they are.

    Raises:
        CannotBegin: The name cannot be one, its folder is there and not empty, or cannot be written.
    """
    check_name(name, taken or {})
    place = into / name
    if place.is_symlink() or (place.exists() and not (place.is_dir() and not any(place.iterdir()))):
        raise CannotBegin(f"{str(place)!r} exists already and is not an empty folder; choose another name or folder")
    try:
        into.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=into))
        try:
            _fill(beside, name, kind)
            beside.chmod(0o777 & ~_umask())
            beside.replace(place)
        except BaseException:
            shutil.rmtree(beside, ignore_errors=True)
            raise
    except OSError as error:
        raise CannotBegin(f"{str(place)!r} cannot be written ({error.strerror or error})") from error
    return place


def check_name(name: str, taken: Mapping[str, str]) -> None:
    """Refuse a name that a distribution, a module or a plugin could not have.

    Raises:
        CannotBegin: It is one; the message says why.
    """
    if len(name) > _MAX_NAME or _NAME.fullmatch(name) is None:
        raise CannotBegin(
            f"{name[:_MAX_NAME]!r} is no name; write lower-case words with hyphens between, such as `no-shouting`, "
            f"{_MAX_NAME} characters at most"
        )
    if name in taken:
        raise CannotBegin(f"{name!r} is the name of {taken[name]}; choose another one")
    module = name.replace("-", "_")
    if name in _RESERVED:
        raise CannotBegin(f"{name!r} is a name that Hotplane, or its tests, use; choose another one")
    if keyword.iskeyword(module) or keyword.issoftkeyword(module) or module in sys.stdlib_module_names:
        raise CannotBegin(f"{module!r} is a word or a module of Python itself; choose another name")


def _fill(folder: Path, name: str, kind: NewKind) -> None:
    module = name.replace("-", "_")
    words = _words(name, module, kind)
    for path, source in _sources(kind, module):
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        text = Template(source.read_text("utf-8")).substitute(words)
        file.write_text(text, "utf-8")
    (folder / "src" / module / "py.typed").touch()


def _words(name: str, module: str, kind: NewKind) -> dict[str, str]:
    return {
        "name": name,
        "module": module,
        "class_name": "".join(part.capitalize() for part in name.split("-")),
        "kind": kind.value,
        "group": GROUPS[kind],
        "summary": SUMMARIES[kind],
        "configuration": f"      configuration:\n        {CONFIGURATIONS[kind]}\n",
        "check_options": CHECK_OPTIONS.get(kind, ""),
        "host_version": ".".join(__version__.split(".")[:2]),
    }


def _sources(kind: NewKind, module: str) -> Iterator[tuple[Path, Traversable]]:
    """Yield every file's path in the distribution with its template."""
    templates = files("hotplane.scaffold") / "templates"
    package = Path("src") / module
    for each in sorted((templates / "common").iterdir(), key=lambda each: each.name):
        name = each.name.removesuffix(".txt")
        yield (package / name if name.endswith(".py") else Path(name)), each
    for each in sorted((templates / kind.value).iterdir(), key=lambda each: each.name):
        name = each.name.removesuffix(".txt")
        yield (Path("tests") / name if name.startswith("test_") else package / name), each


def _umask() -> int:
    """Return the process's mask, which can only be read by setting it."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
