"""The door, which every request passes before anything else looks at it.

Imports only `errors`, `config` and its own room.

It is a bare ASGI wrapper, because it stands on the hot path: one pass over the headers, answers for the usual
values remembered in small sets.

* The Host header must name this server: a page on another name that resolves to this address (DNS rebinding) is
  refused.
* A request that may change something and comes from a page (it has an Origin) must come from this server's own.
* Where tokens are configured, one of them must be given. Probes and the API's own description need none.
* A body must be of a type that its path takes, mostly JSON, and must not say that it is larger than the limit.
"""

from __future__ import annotations

import hmac
from asyncio import CancelledError
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from hashlib import sha256
from typing import Any

from hotplane.api.bodies import ClientGone
from hotplane.api.problems import document_of, headers_of, send_problem, unexpected
from hotplane.api.refusals import (
    BodyTooLarge,
    CrossSite,
    HeaderRefused,
    HostNotAllowed,
    Unauthorized,
    UnsupportedContentCoding,
    UnsupportedMediaType,
)
from hotplane.api.uploads import JSON, BodyLimit, Upload
from hotplane.config import ServerSettings, is_loopback
from hotplane.errors import HotplaneError, Overloaded, ShuttingDown

__all__ = ["OPEN_FOLDERS", "OPEN_PATHS", "PROBES", "Door"]

Scope = Any
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

PROBES = frozenset({"/livez", "/readyz"})
"""Answered also when the server is full."""
OPEN_PATHS = frozenset({"/livez", "/readyz", "/docs", "/openapi.json"})
"""Paths that tell nothing but whether the host works and how the API is used; they need no token."""
OPEN_FOLDERS = ("/docs/", "/errors/")
"""The same for everything below these."""

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_REMEMBERED = 64
_ONCE = frozenset({b"host", b"authorization", b"content-type", b"content-length", b"origin", b"idempotency-key"})
_WILDCARDS = frozenset({"0.0.0.0", "::", "[::]"})  # noqa: S104 - compared, not bound


