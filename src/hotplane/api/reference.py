"""The reference page of the HTTP API, written from the OpenAPI document, so that it cannot be behind it.

Imports only lower rooms and `hotplane.api`. ``python -m hotplane.api.reference > docs/reference/api.md`` writes it.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, cast

from msgspec import Struct

from hotplane.api.application import api_document

__all__ = ["render"]

_HEAD = """\
<!-- Written by `python -m hotplane.api.reference`; change the routes instead. -->

# HTTP API

Every operation with its parameters, bodies and answers, as the server itself describes them: `/openapi.json` is the
document, `/docs` a page to try it out. The address is `http://127.0.0.1:3000` unless configured otherwise.

- Bodies are JSON in UTF-8, of the type `application/json`; streams of items are `application/x-ndjson` (of which
  `application/ndjson` and `application/jsonl` are accepted as other names), streams of events `text/event-stream`.
  Unknown members and parameters are refused, and so is a parameter of one value that is given twice.
- Where `server.tokens` is configured, everything but `/livez`, `/readyz`, `/docs`, `/openapi.json` and `/errors/` needs
  `Authorization: Bearer` and a token.
- Every refusal and failure is a problem document (RFC 9457) of the type `application/problem+json`, with a stable
  `code`; [errors](errors.md) lists them. Beside those that are named at an operation, each may answer EVERYWHERE, and
  each that changes something CHANGES.
- Lists come in pages: `items`, and `next_cursor` for the next one, null on the last.
- Times are RFC 3339 in UTC. New members may be added to answers; clients ignore what they do not know.
"""
_EVERYWHERE = ("400", "401", "421", "431", "500", "503")
_CHANGES = ("403", "408")
_ELSEWHERE = ("hotplane.client.", "hotplane.testing.", "hotplane.valkyrie.", "hotplane.worker.")
"""Rooms whose values no host answers with, though some have the names of those that it does."""


def render() -> str:
    """Return the page in Markdown: every operation by its tag, then every schema."""
    document = api_document()
    head = _HEAD.replace("EVERYWHERE", ", ".join(_EVERYWHERE)).replace("CHANGES", ", ".join(_CHANGES))
    parts = [head, *_operations(document), "## Schemas\n", *_schemas(document)]
    return "\n".join(parts)


def _operations(document: Mapping[str, Any]) -> Iterator[str]:
    for tag in document["tags"]:
        yield f"## {str(tag['name']).capitalize()}\n\n{tag['description']}\n"
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                if operation["tags"][0] == tag["name"]:
                    yield from _operation(f"{method.upper()} {path}", operation)


def _operation(name: str, operation: Mapping[str, Any]) -> Iterator[str]:
    yield f"### `{name}`\n\n**{operation['summary']}.** {' '.join(operation.get('description', '').split())}\n"
    if parameters := cast("Sequence[Mapping[str, Any]]", operation.get("parameters", ())):
        rows = [_parameter(each) for each in parameters]
        yield "\n".join(["| Parameter | In | Type | Meaning |", "|---|---|---|---|", *rows, ""])
    if body := operation.get("requestBody"):
        yield f"Body: {_content(body)}\n"
    answers = {status: answer for status, answer in operation["responses"].items() if "$ref" not in answer}
    own = [status for status in operation["responses"] if status not in {*answers, *_EVERYWHERE, *_CHANGES}]
    rows = [f"| {status} | {_content(answer) or answer['description']} |" for status, answer in answers.items()]
    problems = [f"| {', '.join(own)} | problem document |"] if own else []
    yield "\n".join(["| Status | Answer |", "|---|---|", *rows, *problems, ""])


def _parameter(each: Mapping[str, Any]) -> str:
    schema = each["schema"]
    default = f" Default: `{schema['default']}`." if schema.get("default") is not None else ""
    required = " Required." if each.get("required") and each["in"] != "path" else ""
    meaning = str(each.get("description", "")) or f"The {each['name'].replace('_', ' ')}."
    kind = _type(schema).removesuffix(" or null")  # as FastAPI says that it may be left away
    return f"| `{each['name']}` | {each['in']} | {kind} | {_cell(meaning)}{required}{default} |"


def _content(holder: Mapping[str, Any]) -> str:
    shown = [
        f"{_type(content.get('schema', {}))}" + ("" if media == "application/json" else f" (`{media}`)")
        for media, content in holder.get("content", {}).items()
    ]
    return " or ".join(shown)


def _schemas(document: Mapping[str, Any]) -> Iterator[str]:
    meanings = {name: _meanings(kind) for kind in _structs(Struct) for name in (kind.__name__, _full_name(kind))}
    for name, schema in sorted(document["components"]["schemas"].items()):
        title = str(schema.get("title", name))
        yield f"### {_title(name)}\n\n{_text(schema)}\n"
        if properties := schema.get("properties"):
            of = meanings.get(name) or meanings.get(title.partition("[")[0], {})
            needed = set(schema.get("required", ()))
            rows = [
                f"| `{key}` | {_type(each)} | {'yes' if key in needed else ''} | {_cell(of.get(key, ''))} |"
                for key, each in properties.items()
            ]
            yield "\n".join(["| Member | Type | Always | Meaning |", "|---|---|---|---|", *rows, ""])


def _text(schema: Mapping[str, Any]) -> str:
    words = inspect.cleandoc(str(schema.get("description", "")))
    choices = f"One of {_listed(schema['enum'])}." if "enum" in schema else ""
    return _cell(f"{words} {choices}".strip())


def _type(schema: Mapping[str, Any]) -> str:
    """Return a schema in a few words."""
    if "$ref" in schema:
        return _link(str(schema["$ref"]).rpartition("/")[2])
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return " or ".join(dict.fromkeys(_type(each) for each in schema[key]))
    if "enum" in schema:
        return " or ".join(f"`{each}`" for each in schema["enum"])
    kind = schema.get("type", "JSON")
    if isinstance(kind, list):
        return " or ".join(_type({**schema, "type": each}) for each in cast("list[str]", kind))
    if kind == "array":
        return f"list of {_type(schema.get('items', {}))}"
    words = {"string": "text", "integer": "whole number", "object": "object", "null": "null"}
    return f"{words.get(kind, kind)}{_bounds(schema)}"


def _link(name: str) -> str:
    return f"[`{_title(name)}`](#{_slug(_title(name))})"


def _title(name: str) -> str:
    """Return a schema's name for people; of a generic one the parts of the name stand between underscores."""
    words = [word for word in name.removeprefix("hotplane.").split("_") if word]
    return f"{words[0]}[{', '.join(words[1:])}]" if len(words) > 1 else words[0]


