"""What is public is named in `__all__`, is documented, and stands in the reference."""

from __future__ import annotations

import enum
import inspect
import pkgutil
import re
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import pytest

import hotplane
from tests.docs.pages import ROOT, pages

PUBLIC = ("hotplane", "hotplane.plugins", "hotplane.records", "hotplane.client", "hotplane.testing", "hotplane.routing")
"""The modules of the page `reference/python`."""
PAGE = (ROOT / "docs" / "reference" / "python.md").read_text("utf-8")
ROOMS = sorted(
    module.name
    for module in pkgutil.iter_modules(hotplane.__path__, "hotplane.")
    if module.name not in {"hotplane.__main__", "hotplane.scaffold"}
)


def documentable(module: ModuleType) -> list[tuple[str, Any]]:
    """Return the public classes and functions of a module by their names."""
    found = [(name, getattr(module, name)) for name in module.__all__]
    return [(name, each) for name, each in found if inspect.isclass(each) or inspect.isfunction(each)]


def members(kind: type) -> list[tuple[str, Any]]:
    """Return the public methods and properties that a class defines itself."""
    own = [(name, each) for name, each in vars(kind).items() if not name.startswith("_")]
    return [(name, each) for name, each in own if inspect.isfunction(each) or isinstance(each, property | classmethod)]


@pytest.mark.parametrize("room", [*ROOMS, "hotplane"])
def test_a_rooms_names_are_those_that_it_lists(room: str) -> None:
    """`__all__` is there, is sorted, has no name twice, and every name is there."""
    module = import_module(room)
    names = list(module.__all__)
    assert len(names) == len(set(names))
    assert names == sorted(names, key=order)
    assert [name for name in names if not hasattr(module, name)] == []


def order(name: str) -> tuple[int, str]:
    """Sort as the linter does: constants, classes, the rest."""
    rank = 0 if name.isupper() else 1 if name.lstrip("_")[:1].isupper() else 2
    return rank, name


@pytest.mark.parametrize("name", PUBLIC)
def test_everything_public_is_listed(name: str) -> None:
    """A name without an underscore that a module brings along is meant, so that `__all__` has it."""
    module = import_module(name)
    brought = {
        key
        for key, value in vars(module).items()
        if not key.startswith("_")
        and not inspect.ismodule(value)
        and getattr(value, "__module__", "").startswith("hotplane")
        and (inspect.isclass(value) or inspect.isfunction(value))
    }
    assert brought - set(module.__all__) == set()


@pytest.mark.parametrize("name", PUBLIC)
def test_everything_public_is_documented(name: str) -> None:
    """Classes, functions, methods and properties say what they are for."""
    silent: list[str] = []
    for key, each in documentable(import_module(name)):
        if not (each.__doc__ or "").strip():
            silent.append(key)
        if inspect.isclass(each) and not issubclass(each, enum.Enum) and each.__module__.startswith("hotplane"):
            silent += [
                f"{key}.{inner}" for inner, member in members(each) if not (inspect.getdoc(member) or "").strip()
            ]
    assert [each for each in silent if each.partition(".")[0] not in PROTOCOLS] == []


PROTOCOLS = frozenset({"Clock", "HttpAnswer", "KeyValue", "Logger", "Outbound"})
"""What the host gives; their members explain themselves."""


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_module_is_in_the_reference(name: str) -> None:
    """The page shows all of its names."""
    assert re.search(rf"^\.\. automodule:: {re.escape(name)}$", PAGE, re.MULTILINE)


def test_every_module_that_a_page_runs_is_there() -> None:
    """A figure stands beside the command that prints it, and the command is one."""
    named = {
        (page.name, module)
        for page in pages()
        for module in re.findall(r"python -m ((?:benchmarks|tests|examples|hotplane)(?:\.\w+)*)", page.text)
    }
    assert named
    assert [each for each in sorted(named) if find_spec(each[1]) is None] == []
