"""A Jinja2 in which a template can only choose, repeat and join what an event says. Imports nothing of Hotplane.

Templates arrive through the API, so that one must not read the host's objects, call anything, or eat its time and
memory: no calls, no assignments, no macros, no imports, no arithmetic that multiplies, no attributes of anything but
JSON objects, few filters, and a limit on repetitions and on what comes out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

import msgspec
from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError, nodes
from jinja2.runtime import LoopContext, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

__all__ = ["Sandbox", "TemplateError", "TemplateSyntaxError", "shown"]

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


class Sandbox(ImmutableSandboxedEnvironment):
    """Compiles and renders templates over JSON values.

    Args:
        escape: What makes an inserted value harmless where the text goes.
    """

    def __init__(self, escape: Callable[[str], str]) -> None:
        super().__init__(undefined=StrictUndefined, finalize=_finalizer(escape))
        self._repetitions = 0
        self.globals.clear()
        self.filters = {name: made for name, made in self.filters.items() if name in _FILTERS}
        self.filters |= {"tojson": _json, "join": _join, "limited": self._limited}
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
            TemplateError: It names what is not there, or repeats too often.
            ArithmeticError, ValueError, TypeError: It calculates what cannot be calculated.
        """
        self._repetitions = 0
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


class _Limiting(NodeTransformer):
    """Has every loop run over a limited iterator."""

    def visit_For(  # noqa: N802 - jinja2 looks it up by this name
        self, node: nodes.For
    ) -> nodes.Node:
        self.generic_visit(node)
        node.iter = nodes.Filter(node.iter, "limited", [], [], None, None, lineno=node.lineno)
        return node


def _finalizer(escape: Callable[[str], str]) -> Callable[[object], str]:
    def finalize(value: object) -> str:
        return escape(shown(value))

    return finalize


def shown(value: object) -> str:
    """Return a JSON value as text: texts as they are, null as nothing, everything else as JSON."""
    if isinstance(value, str | Undefined):
        return str(value)
    return "" if value is None else _json(value)


def _json(value: object) -> str:
    return str(value) if isinstance(value, Undefined) else msgspec.json.encode(value).decode()


def _join(values: Iterable[object], separator: str = "") -> str:
    return str(separator)[:_MAX_SEPARATOR].join(shown(value) for value in values)


def _why_not(node: nodes.Node) -> str:
    reasons = (reason for kind, reason in _REFUSED if isinstance(node, kind))
    return next(reasons, f"`{type(node).__name__.lower()}` is not there")