def _slug(title: str) -> str:
    return re.sub(r"[^\w-]", "", title.lower().replace(" ", "-"))


def _bounds(schema: Mapping[str, Any]) -> str:
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    bounds = [f"{sign} {schema[key]}" for key, sign in signs.items() if key in schema]
    if schema.get("format") == "date-time":
        bounds.append("RFC 3339")
    if "maxLength" in schema:
        bounds.append(f"at most {schema['maxLength']} characters")
    return f" ({', '.join(bounds)})" if bounds else ""


def _structs(kind: type[Struct]) -> Iterator[type[Struct]]:
    for child in kind.__subclasses__():
        if child.__module__.startswith("hotplane.") and not child.__module__.startswith(_ELSEWHERE):
            yield child
        yield from _structs(child)


def _full_name(kind: type[Struct]) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _meanings(kind: type[Struct]) -> Mapping[str, str]:
    """Return the docstrings below a struct's fields, those of its ancestors included."""
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        if base.__module__.startswith("hotplane."):
            body = cast("ast.ClassDef", ast.parse(textwrap.dedent(inspect.getsource(base))).body[0]).body
            for statement, after in pairwise(body):
                if isinstance(statement, ast.AnnAssign) and isinstance(after, ast.Expr):
                    name, words = cast("ast.Name", statement.target).id, cast("ast.Constant", after.value).value
                    found[name] = inspect.cleandoc(str(words))
    return found


def _listed(values: Sequence[object]) -> str:
    return ", ".join(f"`{each}`" for each in values)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("``", "`").replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(render())
