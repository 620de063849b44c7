"""A Jinja2 in which a template can only choose, repeat and join what an event says. Imports nothing of Hotplane.

Templates arrive through the API, so that one must not read the host's objects, call anything, or eat its time and
memory: no calls, no assignments, no macros, no imports, no arithmetic that multiplies, no attributes of anything but
JSON objects, few filters, and limits on repetitions, on what is made on the way and on what comes out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import wraps
from typing import Any, Literal, cast

import msgspec
from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError, nodes
from jinja2.filters import do_round
from jinja2.runtime import LoopContext, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

__all__ = ["Sandbox", "TemplateError", "TemplateSyntaxError"]

_FILTERS = frozenset(
    {"abs", "capitalize", "count", "d", "default", "first", "float", "int", "last", "length", "lower", "round"}
    | {"string", "title", "trim", "truncate", "upper"}
)
_TESTS = frozenset(
    {"boolean", "defined", "divisibleby", "even", "false", "in", "mapping", "none", "number", "odd", "sequence"}
    | {"string", "true", "undefined", "eq", "ne", "lt", "le", "gt", "ge", "==", "!=", "<", "<=", ">", ">="}
)
_REFUSED: tuple[tuple[type[nodes.Node], str], ...] = (
    (nodes.Call, "it calls something; only filters are there"),
    (nodes.Assign, "`set` is not there"),
    (nodes.AssignBlock, "`set` is not there"),
    (nodes.With, "`with` is not there"),
    (nodes.Mul, "`*` is not there"),
    (nodes.Pow, "`**` is not there"),
    (nodes.Mod, "`%` is not there"),
)
_ALLOWED = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.Const,
    nodes.Name,
    nodes.Getattr,
    nodes.Getitem,
    nodes.Slice,
    nodes.Filter,
    nodes.Test,
    nodes.If,
    nodes.For,
    nodes.CondExpr,
    nodes.Compare,
    nodes.Operand,
    nodes.And,
    nodes.Or,
    nodes.Not,
    nodes.Neg,
    nodes.Add,
    nodes.Sub,
    nodes.Div,
    nodes.Concat,
    nodes.List,
    nodes.Tuple,
    nodes.Keyword,
)
_MAX_REPETITIONS = 1_000
_MAX_SEPARATOR = 20
_MAX_MADE = 5_000_000
"""Characters that filters and operators may make in one rendering: each may multiply what the one before made."""
_MAX_PLACES = 100
_LONG: tuple[type, ...] = (str, Mapping, list, tuple)


class Sandbox(ImmutableSandboxedEnvironment):
    """Compiles and renders templates over JSON values.

    Args:
        escape: What makes an inserted value harmless where the text goes.
    """

    def __init__(self, escape: Callable[[str], str]) -> None:
        self._repetitions = self._made = 0
        self._escape = escape
        super().__init__(undefined=StrictUndefined, finalize=self._finalized)
        self.globals.clear()
        self.filters = {name: made for name, made in self.filters.items() if name in _FILTERS}
        self.filters |= {"tojson": self._json, "join": self._join, "round": _round, "added": _added, "joined": _joined}
        self.filters = {name: self._counted(made) for name, made in self.filters.items()}
        self.filters["limited"] = self._limited
        self.tests = {name: made for name, made in self.tests.items() if name in _TESTS}

    def compiled(self, source: str) -> Template:
        """Return a template that is allowed.

        Raises:
            TemplateSyntaxError: It does not compile, or does what is not allowed; with the line.
        """
        tree = self.parse(source)
        for node in tree.find_all(nodes.Node):
            if not isinstance(node, _ALLOWED):
                raise TemplateSyntaxError(_why_not(node), node.lineno)
        return self.from_string(cast("nodes.Template", _Limiting().visit(tree)))

    def rendered(self, template: Template, values: Mapping[str, object], limit: int) -> str:
        """Return what `template` says, cut at `limit` characters.

        Raises:
            TemplateError: It names what is not there, repeats too often, or makes too much.
            Exception: Whatever else a filter raises of values that it was not made for.
        """
        self._repetitions = self._made = 0
        parts: list[str] = []
        length = 0
        for part in template.generate(values):
            parts.append(part[: limit - length])
            length += len(parts[-1])
            if length >= limit:
                break
        return "".join(parts)

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Return a member of a JSON object; nothing else has attributes here, except `loop`."""
        if isinstance(obj, LoopContext):
            return super().getattr(obj, attribute)
        return self.getitem(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """Return a member of a JSON object or list."""
        if not isinstance(obj, Mapping | Sequence):
            return self.undefined(obj=obj, name=argument)
        try:
            return cast("Any", obj)[argument]
        except (LookupError, TypeError, ValueError):
            return self.undefined(obj=obj, name=argument)

    def is_safe_callable(self, obj: Any) -> bool:
        """Return that nothing may be called."""
        del obj
        return False

    def _limited(self, values: Iterable[object]) -> Iterator[object]:
        for value in values:
            self._repetitions += 1
            if self._repetitions > _MAX_REPETITIONS:
                raise TemplateError(f"it repeats something more than {_MAX_REPETITIONS} times")
            yield value

    def _count(self, length: int) -> None:
        self._made += length
        if self._made > _MAX_MADE:
            raise TemplateError(f"it makes more than {_MAX_MADE} characters on its way")

    def _counted(self, made: Callable[..., object]) -> Callable[..., object]:
        @wraps(made)  # with its marks, by which jinja2 knows what it wants beside the value
        def counted(*values: object, **options: object) -> object:
            result = made(*values, **options)
            self._count(_length(result))
            return result

        return counted

    def _finalized(self, value: object) -> str:
        return self._escape(self._shown(value))

    def _shown(self, value: object) -> str:
        """Return a JSON value as text: texts as they are, null as nothing, everything else as JSON."""
        if isinstance(value, str | Undefined):
            return str(value)
        return "" if value is None else self._json(value)

    def _json(self, value: object) -> str:
        if isinstance(value, Undefined):
            return str(value)
        self._weigh(value)
        return msgspec.json.encode(value).decode()

    def _weigh(self, value: object) -> None:
        """Count what JSON would make of `value`: a list of lists of one another is small until it is written."""
        waiting = [value]
        while waiting:
            each = waiting.pop()
            self._count(_length(each))
            if isinstance(each, Mapping):
                waiting += cast("Mapping[str, object]", each).values()
            elif isinstance(each, list | tuple):
                waiting += cast("Sequence[object]", each)

    def _join(self, values: Iterable[object], separator: str = "") -> str:
        return str(separator)[:_MAX_SEPARATOR].join(self._shown(value) for value in values)


class _Limiting(NodeTransformer):
    """Has every loop run over a limited iterator, and everything that makes longer texts count them."""

    def visit_For(  # noqa: N802 - jinja2 looks it up by this name
        self, node: nodes.For
    ) -> nodes.Node:
        self.generic_visit(node)
        node.iter = nodes.Filter(node.iter, "limited", [], [], None, None, lineno=node.lineno)
        return node

    def visit_Concat(  # noqa: N802 - jinja2 looks it up by this name
        self, node: nodes.Concat
    ) -> nodes.Node:
        self.generic_visit(node)
        parts = nodes.List(node.nodes, lineno=node.lineno)
        return nodes.Filter(parts, "joined", [], [], None, None, lineno=node.lineno)

    def visit_Add(  # noqa: N802 - jinja2 looks it up by this name
        self, node: nodes.Add
    ) -> nodes.Node:
        self.generic_visit(node)
        return nodes.Filter(node.left, "added", [node.right], [], None, None, lineno=node.lineno)


def _length(value: object) -> int:
    return len(cast("str", value)) if isinstance(value, _LONG) else 1


def _joined(values: Sequence[object]) -> str:
    return "".join(map(str, values))


def _added(left: Any, right: Any) -> object:
    return left + right


def _round(value: float, precision: int = 0, method: Literal["common", "ceil", "floor"] = "common") -> float:
    if not -_MAX_PLACES <= precision <= _MAX_PLACES:
        raise TemplateError(f"it rounds to more than {_MAX_PLACES} places")
    return do_round(value, precision, method)


def _why_not(node: nodes.Node) -> str:
    reasons = (reason for kind, reason in _REFUSED if isinstance(node, kind))
    return next(reasons, f"`{type(node).__name__.lower()}` is not there")
