"""Reading a request's body, within its limit, and decoding it.

Imports only `errors`, `values`, `refusals` and `shapes`.

The server closes connections that do not send their body in time; a reader here then gets `ClientGone`.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from itertools import takewhile
from typing import Any, Generic, TypeVar

import msgspec

from hotplane.api.refusals import BodyDoesNotFit, BodyTooLarge, MalformedJson
from hotplane.api.shapes import choices_at, members_at
from hotplane.errors import NotJson, did_you_mean
from hotplane.values import MAX_DEPTH, pointer

__all__ = ["Body", "ClientGone", "read_body"]

T = TypeVar("T")

Receive = Callable[[], Awaitable[Any]]

_FIELD = re.compile(r"Object (?:contains unknown|missing required) field `(?P<field>.*)`", re.DOTALL)
_PLACE = re.compile(r"(?P<reason>.*) - at `\$(?P<path>.*)`", re.DOTALL)
_CHOICE = "Invalid enum value "
"""What follows is the value, as Python writes it."""
_STEP = re.compile(r"\[(?P<index>\d+|\.\.\.)\]|\.(?P<key>[^.\[]+)")

_ANY = "..."
"""A step into any member of a mapping, as msgspec writes it."""
_SHOWN = 100
"""Characters of a value that does not fit."""


class ClientGone(Exception):
    """The client went away before its request was complete; nobody waits for an answer."""


async def read_body(receive: Receive, limit: int, setting: str = "server.max_body_bytes") -> bytes:
    """Return a request's body.

    Args:
        receive: The ASGI callable.
        limit: Largest size in bytes.
        setting: The name of the setting that says so.

    Raises:
        BodyTooLarge: It is larger; the rest is not kept.
        ClientGone: The connection ended before the body did.
    """
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        part: bytes = message.get("body", b"")
        size += len(part)
        if size > limit:
            raise BodyTooLarge(limit, setting)
        if not message.get("more_body", False):
            return b"".join((*parts, part)) if parts else part
        parts.append(part)


class Body(Generic[T]):
    """The shape of a body.

    Args:
        shape: What to decode into, mostly a struct.
        max_depth: How deep its containers may be nested.
    """

    __slots__ = ("_check_depth", "_decode", "_max_depth", "_shape")

    def __init__(self, shape: type[T], max_depth: int = MAX_DEPTH) -> None:
        self._shape = shape
        self._decode = msgspec.json.Decoder(shape).decode
        self._max_depth = max_depth
        # The host counts up to MAX_DEPTH itself while it copies; only a lower limit needs a count here.
        self._check_depth = max_depth < MAX_DEPTH

    def decode(self, body: bytes) -> T:
        """Return what a body says.

        Raises:
            MalformedJson: It is not JSON.
            BodyDoesNotFit: It has another shape; the pointer says where.
            NotJson: It is nested too deep.
        """
        try:
            decoded = self._decode(body)
        except msgspec.ValidationError as error:
            raise _misfit(str(error), self._shape) from None
        except msgspec.DecodeError as error:
            raise MalformedJson(_lower(str(error))) from None
        except UnicodeDecodeError:
            raise MalformedJson("a string is not UTF-8") from None
        except RecursionError:
            raise NotJson("nested too deep") from None
        if self._check_depth and _deeper_than(body, self._max_depth):
            raise NotJson(f"nested more than {self._max_depth} deep")
        return decoded


def _misfit(message: str, shape: type[object]) -> BodyDoesNotFit:
    found = _PLACE.fullmatch(message)
    reason, path = (found["reason"], _steps(found["path"])) if found else (message, ())
    at = _pointer(path)
    field = _FIELD.fullmatch(reason)
    if field is None:
        return BodyDoesNotFit(_explained(reason, choices_at(shape, path)), at)
    name = field["field"]
    at += "" if _ANY in path else pointer(name[:200])
    if "missing" in reason:
        return BodyDoesNotFit(f"the field {name!r} is missing", at)
    hint = did_you_mean(name, members_at(shape, path))
    return BodyDoesNotFit(f"the field {name[:200]!r} is not known{hint}", at)


def _explained(reason: str, choices: Sequence[str | int]) -> str:
    """Return what is wrong with a value, and the values that would do, where there are only a few."""
    if not choices or not reason.startswith(_CHOICE):
        told = _lower(reason).replace("`", "")
        return f"{told}; use one of {_listed(choices)}" if choices else told
    value = reason[len(_CHOICE) : len(_CHOICE) + _SHOWN]
    hint = did_you_mean(value.strip("'\""), map(str, choices))
    return f"{value} is not one of {_listed(choices)}{hint}"


def _listed(choices: Iterable[str | int]) -> str:
    return ", ".join(map(repr, choices))


def _steps(path: str) -> tuple[str, ...]:
    return tuple(step["index"] or step["key"] for step in _STEP.finditer(path))


def _pointer(path: Sequence[str]) -> str:
    # Of the members of a mapping msgspec does not say which one it is: the mapping is as near as can be told.
    return pointer(*takewhile(lambda step: step != _ANY, path))


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:] if not sentence.startswith("JSON") else sentence[len("JSON is ") :]


def _deeper_than(body: bytes, limit: int) -> bool:
    """Tell whether a valid JSON document nests containers deeper than `limit`, without building it anew."""
    depth = 0
    quoted = False
    characters = iter(body)
    for character in characters:
        if quoted:
            if character == 0x5C:  # a backslash: the next character is part of the escape
                next(characters, None)
            else:
                quoted = character != 0x22
        elif character == 0x22:
            quoted = True
        elif character in b"[{":
            depth += 1
            if depth > limit:
                return True
        elif character in b"]}":
            depth -= 1
    return False
