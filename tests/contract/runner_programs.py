"""Programs that the runners' contract suite has run."""

import asyncio

SHARED = [1, 2, 3]
OUTPUTS = {
    "nan": float("nan"),
    "infinity": float("inf"),
    "too large": 2**64,
    "too small": -(2**63) - 1,
    "an object": object(),
    "a set": {1},
    "a key": {1: 2},
    "a lone surrogate": "\ud800",
}


def echo(value):
    """Return the input."""
    return value


async def echo_async(value):
    """Return the input, after others had their turn."""
    await asyncio.sleep(0)
    return value


async def pause(seconds):
    """Take some time."""
    await asyncio.sleep(seconds)
    return seconds


def fail(value):
    """Raise."""
    raise LookupError(f"no such thing: {value} ✗")


async def fail_async(value):
    """Raise, as an async program."""
    fail(value)


def not_json(name):
    """Return something that no runner may let through."""
    return OUTPUTS[name]


def nest(depth):
    """Return lists in lists."""
    value = 0
    for _ in range(depth):
        value = [value]
    return value


def spoil(value):
    """Change the input and return it."""
    value["items"].append("changed")
    value["new"] = True
    return value


def shared(value):
    """Return what belongs to the program."""
    return SHARED
