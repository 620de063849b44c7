"""The door, without a socket."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotplane.api.door import Door
from hotplane.config import ServerSettings, hash_token


async def knock(door: Door, **scope: Any) -> list[dict[str, Any]]:
    """Send a request to the door and return what comes back."""
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    request = {"type": "http", "method": "GET", "path": "/", "headers": [(b"host", b"localhost")], **scope}
    await door(request, _never, send)
    return sent


async def _never() -> None:
    raise AssertionError("the door reads no body")


async def let_in(scope: Any, receive: Any, send: Any) -> None:
    """Answer 204: whoever gets here has passed."""
    await send({"type": "http.response.start", "status": 204, "headers": []})


async def test_websockets_are_closed() -> None:
    """There are none here."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, str]:
        return {"type": "websocket.connect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await Door(let_in, ServerSettings())({"type": "websocket", "headers": []}, receive, send)
    assert [each["type"] for each in sent] == ["websocket.close"]


async def test_an_explicit_address_is_a_name_of_its_own() -> None:
    """A server on an address of the network is reached by it; one on every address only by configured names."""
    token = (b"authorization", b"Bearer t")
    for host, status in (("192.0.2.1", 204), ("0.0.0.0", 421)):
        door = Door(let_in, ServerSettings(host=host, tokens=(hash_token("t"),)))
        [start, *_] = await knock(door, headers=[(b"host", b"192.0.2.1:3000"), token])
        assert start["status"] == status


async def test_what_it_remembers_is_bounded() -> None:
    """A client that makes up Host headers does not fill the memory."""
    door = Door(let_in, ServerSettings())
    for port in range(1000):
        await knock(door, headers=[(b"host", b"localhost:%d" % port)])
    assert len(door._known_hosts) <= 64


@given(
    token=st.text(min_size=1, max_size=20), listed=st.lists(st.text(min_size=1, max_size=20), min_size=1, max_size=4)
)
async def test_exactly_the_listed_tokens_open(token: str, listed: list[str]) -> None:
    """No other text does."""
    door = Door(let_in, ServerSettings(tokens=tuple(hash_token(each) for each in listed)))
    header = b"Bearer " + token.encode()
    [start, *_] = await knock(door, headers=[(b"host", b"localhost"), (b"authorization", header)])
    # Spaces around a token are not part of it, as around every header's value.
    opens = token.encode().strip() in {each.encode() for each in listed}
    assert start["status"] == (204 if opens else 401)


@pytest.mark.parametrize("length", [b"-1", b"1e3", b" 5", b"\xb2", b""])
async def test_a_length_that_is_no_number_is_refused(length: bytes) -> None:
    """Whatever the server in front makes of it."""
    headers = [(b"host", b"localhost"), (b"content-length", length), (b"content-type", b"application/json")]
    [start, *_] = await knock(Door(let_in, ServerSettings()), method="POST", headers=headers)
    assert start["status"] == 400


async def test_a_head_request_gets_no_body() -> None:
    """A problem's headers only."""
    [_, body] = await knock(Door(let_in, ServerSettings()), method="HEAD", headers=[(b"host", b"evil.test")])
    assert body["body"] == b""
