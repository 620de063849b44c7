"""The documents as they are written: their code blocks, what each is, and why some cannot be run.

A fence is a *file* when the line above it ends with its path and a colon, as in "Write `jobs.py`:". A fence that cannot
be run says so in a comment above it: ``<!-- not run: the reason -->``, or ``<!-- the next console block is played by …
-->``. Everything else is played by `playing`. What readers need not see stands in a comment as a block does in a fence:
``<!-- python``, its lines, ``-->``. Lines of an output that differ from machine to machine are named above it:
``<!-- varies: latency; uptime -->``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

ROOT = Path(__file__).parents[2]
GENERATED = "<!-- Written by `"
"""How the pages begin that a command writes; other tests hold them current."""

_OPENING = re.compile(r"(?:(?P<fence>`{3,}|:{3,})|<!-- )(?P<language>[\w{}-]*)(?P<rest>(?(fence).*|))")
_FILE = re.compile(r"`(?P<path>[\w.-]+(?:/[\w.-]+)*\.\w+)`:$")
_VARIES = re.compile(r"<!-- varies: (?P<names>.+) -->$")
_EXCUSE = re.compile(r"<!-- (?:not run:|the next console block is) (?P<reason>.{8,}) -->$")


@dataclass(frozen=True, kw_only=True)
class Step:
    """A command and what is written below it."""

    command: str
    output: str = ""
    line: int = 0


@dataclass(frozen=True, kw_only=True)
class Block:
    """A code block."""

    language: str
    text: str
    line: int
    path: str = ""
    """Where it is a file."""
    excuse: str = ""
    """Why it is not run."""
    output: str | None = None
    """What a program prints, where a `text` block follows it."""
    varies: Sequence[str] = ()
    """How lines begin that are not compared."""

    @property
    def steps(self) -> Sequence[Step]:
        """The commands of a console session."""
        return tuple(_steps(self.text, self.line))


@dataclass(frozen=True)
class Page:
    """A document."""

    path: Path
    text: str = field(repr=False)

    @property
    def name(self) -> str:
        """Its path in the repository."""
        return str(self.path.relative_to(ROOT))

    @property
    def blocks(self) -> Sequence[Block]:
        """Its code blocks, in order."""
        return tuple(_joined(list(_blocks(self.text))))


def pages() -> Sequence[Page]:
    """Return every document that people wrote."""
    paths = [
        *ROOT.glob("*.md"),
        *(path for path in (ROOT / "docs").rglob("*.md") if "_build" not in path.parts),
        *(ROOT / "examples").rglob("*.md"),
    ]
    found = (Page(path, path.read_text("utf-8")) for path in sorted(paths))
    return tuple(page for page in found if not page.text.startswith(GENERATED))


def _blocks(text: str) -> Iterator[Block]:
    lines = text.split("\n")
    above, at = "", 0
    while at < len(lines):
        opening = _OPENING.fullmatch(lines[at])
        if opening is None:
            above = lines[at].strip() or above
            at += 1
            continue
        closing = opening["fence"] or "-->"
        end = next(index for index in range(at + 1, len(lines)) if lines[index].rstrip() == closing)
        if not opening["language"].startswith("{"):
            yield _block(opening["language"], lines[at + 1 : end], at + 2, above)
        above, at = "", end + 1


def _block(language: str, lines: list[str], line: int, above: str) -> Block:
    path, excuse, varies = _FILE.search(above), _EXCUSE.search(above), _VARIES.search(above)
    return Block(
        language=language,
        text="".join(f"{each}\n" for each in lines),
        line=line,
        path=path["path"] if path else "",
        excuse=excuse["reason"] if excuse else "",
        varies=varies["names"].split("; ") if varies else (),
    )


def _joined(blocks: list[Block]) -> Iterator[Block]:
    """Give each program what it prints: the `text` block right behind it."""
    followers: list[Block | None] = [*blocks[1:], None]
    for block, after in zip(blocks, followers[: len(blocks)], strict=True):
        prints = block.language == "python" and not block.path and after is not None and after.language == "text"
        yield replace(block, output=after.text) if prints and after is not None else block


def _steps(text: str, line: int) -> Iterator[Step]:
    command: list[str] = []
    output: list[str] = []
    began = line
    for number, each in enumerate(text.splitlines(keepends=True), line):
        if each.startswith("$ "):
            if command:
                yield Step(command="".join(command).rstrip("\n"), output="".join(output), line=began)
            command, output, began = [each[2:]], [], number
        elif command and not output and (each.startswith("> ") or command[-1].rstrip("\n").endswith("\\")):
            command.append(each.removeprefix("> "))
        else:
            output.append(each)
    if not command:
        raise ValueError(f"line {line}: a console session begins with `$ `")
    yield Step(command="".join(command).rstrip("\n"), output="".join(output), line=began)
