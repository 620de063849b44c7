"""A running server, as the commands speak to it. Imports httpx2 when it is used, and `errors`.

The token comes from the environment only: arguments can be read by everybody on the machine. Proxies of the
environment are not used, and redirects not followed, so that the token goes nowhere else.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, cast
from urllib.parse import quote, urlsplit

from hotplane.cli.failure import BadInput, ConnectionLost, NotHotplane, ServerRefused, ServerUnreachable
from hotplane.errors import MissingExtra, Problem
from hotplane.values import Json, pointer

if TYPE_CHECKING:
    import httpx2

__all__ = ["TOKEN", "Remote", "path"]

TOKEN = "HOTPLANE_TOKEN"  # noqa: S105 - the variable's name
"""The environment variable with the bearer token."""

_CONNECT_SECONDS = 5.0
_ERRNO = re.compile(r"\[Errno -?\d+\] ")
_ANSWER_SECONDS = 120.0
_WAIT_SECONDS = 60
_PAUSE_SECONDS = 0.2
_SILENCE_SECONDS = 60.0
"""A stream of events is never silent for longer than 15 s."""


def path(*parts: str) -> str:
    """Return a path of the API: its parts, each quoted."""
    return "/api/" + "/".join(quote(part, safe="") for part in parts)


Query = Mapping[str, "str | int | bool | list[str] | None"]


class Remote:
    """A server.

    Args:
        address: Its URL, ``http://host:port``.
        answer_seconds: How long an answer may take, in seconds.

    Raises:
        BadInput: The address or the token cannot be used.
        MissingExtra: httpx2 is not installed.
    """

    def __init__(self, address: str, *, answer_seconds: float = _ANSWER_SECONDS) -> None:
        self._address = _checked(address)
        self._client = _client(self._address, answer_seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._client.close()

    @property
    def address(self) -> str:
        """Where it is."""
        return self._address

    def get(self, where: str, query: Query | None = None) -> dict[str, Any]:
        """Return what GET answers; parameters that are null are left away, lists are repeated."""
        return self._ask("GET", where, params=_parameters(query))

    def post(self, where: str, body: Json | None = None) -> dict[str, Any]:
        """Return what POST answers; without a body when it is null."""
        return self._ask("POST", where, **({} if body is None else _json(body)))

    def put(self, where: str, body: Json) -> dict[str, Any]:
        """Return what PUT answers."""
        return self._ask("PUT", where, **_json(body))

    def delete(self, where: str) -> dict[str, Any]:
        """Return what DELETE answers, which may be empty."""
        return self._ask("DELETE", where)

    def operate(self, method: str, where: str, body: Json | None = None) -> dict[str, Any]:
        """Ask for an operation, and return its result once it has ended, however long that takes.

        Raises:
            ServerRefused: It was refused, or it failed.
        """
        waiting = f"{where}{'&' if '?' in where else '?'}wait={_WAIT_SECONDS}"
        found = self._ask(method, waiting, **({} if body is None else _json(body)))
        if found.get("state") != "running":  # no plugin is ever in this state
            return found
        place = path("operations", str(found["id"]))
        while (operation := self.get(place))["state"] == "running":
            time.sleep(_PAUSE_SECONDS)
        problem = operation.get("problem")
        if problem is not None:
            raise _refusal(problem, int(problem["status"]))
        return operation.get("result") or {}

    def events(self, where: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the events of a stream, name and data, until the server ends it."""
        import httpx2

        silence = httpx2.Timeout(_SILENCE_SECONDS, connect=_CONNECT_SECONDS)
        with self._transport(), self._client.stream("GET", where, timeout=silence) as response:
            if not response.is_success:
                response.read()
                _answer(response, self._address)
            name = ""
            for line in response.iter_lines():
                if line.startswith("event: "):
                    name = line.removeprefix("event: ")
                elif line.startswith("data: "):
                    yield name, _event(line.removeprefix("data: "), self._address)

    def parts(self, where: str, query: Query, headers: Mapping[str, str]) -> Iterator[bytes]:
        """Yield an answer that goes on for long, as it comes."""
        import httpx2

        silence = httpx2.Timeout(_SILENCE_SECONDS, connect=_CONNECT_SECONDS)
        request: dict[str, Any] = {"params": _parameters(query), "headers": dict(headers), "timeout": silence}
        with self._transport(), self._client.stream("GET", where, **request) as response:
            if not response.is_success:
                response.read()
                _answer(response, self._address)
            yield from response.iter_bytes()

    def _ask(self, method: str, where: str, **content: Any) -> dict[str, Any]:
        """Send a request and return the decoded answer.

        Raises:
            ServerUnreachable, NotHotplane: There is no server, or another one.
            ConnectionLost: The request was sent, and no answer came.
            ServerRefused: The server answered with a problem document.
        """
        with self._transport():
            response = self._client.request(method, where, **content)
        return _answer(response, self._address)

    @contextmanager
    def _transport(self) -> Generator[None]:
        """Say what goes wrong between here and the server."""
        import httpx2

        try:
            yield
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            raise ServerUnreachable(self._address, _words(error, "no connection in time")) from None
        except httpx2.TransportError as error:
            raise ConnectionLost(self._address, _words(error, "the time was up")) from None
        except httpx2.RequestError as error:
            raise NotHotplane(self._address, _words(error, "its answer cannot be read")) from None


