"""Reading YAML: safe, bounded, with lines, and without the traps of YAML 1.1.

Imports only `errors`, `values` and `document`.

Plain scalars are read by the core schema of YAML 1.2 (§10.3.2): only ``true`` and ``false`` are booleans, so that
``no``, ``on`` and ``yes`` stay text; ``1:30`` is text, not ninety; ``0644`` is the number 644 and ``0o644`` an
octal one; a date is text. Keys are always text, as written. Anchors, aliases and ``<<`` work within
`MAX_NODES`; a key that is given twice is refused; tags other than those of the core schema are refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

import yaml

from hotplane.config.document import MAX_NODES, Document, refuse
from hotplane.errors import ConfigurationError, NotJson, Problem
from hotplane.values import MAX_DEPTH, Json, checked_copy, pointer

__all__ = ["plain_scalar", "read_yaml"]

_TAG = "tag:yaml.org,2002:"
_CORE: Mapping[str, re.Pattern[str]] = {
    "null": re.compile(r"(?:~|null|Null|NULL|)\Z"),
    "bool": re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z"),
    "int": re.compile(r"(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)\Z"),
    "float": re.compile(
        r"(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z"
    ),
}
_MAX_DIGITS = 400
"""Longer numbers than any double are refused before they are converted, which takes quadratic time."""

_Base = cast("type[yaml.SafeLoader]", yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader)


class _Loader(_Base):
    """Composes nodes; the implicit resolvers of YAML 1.1 are taken out and those of the core schema put in."""

    yaml_implicit_resolvers: dict[Any, Any] = {}  # noqa: RUF012 - PyYAML's own attribute, a plain dict


_add_resolver = cast("Any", _Loader).add_implicit_resolver
for _name, _pattern in _CORE.items():
    _add_resolver(_TAG + _name, _pattern, None)
_add_resolver(_TAG + "merge", re.compile(r"<<\Z"), ["<"])


def read_yaml(text: str, file: str | None = None) -> Document:
    """Read a YAML document.

    Args:
        text: The file's content.
        file: Its name, for messages.

    Raises:
        ConfigurationError: The syntax is wrong, a key is given twice, or a limit is exceeded; with lines.
    """
    try:
        _check_depth(text, file)
        node = yaml.compose(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise ConfigurationError((_syntax_problem(error, text, file),)) from None
    if node is None:
        return Document({}, {}, file)
    builder = _Builder(file)
    value = builder.build(node, "", MAX_DEPTH)
    if builder.problems:
        raise ConfigurationError(builder.problems)
    return Document(value, builder.lines, file)


def plain_scalar(text: str) -> Json:
    """Return what `text` means as a plain scalar: null, a boolean, a number that JSON can hold, or the text itself."""
    for name, pattern in _CORE.items():
        if pattern.match(text) and len(text) <= _MAX_DIGITS:
            try:
                return checked_copy(_convert(name, text))
            except NotJson:  # infinite, or an integer that is too large
                return text
    return text


def _convert(name: str, text: str) -> Json:
    if name == "null":
        return None
    if name == "bool":
        return text.lower() == "true"
    if name == "int":
        return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))
    return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))


def _check_depth(text: str, file: str | None) -> None:
    """Refuse deep nesting before the composer, which recurses, sees it."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            refuse(f"nested more than {MAX_DEPTH} deep", file, cast("Any", event).start_mark.line + 1)


def _syntax_problem(error: yaml.YAMLError, text: str, file: str | None) -> Problem:
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        what = " ".join(part for part in (error.context, error.problem) if part)
        return Problem(f"this is not valid YAML: {what}", "", file, mark.line + 1 if mark else None)
    position = getattr(error, "position", None)
    line = text.count("\n", 0, position) + 1 if isinstance(position, int) else None
    return Problem(f"this is not valid YAML: {getattr(error, 'reason', 'a character is not allowed')}", "", file, line)


