"""Plugin classes by reference."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from hotplane.errors import InvalidMetadata, ReferenceNotAllowed
from hotplane.host.references import load_reference
from tests.unit.host.conftest import VALIDATOR


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module that can be imported, and one that ends the program."""
    (tmp_path / "referred_to.py").write_text(VALIDATOR)
    (tmp_path / "referred_exit.py").write_text("raise SystemExit(3)\n")
    (tmp_path / "referred_stop.py").write_text("raise KeyboardInterrupt\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "referred_to", raising=False)
    return "referred_to"


def test_a_class_of_an_allowed_module(module: str) -> None:
    """A pattern without a wildcard allows the module, and what is below it."""
    assert load_reference(f"{module}:Mine", [module]).metadata.name == "mine"
    with pytest.raises(ReferenceNotAllowed):
        load_reference(f"{module}:Mine", ["referred"])


@pytest.mark.parametrize(
    ("reference", "reason"),
    [
        ("referred_to:Nobody", "has no 'Nobody'"),
        ("referred_exit:Mine", "SystemExit: 3"),
        ("referred_nowhere:Mine", "ModuleNotFoundError"),
    ],
)
def test_what_cannot_be_had_is_told(module: str, reference: str, reason: str) -> None:
    """A module that ends the program on import ends nothing here."""
    with pytest.raises(InvalidMetadata, match=reason):
        load_reference(reference, ["referred_*"])


def test_the_operator_may_interrupt_an_import(module: str) -> None:
    """Ctrl-C is not the module's failure."""
    with pytest.raises(KeyboardInterrupt):
        load_reference("referred_stop:Mine", ["referred_*"])
