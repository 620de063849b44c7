"""The pages that commands write are what the commands write now."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from hotplane.api.reference import render as render_api
from hotplane.cli.error_reference import error_classes
from hotplane.cli.error_reference import render as render_errors
from tests.docs.pages import ROOT

REFERENCE = ROOT / "docs" / "reference"


@pytest.mark.parametrize(
    ("page", "render", "command"),
    [
        ("api.md", render_api, "hotplane.api.reference"),
        ("errors.md", render_errors, "hotplane.cli.error_reference"),
    ],
)
def test_a_written_page_is_current(page: str, render: Callable[[], str], command: str) -> None:
    """A change of the code shows on the page."""
    path = REFERENCE / page
    assert path.read_text("utf-8") == render(), f"run: python -m {command} > {path.relative_to(ROOT)}"


def test_every_code_has_one_meaning_in_a_room() -> None:
    """A program that branches on a code knows what it gets."""
    families = {"api-error", "hotplane-error"}
    seen: dict[tuple[str, str], type] = {}
    for kind in error_classes():
        place = kind.code, kind.__module__
        parent = seen.get(place)
        related = parent is None or issubclass(kind, parent) or issubclass(parent, kind)
        assert kind.code in families or related, (kind, parent)
        seen[place] = kind


def test_every_error_says_something() -> None:
    """A message is a sentence."""
    for kind in error_classes():
        assert re.match(r"\S.*[.!})']", (kind.__doc__ or "").strip(), re.DOTALL), kind


def test_every_page_that_is_written_says_by_what() -> None:
    """Who wants to change it knows where."""
    for path in Path(REFERENCE).glob("*.md"):
        first = path.read_text("utf-8").partition("\n")[0]
        assert first.startswith(("# ", "<!-- Written by `python -m "))
