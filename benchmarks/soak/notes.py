"""What clients saw, line by line in files, so that hours of it need no memory. Imports nothing of Hotplane."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TextIO

__all__ = ["Notes"]


class Notes:
    """A file for each sort of thing that was seen; every line is some words.

    ``answers`` are executions that a client got the record of: id, task, status. ``failures`` are calls that ended
    without one: id, task, why. ``batches`` are batches that were taken: id, items sent. ``ended`` is how the server
    shows each batch in the end: id, state, items, done. ``trouble`` is what else clients stumbled over: where, what.

    Args:
        folder: Where the files are.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.counts: Counter[str] = Counter()
        """Lines of each sort."""
        self._files: dict[str, TextIO] = {}

    def add(self, sort: str, *words: object) -> None:
        """Write a line."""
        file = self._files.get(sort)
        if file is None:
            file = self._files[sort] = self.path(sort).open("a", encoding="utf-8")
        file.write(" ".join(str(word).replace(" ", "_") for word in words) + "\n")
        self.counts[sort] += 1

    def path(self, sort: str) -> Path:
        """Return the file of one sort; it is not there before the first line."""
        return self.folder / f"{sort}.txt"

    def lines(self, sort: str) -> list[list[str]]:
        """Return the words of every line of one sort."""
        self.close()
        path = self.path(sort)
        return [line.split() for line in path.read_text("utf-8").splitlines()] if path.exists() else []

    def close(self) -> None:
        """Write out what is left; more can be added."""
        for file in self._files.values():
            file.close()
        self._files.clear()
