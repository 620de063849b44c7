"""What the text of a CEL expression says without being run: its loops and their variables.

Imports nothing of Hotplane. The library gives no access to the parsed expression, and the time that one takes grows
with the length of its lists to the power of the depth of its loops.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

__all__ = ["loop_count", "loop_depth", "loop_variables"]

_TOKEN = re.compile(
    r"""
    (?P<skip>//[^\n]*
      | [rRbB]{0,2}(?:\"\"\".*?(?<!\\)\"\"\" | '''.*?(?<!\\)'''
      | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*'))
    | (?P<loop>\.\s*(?:all|exists|exists_one|existsOne|map|filter)\s*\(\s*(?P<variable>[A-Za-z_]\w*)?)
    | (?P<open>[(\[{])
    | (?P<close>[)\]}])
    """,
    re.VERBOSE | re.DOTALL,
)


def loop_depth(expression: str) -> int:
    """Return how many loops (`all`, `exists`, `exists_one`, `map`, `filter`) are inside one another at most."""
    deepest = 0
    inside: list[bool] = []
    for token in _TOKEN.finditer(expression):
        if token["loop"] or token["open"]:
            inside.append(bool(token["loop"]))
            deepest = max(deepest, sum(inside))
        elif token["close"] and inside:
            inside.pop()
    return deepest


def loop_count(expression: str) -> int:
    """Return how many loops there are."""
    return sum(1 for _ in _loops(expression))


def loop_variables(expression: str) -> frozenset[str]:
    """Return the names that loops give their items."""
    return frozenset(loop["variable"] for loop in _loops(expression) if loop["variable"])


def _loops(expression: str) -> Iterator[re.Match[str]]:
    return (token for token in _TOKEN.finditer(expression) if token["loop"])
