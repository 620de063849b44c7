"""Every document is played: its files are written, its programs and commands run, its outputs compared."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, Page, pages
from tests.docs.playing import Player, missing_tools

PAGES = pages()
PLAYED = frozenset({"console", "python", "yaml", "json"})
SHOWN = frozenset({"text"})
"""Pictures, and what programs print."""


@pytest.mark.timeout(900)
@pytest.mark.parametrize("page", [page for page in PAGES if page.blocks], ids=lambda page: page.name)
def test_a_page_says_what_happens(page: Page, tmp_path: Path) -> None:
    """What is written can be typed, and what is printed is what the page shows."""
    if missing := missing_tools(page):
        pytest.skip(f"the page uses {' and '.join(missing)}")
    Player(page, tmp_path).play()


def test_every_block_is_played_or_says_why_not() -> None:
    """A block is a file, is run, shows something, or has a reason."""
    idle = [
        f"{page.name}:{block.line} ({block.language or 'no language'})"
        for page in PAGES
        for block in page.blocks
        if block.language not in PLAYED | SHOWN and not block.path and not block.excuse
    ]
    assert idle == []


def test_every_link_between_files_leads_somewhere() -> None:
    """Relative links, of the documents that the build does not read, too."""
    broken = [
        f"{page.name}: {link}"
        for page in PAGES
        for link in re.findall(r"\]\((?![a-z]+:|#)([^)#\s]+)(?:#[^)]*)?\)", page.text)
        if not (page.path.parent / link).exists()
    ]
    assert broken == []


def test_no_page_stands_alone() -> None:
    """Every page of the documentation is in a table of contents."""
    index = (ROOT / "docs" / "index.md").read_text("utf-8")
    listed = [
        path
        for pattern in re.findall(r"^([\w*/-]+)$", index, re.MULTILINE)
        for path in (ROOT / "docs").glob(f"{pattern}.md")
    ]
    written = [path for path in (ROOT / "docs").rglob("*.md") if "_build" not in path.parts]
    assert {path.name for path in written} - {path.name for path in listed} == {"index.md"}
