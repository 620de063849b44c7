"""What a command is given as JSON or YAML: an argument, a file, or stdin.

Imports `errors`, and the readers of `config` when they are used.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, cast

from hotplane.cli.failure import BadInput, ServerRefused
from hotplane.errors import ConfigurationError, Problem
from hotplane.values import Json

if TYPE_CHECKING:
    from hotplane.config.document import Document

__all__ = ["MAX_BYTES", "STDIN", "json_argument", "mapping_of", "placed", "read_mapping", "read_text"]

MAX_BYTES = 64 * 2**20
"""An input may be this large, in bytes; servers commonly take less."""

STDIN = "-"


def json_argument(text: str, what: str) -> Json:
    """Return the JSON value that an argument means: itself, ``-`` for stdin, or ``@file``.

    Args:
        text: The argument.
        what: What it is for, in messages.

    Raises:
        BadInput: It cannot be read, or is not JSON.
    """
    import msgspec

    given = text if text != STDIN and not text.startswith("@") else read_text(text.removeprefix("@"))
    try:
        return msgspec.json.decode(given)
    except msgspec.DecodeError as error:
        _refuse_json(text, what, str(error))
    except RecursionError:
        _refuse_json(text, what, "it is nested too deep")


def read_text(source: str) -> str:
    """Return the content of a file, or of stdin for ``-``.

    Raises:
        BadInput: It cannot be read, is too large, or is not UTF-8.
    """
    name = _name(source)
    try:
        if source == STDIN:
            data = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            with Path(source).open("rb") as file:
                data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise BadInput(f"{name} cannot be read: {getattr(error, 'strerror', None) or error}.") from None
    if len(data) > MAX_BYTES:
        raise BadInput(f"{name} is larger than {MAX_BYTES} bytes.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise BadInput(f"{name} is not UTF-8 text.", (Problem("not UTF-8", "", name, line),)) from None


def read_mapping(source: str) -> Document:
    """Return a document that is a mapping, from a JSON or YAML file, or from stdin for ``-``.

    YAML is read as in configuration files; a file that ends in ``.json`` or begins with a brace is JSON.

    Raises:
        BadInput: It cannot be read; every problem has its line.
    """
    text = read_text(source)
    from hotplane.config.json_reader import read_json
    from hotplane.config.yaml_reader import read_yaml

    suffix = Path(source).suffix.lower()
    is_json = suffix == ".json" or (suffix not in {".yaml", ".yml"} and text.lstrip().startswith("{"))
    try:
        document = (read_json if is_json else read_yaml)(text, _name(source))
    except ConfigurationError as error:
        raise BadInput(f"{_name(source)} cannot be used.", error.problems) from None
    if not isinstance(document.value, Mapping):
        raise BadInput(f"{_name(source)} has to hold one mapping.")
    return document


def placed(refusal: ServerRefused, document: Document) -> ServerRefused:
    """Return a server's refusal with the lines of the document that was sent."""
    problems = [
        Problem(each.message, each.pointer, document.file, document.line_of(each.pointer)) for each in refusal.problems
    ]
    return ServerRefused(refusal.title, refusal.detail, status=refusal.status, kind=refusal.kind, problems=problems)


def _name(source: str) -> str:
    return "stdin" if source == STDIN else source


def _refuse_json(text: str, what: str, reason: str) -> NoReturn:
    reason = reason.removeprefix("JSON is malformed: ").removesuffix(".")
    if text == STDIN or text.startswith("@"):
        raise BadInput(f"{what} in {_name(text.removeprefix('@'))} is not JSON: {reason}.") from None
    example = """'{"text": "hello"}'"""
    advice = f"Quote it for the shell, such as {example}; a text is '\"hello\"'; @file and - read a file and stdin."
    raise BadInput(f"{what} is not JSON: {reason}. {advice}") from None


def mapping_of(document: Document) -> dict[str, Json]:
    """Return the value of a document that `read_mapping` gave."""
    return dict(cast("Mapping[str, Json]", document.value))
