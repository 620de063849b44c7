"""Rules in CEL, the Common Expression Language: compiled once, run within limits.

Imports only `errors`, `values` and this package; the library `cel` when the first rule is compiled.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from msgspec import Struct

from hotplane.builtin.validators.cel_text import loop_count, loop_depth, loop_variables
from hotplane.errors import MissingExtra, did_you_mean
from hotplane.values import Json

__all__ = ["MAX_CHARACTERS", "MAX_LOOPS", "VARIABLES", "Compiled", "Undecided", "Variables", "compiled", "count_items"]

VARIABLES = frozenset({"input", "output", "expected", "status", "latency_ms", "task"})
"""What a rule may use."""
_TYPES = frozenset({"bool", "bytes", "double", "int", "list", "map", "null_type", "string", "type", "uint"})
"""Names of types, to compare with what `type(…)` gives."""
MAX_CHARACTERS = 4_096
"""Characters of an expression."""
MAX_LOOPS = 8
"""Loops of an expression: each may multiply what the one before it made."""


class Undecided(Exception):
    """A rule came to no answer; the message says why."""


class Compiled(Struct, frozen=True):
    """A rule, ready to run."""

    program: Any
    uses: frozenset[str]
    """The variables that it uses."""
    depth: int
    """How many loops are inside one another."""


@lru_cache(maxsize=1_024)
def compiled(expression: str) -> Compiled:
    """Compile a rule.

    Raises:
        MissingExtra: The library is not installed.
        ValueError: It is not an expression, it uses a variable that there is not, or has too many loops.
    """
    try:
        # Importing it takes a quarter of a second, because it brings a command line of its own.
        import cel
    except ImportError as missing:
        raise MissingExtra("Rules in CEL", "validators") from missing
    try:
        program = cel.compile(expression)
    except ValueError as error:
        raise ValueError(f"it is not a CEL expression: {_first_line(error)}") from None
    uses = frozenset(program.variables())
    for name in sorted(uses - VARIABLES - _TYPES - loop_variables(expression)):
        hint = did_you_mean(name, VARIABLES) or f"; there are {', '.join(sorted(VARIABLES))}"
        raise ValueError(f"there is no variable `{name[:100]}`{hint}")
    if loop_count(expression) > MAX_LOOPS:
        raise ValueError(f"it has more than {MAX_LOOPS} loops")
    return Compiled(program, uses & VARIABLES, loop_depth(expression))


class Variables:
    """The variables of one execution, handed to the library when a rule first uses them.

    Args:
        values: By name; one that is missing is not known for this execution.
        max_items: Items, at all depths, that the values a rule uses may have together.
        max_steps: Turns that nested loops may take.
    """

    def __init__(self, values: Mapping[str, Json], *, max_items: int, max_steps: int) -> None:
        self._values = values
        self._max_items = max_items
        self._max_steps = max_steps
        self._items: dict[str, int] = {}
        self._context: Any = None

    def know(self, names: Iterable[str]) -> bool:
        """Tell whether all these variables are known."""
        return all(name in self._values for name in names)

    def decide(self, rule: Compiled) -> bool:
        """Return what a rule says.

        Raises:
            Undecided: It fails, does not say true or false, or would take too long.
        """
        self._check_size(rule)
        try:
            answer = rule.program.execute(self._given(rule.uses))
        except Exception as error:  # the library raises whatever fits: KeyError, TypeError, OverflowError, …
            raise Undecided(_reason(error)) from None
        if not isinstance(answer, bool):
            raise Undecided(f"it gives a {type(answer).__name__}, not true or false")
        return answer

    def _given(self, names: frozenset[str]) -> object:
        if self._context is None:
            import cel

            self._context = cel.Context()
            self._converted: set[str] = set()
        for name in names - self._converted:
            self._context.add_variable(name, self._values[name])
            self._converted.add(name)
        return self._context

    def _check_size(self, rule: Compiled) -> None:
        # The library holds the interpreter while it works, so that no limit of time could stop it.
        items = sum(self._size(name) for name in rule.uses)
        if items > self._max_items:
            raise Undecided(f"its values have more than {self._max_items} items (max_items)")
        if rule.depth > 1 and items**rule.depth > self._max_steps:
            raise Undecided(
                f"its values have {items} items, and {rule.depth} loops inside one another could take "
                f"more than {self._max_steps} turns (max_steps)"
            )

    def _size(self, name: str) -> int:
        if name not in self._items:
            self._items[name] = count_items(self._values[name], self._max_items + 1)
        return self._items[name]


def count_items(value: Json, limit: int) -> int:
    """Return how many items the lists and objects in `value` have, at all depths; at most about `limit`."""
    count = 0
    waiting: list[Json] = [value]
    while waiting and count < limit:
        each = waiting.pop()
        if isinstance(each, Mapping):
            count += len(each)
            waiting.extend(each.values())
        elif isinstance(each, list | tuple):
            count += len(each)
            waiting.extend(each)
    return count


def _reason(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"there is no key {error}; ask with `has(…)` first"
    return _first_line(error)


def _first_line(error: Exception) -> str:
    text = str(error).partition("ERROR: <input>:")[2] or str(error)
    return text.strip().splitlines()[0][:300] if text.strip() else type(error).__name__
