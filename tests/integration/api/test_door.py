"""What the door lets through, over real sockets."""

from __future__ import annotations

import gzip
from typing import Any

import pytest

from hotplane.config import hash_token

JSON = {"content-type": "application/json"}
EXECUTE = "/api/tasks/echo/execute"


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:1", "127.0.0.1:3000", "127.8.8.8", "[::1]:3000", "ours.test:1"]
)
async def test_its_own_names_are_accepted(serving: Any, host: str) -> None:
    """Loopback names and the configured ones pass, with any port."""
    async with serving(allowed_hosts=["ours.test"]) as edge:
        assert (await edge.client.get("/livez", headers={"host": host})).status_code == 200


@pytest.mark.parametrize("host", ["evil.test", "localhost.evil.test", "127.0.0.1.evil.test", "10.0.0.1", "[::2]", "@"])
async def test_other_names_are_refused(edge: Any, host: str) -> None:
    """A page that resolves its own name to this address (DNS rebinding) reaches nothing."""
    for path in ("/livez", "/api/plugins", "/docs"):
        answer = await edge.client.get(path, headers={"host": host})
        assert (answer.status_code, answer.json()["code"]) == (421, "host-not-allowed")


async def test_a_request_without_host_is_refused(edge: Any) -> None:
    """HTTP/1.0 included."""
    assert (await edge.raw(b"GET /livez HTTP/1.0\r\n\r\n")).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("name", [b"host", b"content-type", b"origin", b"authorization"])
async def test_a_header_that_matters_is_given_once(edge: Any, name: bytes) -> None:
    """Two values of it would let two readers see different requests."""
    twice = b"".join(name + b": localhost\r\n" for _ in range(2)) + (b"" if name == b"host" else b"host: localhost\r\n")
    assert (await edge.raw(b"GET /livez HTTP/1.1\r\n" + twice + b"\r\n")).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(
    "authorization", [None, "Bearer wrong", "Bearer", "Basic secret", "secret", "Bearer\xa0secret"]
)
async def test_without_its_token_nothing_opens(serving: Any, authorization: str | None) -> None:
    """A missing and a wrong token get the same answer, which says what is needed."""
    async with serving(tokens=[hash_token("secret")]) as edge:
        headers = {} if authorization is None else {"authorization": authorization.encode("latin-1")}
        answer = await edge.client.get("/api/plugins", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
    assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_each_listed_token_opens(serving: Any) -> None:
    """Several tokens may be in use, so that they can be changed one by one."""
    async with serving(tokens=[hash_token("old"), hash_token("new")]) as edge:
        for token in ("old", "new"):
            headers = {"authorization": f"bearer {token}"}
            assert (await edge.client.post(EXECUTE, json={"input": 1}, headers=headers)).status_code == 200


async def test_probes_and_descriptions_need_no_token(serving: Any) -> None:
    """They say nothing of what the host holds."""
    async with serving(tokens=[hash_token("secret")]) as edge:
        for path in ("/livez", "/readyz", "/docs", "/openapi.json", "/errors/unknown-task"):
            assert (await edge.client.get(path)).status_code == 200


async def test_everything_else_needs_one(serving: Any) -> None:
    """Paths that do not exist as well, so that nobody can look around."""
    async with serving(tokens=[hash_token("secret")]) as edge:
        for path in ("/api/plugins", "/api/executions", "/livez/", "/errors", "/docsx", "/nothing"):
            assert (await edge.client.get(path)).status_code == 401


@pytest.mark.parametrize(
    "media_type", ["application/json", "application/json; charset=utf-8", 'APPLICATION/JSON;charset="UTF-8"']
)
async def test_json_is_accepted(edge: Any, media_type: str) -> None:
    """However it is written."""
    answer = await edge.client.post(EXECUTE, content=b'{"input":1}', headers={"content-type": media_type})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "media_type", ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin-1", "", "json"]
)
async def test_another_media_type_is_refused(edge: Any, media_type: str) -> None:
    """A form of another site's page, for example, cannot send JSON."""
    answer = await edge.client.post(EXECUTE, content=b'{"input":1}', headers={"content-type": media_type})
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported-media-type")


@pytest.mark.parametrize("path", [EXECUTE, "/api/batch/execute?task=echo"])
async def test_a_compressed_body_is_refused(edge: Any, path: str) -> None:
    """Instead of being taken for broken JSON, or for lines that are no items."""
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    answer = await edge.client.post(path, content=gzip.compress(b'{"input":1}'), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported-content-coding")
    assert answer.headers["accept-encoding"] == "identity"


async def test_a_large_body_is_refused_before_it_is_read(edge: Any) -> None:
    """10 MB announced by Content-Length: the answer does not wait for them."""
    head = b"POST %s HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 10000000\r\n\r\n"
    answer = await edge.raw(head % EXECUTE.encode())
    assert answer.startswith(b"HTTP/1.1 413 ")


async def test_a_large_body_is_answered_in_full(edge: Any) -> None:
    """A client that sends all of its 10 MB before it reads gets the problem, too, and may go on."""
    answer = await edge.client.post(EXECUTE, content=b" " * 10_000_000, headers=JSON)
    assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")
    assert (await edge.execute("echo", 1)).status_code == 200


@pytest.mark.parametrize("path", [EXECUTE, "/api/tasks"])
async def test_a_chunked_body_is_measured_while_it_comes(serving: Any, path: str) -> None:
    """Without Content-Length the limit holds all the same."""

    async def chunks() -> Any:
        for _ in range(30):
            yield b" " * 100

    async with serving(max_body_bytes=1000) as edge:
        answer = await edge.client.post(path, content=chunks(), headers=JSON)
        assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")


async def test_a_body_of_exactly_the_limit_passes(serving: Any) -> None:
    """The limit is inclusive."""
    body = b'{"input":"%s"}'
    async with serving(max_body_bytes=100) as edge:
        for size, status in ((100, 200), (101, 413)):
            content = body % (b"x" * (size - len(body) + 2))
            assert (await edge.client.post(EXECUTE, content=content, headers=JSON)).status_code == status


@pytest.mark.parametrize("origin", ["http://evil.test", "null", "http://localhost:1", "https://127.0.0.1.evil.test"])
async def test_a_page_of_another_site_changes_nothing(edge: Any, origin: str) -> None:
    """Its Origin is not this server's own."""
    for path in (EXECUTE, "/api/plugins/percentage-sampler/disable"):
        answer = await edge.client.post(path, headers={"origin": origin})
        assert (answer.status_code, answer.json()["code"]) == (403, "cross-site")
    assert (await edge.client.get("/api/plugins/percentage-sampler")).json()["enabled"] is True


async def test_its_own_page_may(edge: Any) -> None:
    """The page at /docs sends the server's own Origin."""
    answer = await edge.client.post(EXECUTE, json={"input": 1}, headers={"origin": edge.server.url})
    assert answer.status_code == 200


async def test_there_is_no_cors(edge: Any) -> None:
    """A page of another site may not read answers either."""
    answer = await edge.client.get("/api/plugins", headers={"origin": "http://evil.test"})
    assert not [name for name in answer.headers if name.startswith("access-control-")]


@pytest.mark.parametrize("path", ["/", "/api", "/api/tasks/", "/api/tasks/a/b/execute", "/docs/../etc/passwd"])
async def test_an_unknown_path_is_a_problem(edge: Any, path: str) -> None:
    """404 as a problem document, without a redirect."""
    answer = await edge.raw(b"GET %s HTTP/1.1\r\nhost: localhost\r\n\r\n" % path.encode())
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert b'"code":"no-such-path"' in answer
