"""The reference page of the configuration, written from the models, so that it cannot be behind them.

``python -m hotplane.config.reference > docs/reference/configuration.md`` writes it.
"""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import PurePath
from types import NoneType, UnionType
from typing import Any, Literal, Union, cast, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from hotplane.config.document import MAX_FILE_BYTES, MAX_NODES
from hotplane.config.environment import PREFIX
from hotplane.config.loading import DEFAULT_FILES
from hotplane.config.models import HotplaneConfig
from hotplane.config.shape import model_of
from hotplane.values import MAX_DEPTH

__all__ = ["render"]

_HEAD = f"""\
<!-- Written by `python -m hotplane.config.reference`; change the models instead. -->

# Configuration

Everything has a default: a host without any file works. A file is looked for in the current folder, in this
order: {", ".join(f"`{name}`" for name in DEFAULT_FILES)}.
`hotplane config check` reports every problem of a file at once, with file, line, and a suggestion for a misspelt key.
Keys that do not exist are refused.

## Sources

Each layer lies over the one before it: defaults, the file, environment variables, the options of the command line.

`{PREFIX}<SECTION>__<KEY>` sets one key: `{PREFIX}SERVER__PORT=4000` sets `server.port`, a further `__` goes one level
deeper. The value is a plain YAML scalar (`4000`, `true`, `null`, anything else is text, whatever characters it has) or
a list in brackets. Variables without `__` are not settings.

## Files

A file is UTF-8 text of at most {MAX_FILE_BYTES} bytes and {MAX_NODES} values with all aliases written out, nested at
most {MAX_DEPTH} deep.

- **YAML** is read by the core schema of YAML 1.2: only `true` and `false` are booleans, so `no`, `on` and `yes` are
  text; `1:30` is text and not ninety; `0644` is the number 644, `0o644` an octal one; a date is text. Keys are text.
  Anchors, aliases and `<<` work; other tags, several documents in one file, and a key that is given twice are refused.
- **JSON** may have `//` and `/* */` comments and a comma after the last item. A key that is given twice is refused.
- Types are meant: `"3000"` is no number and `1` is not `true`. A key without a value counts as absent.
- **PascalCase** is accepted for every key of this page (`WebhookHandlers`). Where a file has a section `Loopai`, that
  section is the configuration and what stands beside it is ignored. What is inside `configuration`, `metadata` and
  schemas stays as it is written.
"""


def render() -> str:
    """Return the page in Markdown: every key with its type, default and meaning."""
    parts = [_HEAD]
    for name, field in HotplaneConfig.model_fields.items():
        parts.extend(_section(name, field))
    return "\n".join(parts)


def _section(name: str, field: FieldInfo) -> Iterator[str]:
    model, many = model_of(field.annotation)
    if model is None:
        raise TypeError(f"the section {name} is not made of models")
    yield f"## `{name}`\n\n{_text(model)}\n"
    if many:
        yield f"{_meanings(HotplaneConfig)[name]} Each has:\n"
    yield _table(model)
    yield from _parts(name, model)


def _parts(path: str, model: type[BaseModel]) -> Iterator[str]:
    """Yield the tables of the models inside a section, each once."""
    places: dict[type[BaseModel], list[str]] = {}
    owns: dict[type[BaseModel], object] = {}
    for name, field in model.model_fields.items():
        inner, many = model_of(field.annotation)
        if inner is not None:
            places.setdefault(inner, []).append(f"`{path}.{name}{'[]' if many else ''}`")
            owns[inner] = field.get_default(call_default_factory=True, validated_data={})
    for inner, names in places.items():
        yield f"### {', '.join(names)}\n\n{_text(inner)}\n"
        yield _table(inner, owns[inner])


def _table(model: type[BaseModel], own: object = None) -> str:
    """Return the table of a model; a section that gives some keys defaults of its own has them in `own`."""
    meanings = _meanings(model)
    rows = [
        f"| `{name}` | {_type(field)} | {_default_in(own, name, field)} "
        f"| {_cell(field.description or meanings[name])} |"
        for name, field in model.model_fields.items()
    ]
    return "\n".join(["| Key | Type | Default | Meaning |", "|---|---|---|---|", *rows, ""])


def _text(model: type[BaseModel]) -> str:
    return inspect.cleandoc(model.__doc__ or "").replace("``", "`")


def _meanings(model: type[BaseModel]) -> Mapping[str, str]:
    """Return the docstrings below a model's fields, which Python itself does not keep."""
    tree = cast("ast.ClassDef", ast.parse(textwrap.dedent(inspect.getsource(model))).body[0])
    return {
        statement.target.id: inspect.cleandoc(after.value.value)
        for statement, after in zip(tree.body, tree.body[1:], strict=False)
        if isinstance(statement, ast.AnnAssign)
        and isinstance(statement.target, ast.Name)
        and isinstance(after, ast.Expr)
        and isinstance(after.value, ast.Constant)
        and isinstance(after.value.value, str)
    }


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("``", "`").replace("|", "\\|")


def _type(field: FieldInfo) -> str:
    bounds = [part for item in field.metadata if (part := _bound(item))]
    return " ".join([_type_name(field.annotation), *([f"({', '.join(bounds)})"] if bounds else [])])


def _bound(item: object) -> str:
    signs = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
    return ", ".join(f"{sign} {getattr(item, name)}" for name, sign in signs.items() if hasattr(item, name))


def _type_name(annotation: object) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation is Any:
        return "JSON"
    if origin is Literal:
        return " or ".join(f"`{str(choice).lower() if isinstance(choice, bool) else choice}`" for choice in arguments)
    if origin in {Union, UnionType}:
        return " or ".join(_type_name(part) for part in arguments if part is not NoneType)
    if origin in {tuple, list}:
        return f"list of {_type_name(arguments[0])}"
    if origin is not None and hasattr(annotation, "__metadata__"):
        return _type_name(arguments[0])
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return "mapping"
    return _plain_type(cast("type", annotation))


def _plain_type(annotation: type) -> str:
    if issubclass(annotation, BaseModel):
        return "mapping"
    if issubclass(annotation, PurePath):
        return "path"
    if issubclass(annotation, StrEnum):
        return " or ".join(f"`{choice}`" for choice in annotation)
    return {bool: "boolean", int: "whole number", float: "number", str: "text"}[annotation]


def _default_in(own: object, name: str, field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    if isinstance(own, BaseModel):
        return _shown(getattr(own, name))
    return _shown(cast("object", field.get_default(call_default_factory=True, validated_data={})))


def _shown(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple | list | Mapping | BaseModel):
        return "empty" if not value else "see its own keys"
    return "empty" if value == "" else f"`{value}`"


if __name__ == "__main__":
    sys.stdout.write(render())