class Door:
    """Lets the requests through to an application that may pass.

    Args:
        app: What stands behind the door. Errors that it raises become problem documents; a `HotplaneError` must not
            be raised after the answer began.
        settings: The server's settings.
        uploads: By path, the media types that it takes and how large their bodies may be; all others take JSON up to
            `server.max_body_bytes`.
        keyed: What serves a POST with the header Idempotency-Key; by default `app`, which does not know it.
    """

    def __init__(
        self,
        app: Application,
        settings: ServerSettings,
        uploads: Mapping[str, Mapping[str, BodyLimit]] | None = None,
        *,
        keyed: Application | None = None,
    ) -> None:
        self._app = app
        self._keyed = keyed or app
        self._uploads = uploads or {}
        self._digests = [bytes.fromhex(token.removeprefix("sha256:")) for token in settings.tokens]
        self._names = {name.strip("[]") for name in settings.allowed_hosts}
        if settings.host not in _WILDCARDS:
            self._names.add(settings.host.lower().strip("[]"))
        self._max_body_bytes = settings.max_body_bytes
        self._max_in_flight = settings.max_in_flight
        self._in_flight = 0
        self._known_hosts: set[bytes] = set()
        self._known_types: set[bytes] = {b"application/json"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] != "http":
            await self._other_protocol(scope, receive, send)
            return
        self._in_flight += 1
        if scope["path"] in self._uploads and scope["method"] not in _SAFE:
            upload = Upload(scope, receive, send)
            receive, send = upload.receive, upload.send
        try:
            app = self._keyed if self._check(scope) else self._app
            await app(scope, receive, send)
        except HotplaneError as error:
            problem = document_of(error, scope["path"])
            await send_problem(send, problem, headers_of(error), head=scope["method"] == "HEAD")
        except ClientGone:
            return
        except CancelledError:
            # Only a server that stops cancels requests; whoever waits is told so instead of being cut off.
            await send_problem(send, document_of(ShuttingDown(), scope["path"]), headers_of(ShuttingDown()))
        except Exception as error:
            await send_problem(send, unexpected(error, scope["method"], scope["path"]))
        finally:
            self._in_flight -= 1

    def _check(self, scope: Scope) -> bool:
        """Raise what keeps a request out; tell whether it is a POST with an idempotency key."""
        pairs = scope["headers"]
        headers: dict[bytes, bytes] = dict(pairs)
        if len(headers) != len(pairs):
            _refuse_repeated(pairs)
        host = headers.get(b"host", b"")
        if host not in self._known_hosts:
            self._check_host(host)
        path = scope["path"]
        if self._in_flight > self._max_in_flight and path not in PROBES:
            raise Overloaded("The server", self._max_in_flight, "server.max_in_flight")
        if self._digests and path not in OPEN_PATHS and not path.startswith(OPEN_FOLDERS):
            self._check_token(headers.get(b"authorization", b""))
        if scope["method"] not in _SAFE:
            self._check_change(headers, host, self._uploads.get(path))
        return b"idempotency-key" in headers and scope["method"] == "POST"

    def _check_host(self, host: bytes) -> None:
        if not host:
            raise HeaderRefused("the header Host is missing")
        text = host.decode("latin-1").lower()
        name = _without_port(text)
        if name not in self._names and not is_loopback(name):
            raise HostNotAllowed(text)
        if len(self._known_hosts) < _REMEMBERED:
            self._known_hosts.add(host)

    def _check_token(self, authorization: bytes) -> None:
        scheme, _, token = authorization.partition(b" ")
        digest = sha256(token.strip()).digest()
        # Every digest is compared, so that the time tells nothing of which one fits.
        fits = [hmac.compare_digest(digest, known) for known in self._digests]
        if scheme.lower() != b"bearer" or not any(fits):
            raise Unauthorized

    def _check_change(self, headers: dict[bytes, bytes], host: bytes, upload: Mapping[str, BodyLimit] | None) -> None:
        origin = headers.get(b"origin")
        if origin is not None and origin.partition(b"://")[2].lower() != host.lower():
            raise CrossSite(origin.decode("latin-1"))
        length = headers.get(b"content-length")
        if length is None:
            if b"transfer-encoding" not in headers:
                return
        elif length == b"0":
            return
        elif not length.isdigit():
            raise HeaderRefused("the header Content-Length is not a number")
        coding = headers.get(b"content-encoding")
        if coding is not None and coding.strip().lower() != b"identity":
            raise UnsupportedContentCoding(coding.decode("latin-1"))
        media_type = headers.get(b"content-type", b"")
        if upload is not None:
            limit = upload[_essence(media_type, upload)]
            _check_length(length, limit.size, limit.setting)
            return
        _check_length(length, self._max_body_bytes, "server.max_body_bytes")
        if media_type not in self._known_types:
            _essence(media_type, (JSON,))
            if len(self._known_types) < _REMEMBERED:
                self._known_types.add(media_type)

    async def _other_protocol(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
        else:
            await self._app(scope, receive, send)


def _check_length(length: bytes | None, limit: int, setting: str) -> None:
    if length is not None and (len(length) > 20 or int(length) > limit):
        raise BodyTooLarge(limit, setting)


def _essence(media_type: bytes, accepted: Collection[str]) -> str:
    """Return a media type without its parameters, when it is one of those that are accepted, in UTF-8."""
    text = media_type.decode("latin-1")
    essence, *parameters = (part.strip().lower().replace('"', "") for part in text.split(";"))
    if essence not in accepted or any(each not in {"", "charset=utf-8"} for each in parameters):
        raise UnsupportedMediaType(text, accepted)
    return essence


def _refuse_repeated(pairs: Sequence[tuple[bytes, bytes]]) -> None:
    seen: set[bytes] = set()
    for name, _ in pairs:
        if name in seen and name in _ONCE:
            raise HeaderRefused(f"the header {name.decode('latin-1')!r} is given twice")
        seen.add(name)


def _without_port(host: str) -> str:
    """Return the name or address in a Host header: ``[::1]:80`` is ``::1``; a trailing dot is left away."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].removesuffix(".")
