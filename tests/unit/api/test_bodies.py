"""Reading and decoding bodies."""

from __future__ import annotations

import json
from contextlib import suppress
from enum import StrEnum
from typing import Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotplane.api.bodies import Body, ClientGone, read_body
from hotplane.api.refusals import BodyDoesNotFit, BodyTooLarge, MalformedJson
from hotplane.errors import NotJson


class Shape(msgspec.Struct, forbid_unknown_fields=True):
    """A body."""

    value: Any
    numbers: list[int] = []


def receiving(*messages: dict[str, Any]) -> Any:
    """Return an ASGI `receive` that gives these messages."""
    left = iter(messages)

    async def receive() -> dict[str, Any]:
        return next(left)

    return receive


def part(body: bytes, *, more: bool) -> dict[str, Any]:
    """Return the message that carries a part of a body."""
    return {"type": "http.request", "body": body, "more_body": more}


async def test_joins_the_parts() -> None:
    """A body may come in any number of parts."""
    receive = receiving(part(b"a", more=True), part(b"", more=True), part(b"bc", more=False))
    assert await read_body(receive, 3) == b"abc"


async def test_stops_at_the_limit() -> None:
    """What is beyond the limit is not asked for."""
    with pytest.raises(BodyTooLarge):
        await read_body(receiving(part(b"ab", more=True), part(b"cd", more=True)), 3)


async def test_knows_that_the_client_is_gone() -> None:
    """An unfinished body is not decoded."""
    with pytest.raises(ClientGone):
        await read_body(receiving(part(b"1", more=True), {"type": "http.disconnect"}), 3)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(alphabet='a[]{}"\\ é'),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(alphabet='a[{"\\'), inner, max_size=3),
    max_leaves=12,
)


def depth_of(value: object) -> int:
    """Count how deep containers are nested, the obvious way."""
    if isinstance(value, dict):
        return 1 + max(map(depth_of, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth_of, value), default=0)
    return 0


@given(value=json_values, limit=st.integers(1, 6))
def test_the_limit_of_depth_is_exact(value: object, limit: int) -> None:
    """A body passes exactly when its containers are not nested deeper, whatever its strings look like."""
    body = json.dumps({"value": value}).encode()
    try:
        Body(Shape, limit).decode(body)
    except NotJson:
        assert depth_of(value) + 1 > limit
    else:
        assert depth_of(value) + 1 <= limit


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (b'{"value": 1, "numbers": [1, "x"]}', "/numbers/1"),
        (b'{"value": 1, "numbers": 5}', "/numbers"),
        (b"{}", "/value"),
        (b'{"value": 1, "a/b~`": 2}', "/a~1b~0`"),
        (b'"text"', ""),
    ],
)
def test_a_misfit_has_its_place(body: bytes, pointer: str) -> None:
    """The pointer leads to the offender."""
    with pytest.raises(BodyDoesNotFit) as caught:
        Body(Shape).decode(body)
    assert [each.pointer for each in caught.value.problems] == [pointer]


class Level(StrEnum):
    """How loud."""

    INFO = "info"
    WARNING = "warning"


class Part(msgspec.Struct, forbid_unknown_fields=True):
    """A part of a body with a few choices."""

    level: Level = Level.INFO
    unit: Literal["s", "ms"] | None = None
    steps: Literal[1, 2] = 1


class Choosing(msgspec.Struct, forbid_unknown_fields=True):
    """A body with parts wherever there can be some."""

    one: Part | None = None
    several: list[Part] = []
    pair: tuple[int, Level] = (0, Level.INFO)
    named: dict[str, Part] = {}


@pytest.mark.parametrize(
    ("body", "pointer", "reason"),
    [
        ({"one": {"level": "loud"}}, "/one/level", "'loud' is not one of 'info', 'warning'"),
        (
            {"several": [{}, {"level": "warn"}]},
            "/several/1/level",
            "'warn' is not one of 'info', 'warning'; did you mean 'warning'?",
        ),
        ({"one": {"unit": "m"}}, "/one/unit", "'m' is not one of 'ms', 's'; did you mean 'ms'?"),
        ({"one": {"steps": 3}}, "/one/steps", "3 is not one of 1, 2"),
        ({"pair": [1, "loud"]}, "/pair/1", "'loud' is not one of 'info', 'warning'"),
        ({"named": {"x": {"level": "loud"}}}, "/named", "'loud' is not one of 'info', 'warning'"),
        ({"one": {"level": 3}}, "/one/level", "expected str, got int; use one of 'info', 'warning'"),
        ({"one": {"level": "x' - at `$.one`"}}, "/one/level", "\"x' - at `$.one`\" is not one of 'info', 'warning'"),
        ({"several": [{"levl": "info"}]}, "/several/0/levl", "the field 'levl' is not known; did you mean 'level'?"),
    ],
)
def test_a_choice_that_there_is_not_is_answered_with_those_that_there_are(
    body: object, pointer: str, reason: str
) -> None:
    """And with the nearest, where one is near; a misspelt member, too, is compared with those of its own object."""
    with pytest.raises(BodyDoesNotFit) as caught:
        Body(Choosing).decode(json.dumps(body).encode())
    assert [(each.pointer, each.message) for each in caught.value.problems] == [(pointer, reason)]


def test_a_long_value_is_cut() -> None:
    """What was sent is not sent back whole."""
    with pytest.raises(BodyDoesNotFit) as caught:
        Body(Part).decode(json.dumps({"level": "x" * 10_000}).encode())
    assert len(str(caught.value)) < 300


@given(body=st.binary(max_size=60))
def test_whatever_comes_is_decoded_or_refused(body: bytes) -> None:
    """No body makes the decoder fail in a way that is not foreseen."""
    with suppress(MalformedJson, BodyDoesNotFit, NotJson):
        Body(Shape, 3).decode(body)
