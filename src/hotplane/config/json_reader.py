"""Reading JSON, with lines. Imports only `errors`, `values` and `document`.

Comments (``//`` and ``/* */``) and a comma after the last item are accepted, because files named
``appsettings.json`` commonly have them: .NET's configuration reader allows both. A key that is given twice is
refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import NoReturn

from hotplane.config.document import MAX_NODES, Document, refuse
from hotplane.errors import ConfigurationError, Problem
from hotplane.values import MAX_DEPTH, Json, pointer

__all__ = ["read_json"]

# Possessive and open-ended at the end of the text: what is never closed must not be tried again at every place.
_STRING = r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)'
_COMMENT = re.compile(rf"{_STRING}|//[^\n]*|/\*.*?(?:\*/|\Z)", re.DOTALL)
_TRAILING_COMMA = re.compile(rf"{_STRING}|[{{\[,]\s*+,|,(?=\s*+[}}\]])", re.DOTALL)
_PIECE = re.compile(rf"{_STRING}|[{{}}\[\],:]|[^\s{{}}\[\],:\"]+", re.DOTALL)


def read_json(text: str, file: str | None = None) -> Document:
    """Read a JSON document.

    Args:
        text: The file's content.
        file: Its name, for messages.

    Raises:
        ConfigurationError: The syntax is wrong, a key is given twice, or a limit is exceeded; with lines.
    """
    if not text.strip():
        return Document({}, {}, file)
    text = _TRAILING_COMMA.sub(_without_comma, _COMMENT.sub(_without_comment, text))
    locator = _Locator(text, file)
    try:
        value: Json = json.loads(text, parse_constant=_refuse_constant)
        locator.locate()
    except json.JSONDecodeError as error:
        refuse(f"this is not valid JSON: {error.msg}", file, error.lineno)
    except RecursionError:
        refuse(f"nested more than {MAX_DEPTH} deep", file, None)
    except ValueError as error:
        refuse(f"this is not valid JSON: {error}", file, None)
    if locator.problems:
        raise ConfigurationError(locator.problems)
    return Document(value, locator.lines, file)


def _without_comment(match: re.Match[str]) -> str:
    """Put spaces for a comment, so that lines and columns stay; keep a string, and a comment that is never closed."""
    found = match.group()
    closed = found.startswith("//") or (found.endswith("*/") and len(found) >= 4)
    return re.sub(r"[^\n]", " ", found) if found[0] == "/" and closed else found


def _without_comma(match: re.Match[str]) -> str:
    return " " if match.group() == "," else match.group()


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


class _Locator:
    """Finds the lines of all values, and repeated keys, in a text that is known to be JSON."""

    def __init__(self, text: str, file: str | None) -> None:
        self.lines: dict[str, int] = {}
        self.problems: list[Problem] = []
        self._file = file
        self._pieces = self._scan(text)

    def locate(self) -> None:
        piece, line = next(self._pieces)
        self._value(piece, line, "")

    def _value(self, piece: str, line: int, at: str) -> None:
        self.lines[at] = line
        if len(self.lines) > MAX_NODES:
            refuse(f"more than {MAX_NODES} values", self._file, line)
        if piece == "{":
            self._object(at)
        elif piece == "[":
            self._array(at)

    def _object(self, at: str) -> None:
        first: dict[str, int] = {}
        for piece, line in self._pieces:
            if piece == "}":
                return
            if piece == ",":
                continue
            key: str = json.loads(piece)
            here = at + pointer(key)
            if key in first:
                message = f"the key `{key}` is given twice, first in line {first[key]}"
                self.problems.append(Problem(message, here, self._file, line))
            first.setdefault(key, line)
            next(self._pieces)  # the colon
            self._value(next(self._pieces)[0], line, here)

    def _array(self, at: str) -> None:
        index = 0
        for piece, line in self._pieces:
            if piece == "]":
                return
            if piece == ",":
                index += 1
                continue
            self._value(piece, line, at + pointer(index))

    @staticmethod
    def _scan(text: str) -> Iterator[tuple[str, int]]:
        line, end = 1, 0
        for match in _PIECE.finditer(text):
            line += text.count("\n", end, match.start())
            end = match.start()
            yield match.group(), line
