"""One exchange without sockets: the answer may begin before the request has ended."""

from __future__ import annotations

import httpx2
import pytest

from hotplane.client.exchange import Exchange, Gone


def exchange() -> Exchange:
    """Return one for a request with a body in parts."""
    request = httpx2.Request("POST", "http://h/api?x=1", content=iter([b"a"]), headers={"connection": "keep-alive"})
    return Exchange(request)


def test_the_head_names_target_and_host() -> None:
    """It is a chunked request that ends its connection."""
    head = exchange().begin()
    assert head.startswith(b"POST /api?x=1 HTTP/1.1\r\nHost: h\r\n")
    assert b"chunked" in head
    assert b"connection: close" in head.lower()
    assert b"keep-alive" not in head


def test_an_answer_in_mid_request_is_read() -> None:
    """Head and body come while parts are still sent."""
    found = exchange()
    found.begin()
    found.receive(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n")
    head = found.head()
    assert head is not None
    assert head.status == 200
    assert found.body() == b"hi"
    assert found.part(b"more") == b"4\r\nmore\r\n"
    assert found.body() is None
    found.receive(b"0\r\n\r\n")
    assert found.body() == b""


def test_interim_answers_are_passed_over() -> None:
    """103 is not the answer."""
    found = exchange()
    found.begin()
    found.receive(b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n")
    head = found.head()
    assert head is not None
    assert head.status == 204


@pytest.mark.parametrize("data", [b"", b"SSH-2.0\r\n\r\n"])
def test_what_is_not_http_is_an_error_of_the_transport(data: bytes) -> None:
    """A connection that closes, or speaks something else, is a broken protocol."""
    found = exchange()
    found.begin()
    with pytest.raises(httpx2.RemoteProtocolError):  # noqa: PT012 - h11 tells in one of the two
        found.receive(data)
        found.head()


def test_a_body_that_breaks_off_is_an_error() -> None:
    """An end without the last chunk is no end."""
    found = exchange()
    found.begin()
    found.receive(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhi")
    found.head()
    assert found.body() == b"hi"
    found.receive(b"")
    with pytest.raises(httpx2.RemoteProtocolError):
        found.body()


def test_nothing_is_sent_after_the_end() -> None:
    """A part after the end is refused."""
    found = exchange()
    found.begin()
    found.end()
    with pytest.raises(Gone):
        found.part(b"late")
