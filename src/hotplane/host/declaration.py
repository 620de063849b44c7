"""What a plugin's source declares, read from its syntax tree without executing anything.

Imports only `source`. What is not literal is unknown here, and checked after the import.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from hotplane.host.source import Source

__all__ = ["Declaration", "Unparsable", "declarations"]

_KINDS = {
    "Runner": "runner",
    "Validator": "validator",
    "Sampler": "sampler",
    "WebhookHandler": "webhook-handler",
}


class Unparsable(Exception):
    """The source is not valid Python; the message says what and where."""


@dataclass(frozen=True, slots=True)
class Declaration:
    """One class that has metadata or a known kind as its base; what is None is not literal."""

    class_name: str
    module: str
    """Dotted name inside the plugin; ``""`` for the main module."""
    line: int
    kind: str | None = None
    described: bool = False
    """Whether it assigns `metadata`."""
    name: str | None = None
    version: str | None = None
    requires_host: str | None = None
    requires: tuple[str, ...] | None = None


def declarations(source: Source) -> tuple[Declaration, ...]:
    """Return the plugin classes that a file or package seems to have, by module and line.

    Left out are private classes, bases of others, and classes without metadata where another has some.

    Raises:
        Unparsable: A module is not valid Python.
    """
    found = [
        each
        for name, module in sorted(source.modules.items())
        for each in sorted(_of_module(name, _parse(module.text, module.path.name)), key=lambda each: each.line)
        if not each.class_name.startswith("_")
    ]
    return tuple([each for each in found if each.described] or found)


def _parse(text: bytes, file: str) -> ast.Module:
    try:
        return ast.parse(text, file)
    except SyntaxError as error:
        place = f"{file}, line {error.lineno}" if error.lineno else file
        raise Unparsable(f"it is not valid Python: {error.msg} ({place})") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise Unparsable(f"it is not valid Python: {error or type(error).__name__} ({file})") from None


def _of_module(module: str, tree: ast.Module) -> Iterator[Declaration]:
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    ancestries = {name: list(_ancestry(node, classes)) for name, node in classes.items()}
    bases = {base.name for ancestry in ancestries.values() for base in ancestry[1:]}
    for name in classes.keys() - bases:
        kinds = (_KINDS.get(_last_name(base)) for each in ancestries[name] for base in each.bases)
        kind = next(filter(None, kinds), None)
        metadata = next(filter(None, map(_metadata, ancestries[name])), None)
        if kind is not None or metadata is not None:
            yield _declaration(module, classes[name], kind, metadata)


def _ancestry(node: ast.ClassDef, classes: Mapping[str, ast.ClassDef]) -> Iterator[ast.ClassDef]:
    """Yield a class and those of its bases that are in the same file, each once, nearest first."""
    waiting, seen = [node], set[str]()
    while waiting:
        each = waiting.pop(0)
        if each.name not in seen:
            seen.add(each.name)
            yield each
            waiting += [classes[name] for base in each.bases if (name := _last_name(base)) in classes]


def _declaration(module: str, node: ast.ClassDef, kind: str | None, metadata: ast.expr | None) -> Declaration:
    literal = _literals(metadata)
    return Declaration(
        class_name=node.name,
        module=module,
        line=node.lineno,
        kind=kind,
        described=metadata is not None,
        name=_text(literal, "name", None),
        version=_text(literal, "version", None),
        requires_host=_text(literal, "requires_host", ""),
        requires=_texts(literal, "requires"),
    )


def _last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Subscript):  # Validator[MyConfig]
        return _last_name(node.value)
    if isinstance(node, ast.Attribute):  # plugins.Validator
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _metadata(node: ast.ClassDef) -> ast.expr | None:
    for statement in node.body:
        if isinstance(statement, ast.Assign):
            targets = statement.targets
        elif isinstance(statement, ast.AnnAssign):
            targets = [statement.target]
        else:
            continue
        if any(isinstance(target, ast.Name) and target.id == "metadata" for target in targets):
            return statement.value
    return None


def _literals(call: ast.expr | None) -> Mapping[str, object]:
    """Return the literal keyword arguments, with None for those that are not; nothing where any are hidden by `**`."""
    if not isinstance(call, ast.Call) or _last_name(call.func) != "PluginMetadata":
        return {}
    if call.args or any(keyword.arg is None for keyword in call.keywords):
        return {}
    return {"": "PluginMetadata"} | {str(keyword.arg): _literal(keyword.value) for keyword in call.keywords}


def _literal(node: ast.expr) -> object:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None


def _text(literal: Mapping[str, object], key: str, default: str | None) -> str | None:
    value = literal.get(key, default) if literal else None
    return value if isinstance(value, str) else None


def _texts(literal: Mapping[str, object], key: str) -> tuple[str, ...] | None:
    value = literal.get(key, ()) if literal else None
    if not isinstance(value, tuple | list):
        return None
    texts = tuple(each for each in value if isinstance(each, str))  # pyright: ignore[reportUnknownVariableType]
    return texts if len(texts) == len(value) else None  # pyright: ignore[reportUnknownArgumentType]