class _Builder:
    """Turns nodes into values; notes the lines and every problem on the way."""

    def __init__(self, file: str | None) -> None:
        self.file = file
        self.lines: dict[str, int] = {}
        self.problems: list[Problem] = []
        self._nodes = 0

    def build(self, node: yaml.Node, at: str, depth: int) -> Json:
        line = _line(node)
        self.lines.setdefault(at, line)
        self._count(node, at)
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, at)
        if not depth:
            refuse(f"nested more than {MAX_DEPTH} deep", self.file, line, at)
        if isinstance(node, yaml.SequenceNode):
            self._check_tag(node, "seq", at)
            return [self.build(item, at + pointer(index), depth - 1) for index, item in enumerate(node.value)]
        self._check_tag(node, "map", at)
        return self._mapping(cast("yaml.MappingNode", node), at, depth)

    def _count(self, node: yaml.Node, at: str) -> None:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            refuse(f"more than {MAX_NODES} values; do aliases multiply each other?", self.file, _line(node), at)

    def _scalar(self, node: yaml.ScalarNode, at: str) -> Json:
        text: str = node.value
        name = str(node.tag).removeprefix(_TAG)
        if name in {"str", "merge"}:
            return text
        pattern = _CORE.get(name)
        if pattern is not None and pattern.match(text) and len(text) <= _MAX_DIGITS:
            return _convert(name, text)
        self._problem(f"the tag `{_short_tag(node.tag)}` cannot be used for this value", at, node)
        return None

    def _mapping(self, node: yaml.MappingNode, at: str, depth: int) -> Json:
        value: dict[str, Json] = {}
        for key, (key_node, value_node) in self._pairs(node, at, depth).items():
            here = at + pointer(key)
            self.lines[here] = _line(key_node)
            value[key] = self.build(value_node, here, depth - 1)
        return value

    def _pairs(self, node: yaml.MappingNode, at: str, depth: int) -> dict[str, tuple[yaml.Node, yaml.Node]]:
        """Return a mapping's own keys, then those that it takes over by ``<<`` and does not have itself."""
        own: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        merged: list[yaml.Node] = []
        for key_node, value_node in cast("list[tuple[yaml.Node, yaml.Node]]", node.value):
            self._count(key_node, at)
            key = self._key(key_node, at)
            if key_node.tag == _TAG + "merge":
                merged.append(value_node)
            elif key in own:
                message = f"the key `{key}` is given twice, first in line {_line(own[key][0])}"
                self._problem(message, at + pointer(key), key_node)
            elif key is not None:
                own[key] = key_node, value_node
        for source in merged:
            own = {**self._merged(source, at, depth - 1), **own}
        return own

    def _key(self, node: yaml.Node, at: str) -> str | None:
        if isinstance(node, yaml.ScalarNode):
            return str(node.value)
        self._problem("a key must be text, not a list or a mapping", at, node)
        return None

    def _merged(self, node: yaml.Node, at: str, depth: int) -> dict[str, tuple[yaml.Node, yaml.Node]]:
        """Return the keys of ``<<: *base`` or ``<<: [*first, *second]``; what comes first wins."""
        if not depth:
            refuse(f"nested more than {MAX_DEPTH} deep", self.file, _line(node), at)
        taken: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        for source in cast("list[yaml.Node]", node.value) if isinstance(node, yaml.SequenceNode) else [node]:
            if isinstance(source, yaml.MappingNode):
                taken = {**self._pairs(source, at, depth), **taken}
            else:
                self._problem("`<<` takes a mapping or a list of mappings", at, node)
        return taken

    def _check_tag(self, node: yaml.Node, name: str, at: str) -> None:
        if node.tag != _TAG + name:
            self._problem(f"the tag `{_short_tag(node.tag)}` cannot be used", at, node)

    def _problem(self, message: str, at: str, node: yaml.Node) -> None:
        self.problems.append(Problem(message, at, self.file, _line(node)))


def _line(node: yaml.Node) -> int:
    return cast("Any", node.start_mark).line + 1


def _short_tag(tag: str) -> str:
    return tag.replace(_TAG, "!!")[:80]
