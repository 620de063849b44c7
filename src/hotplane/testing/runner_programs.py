"""The programs that the contract of runners has run. Imports nothing of Hotplane: workers import it, too."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from types import MappingProxyType

__all__ = ["OUTPUTS", "echo", "echo_async", "fail", "fail_async", "nest", "not_json", "pause", "shared", "spoil"]

_SHARED: list[object] = [1, 2, 3]
OUTPUTS: Mapping[str, object] = MappingProxyType(
    {
        "nan": float("nan"),
        "infinity": float("inf"),
        "too large": 2**64,
        "too small": -(2**63) - 1,
        "an object": object(),
        "a set": {1},
        "a key": {1: 2},
        "a lone surrogate": "\ud800",
    }
)
"""What no runner may let through, by the input that makes `not_json` return it."""


def echo(value: object) -> object:
    """Return the input."""
    return value


async def echo_async(value: object) -> object:
    """Return the input, after others had their turn."""
    await asyncio.sleep(0)
    return value


async def pause(seconds: float) -> float:
    """Take some time."""
    await asyncio.sleep(seconds)
    return seconds


def fail(value: object) -> object:
    """Raise."""
    raise LookupError(f"no such thing: {value} ✗")


async def fail_async(value: object) -> object:
    """Raise, as an async program."""
    return fail(value)


def not_json(name: str) -> object:
    """Return something that no runner may let through."""
    return OUTPUTS[name]


def nest(depth: int) -> Sequence[object] | int:
    """Return lists in lists."""
    value: list[object] | int = 0
    for _ in range(depth):
        value = [value]
    return value


def spoil(value: dict[str, object]) -> object:
    """Change the input and return it."""
    items = value["items"]
    if isinstance(items, list):
        items.append("changed")  # pyright: ignore[reportUnknownMemberType] - whatever it holds
    value["new"] = True
    return value


def shared(value: object) -> object:
    """Return what belongs to the program."""
    del value
    return _SHARED