def _checked(address: str) -> str:
    try:
        parts = urlsplit(address)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
        parts = urlsplit("")
    if not usable or parts.query or parts.fragment:
        raise BadInput(f"{address!r} is not the address of a server. Write it as http://host:port.")
    if parts.username is not None:
        raise BadInput(f"A server's address has no user name. Put a token into the environment as {TOKEN}.")
    return address.rstrip("/")


def _client(address: str, answer_seconds: float) -> httpx2.Client:
    try:
        import httpx2
    except ModuleNotFoundError as missing:
        raise MissingExtra("Speaking to a server", "client") from missing
    return httpx2.Client(
        base_url=address,
        headers=_headers(),
        timeout=httpx2.Timeout(answer_seconds, connect=_CONNECT_SECONDS),
        verify=_verification(address),
        trust_env=False,
    )


def _verification(address: str) -> Any:
    """Return how certificates are checked: by the system's authorities, and those of SSL_CERT_FILE."""
    if not address.startswith("https"):
        return False  # nothing to check, and loading the authorities takes 20 ms
    import ssl

    return ssl.create_default_context()


def _headers() -> dict[str, str]:
    token = os.environ.get(TOKEN, "").strip()
    if not token:
        return {}
    if not (token.isascii() and token.isprintable()):
        raise BadInput(f"The token in {TOKEN} has characters that no token has.")
    return {"authorization": f"Bearer {token}"}


def _json(body: Json) -> dict[str, Any]:
    import msgspec

    return {"content": msgspec.json.encode(body), "headers": {"content-type": "application/json"}}


def _parameters(query: Query | None) -> dict[str, str | list[str]]:
    return {
        name: [_parameter(each) for each in value] if isinstance(value, list) else _parameter(value)
        for name, value in (query or {}).items()
        if value is not None
    }


def _parameter(value: str | int | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _answer(response: httpx2.Response, address: str) -> dict[str, Any]:
    if response.status_code == 204:
        return {}
    found = _decoded(response)
    if response.is_success and found is not None:
        return found
    if found is not None and response.headers.get("content-type", "").startswith("application/problem+json"):
        raise _refusal(found, response.status_code)
    kind = response.headers.get("content-type", "no type")
    raise NotHotplane(address, f"it answered with status {response.status_code} and {kind}")


def _decoded(response: httpx2.Response) -> dict[str, Any] | None:
    import msgspec

    try:
        return msgspec.json.decode(response.content, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _event(data: str, address: str) -> dict[str, Any]:
    import msgspec

    try:
        return msgspec.json.decode(data, type=dict[str, Any])
    except msgspec.DecodeError:
        raise NotHotplane(address, "an event of it is not JSON") from None


def _refusal(document: Mapping[str, Any], status: int) -> ServerRefused:
    found = document.get("errors")
    errors = cast("list[object]", found) if isinstance(found, list) else []
    detail = str(document.get("detail", ""))
    if document.get("code") == "unauthorized":
        detail += f" The command line takes it from {TOKEN}."
    execution_id = str(document.get("execution_id") or "")
    if execution_id not in detail:
        detail += f" The execution is {execution_id}."
    return ServerRefused(
        str(document.get("title", "The server refused")),
        detail,
        status=status,
        kind=str(document.get("code", "")),
        problems=[_problem(cast("Mapping[str, Any]", each)) for each in errors if isinstance(each, Mapping)],
    )


def _problem(detail: Mapping[str, Any]) -> Problem:
    line = detail.get("line")
    return Problem(
        message=str(detail.get("detail", "")),
        pointer=str(detail.get("pointer") or (pointer(detail["parameter"]) if "parameter" in detail else "")),
        file=str(detail["file"]) if detail.get("file") else None,
        line=line if isinstance(line, int) else None,
    )


def _words(error: Exception, otherwise: str) -> str:
    return _ERRNO.sub("", str(error)).strip().rstrip(".") or otherwise
