"""What the tests of the host room share: plugin files, written and loaded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from hotplane.host.loader import LoadedModule, load_generation, release

VALIDATOR = """
from hotplane.plugins import Validator
from hotplane.records import PluginMetadata, ValidationResult

class Mine(Validator):
    metadata = PluginMetadata(name="mine", version="1.0")
    answer = 1

    def validate(self, execution, context):
        return ValidationResult(valid=True)
"""
"""A plugin file that is right."""

Write = Callable[..., Path]
Load = Callable[..., LoadedModule]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Return a function that writes a file below a new directory and returns its path."""

    def write(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else dedent(content).encode())
        return path

    return write


@pytest.fixture
def load() -> Iterator[Load]:
    """Return `load_generation`; what it loaded is released at the end."""
    loaded: list[LoadedModule] = []

    def load(path: Path, number: int = 1) -> LoadedModule:
        loaded.append(load_generation(path, number))
        return loaded[-1]

    yield load
    for each in loaded:
        release(each)
