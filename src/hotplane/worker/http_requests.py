"""Who may ask the HTTP door for something, and what a request says. Imports only `values` and its own room.

The worker runs code for whoever gets in, so a page in a browser must not: a request needs `application/json`, which
makes browsers ask first and get no leave, and, where no token is asked for, a Host header that names this machine,
so that a page whose name was made to resolve to it (DNS rebinding) is refused.
"""

from __future__ import annotations

import asyncio
import hmac
import zlib
from hashlib import sha256
from ipaddress import ip_address
from typing import Annotated

import msgspec
from msgspec import Meta, Raw, Struct
from starlette.requests import ClientDisconnect, Request

from hotplane.valkyrie import Endpoint
from hotplane.worker.http_answers import JSON_TYPE, Refusal
from hotplane.worker.settings import WorkerSettings

__all__ = ["ClientDisconnect", "Guard", "RunRequest", "read_request"]

_DEFAULT_DEADLINE_MS = 30_000
_MAX_ID = 512
_GZIP = 16 + zlib.MAX_WBITS
"""zlib's way to say that the data has a gzip header."""


class RunRequest(Struct, frozen=True, kw_only=True):
    """The body of ``POST /run``; unknown fields are ignored, so that later hosts may say more."""

    program: Annotated[str, Meta(max_length=_MAX_ID)]
    input: Raw
    deadline_ms: Annotated[int, Meta(ge=1, le=86_400_000)] = _DEFAULT_DEADLINE_MS
    task: Annotated[str, Meta(max_length=_MAX_ID)] | None = None
    execution: Annotated[str, Meta(max_length=_MAX_ID)] | None = None


_requests = msgspec.json.Decoder(RunRequest)


class Guard:
    """Decides who may pass.

    Args:
        settings: Where the token is.
        host: The host that the door was bound to, which clients may name beside this machine's own names.
    """

    def __init__(self, settings: WorkerSettings, host: str) -> None:
        token = settings.token
        self._digest = None if token is None else sha256(token.get_secret_value().encode()).digest()
        self._host = host

    def check(self, request: Request) -> None:
        """Let a request through to what runs or tells something.

        Raises:
            Refusal: It shows no token, a wrong one, or comes by a name that is not this machine's.
        """
        if self._digest is None:
            self._check_host(request.headers.get("host", ""))
            return
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        fits = hmac.compare_digest(sha256(token.strip().encode()).digest(), self._digest)
        if scheme.lower() != "bearer" or not fits:
            raise Refusal(401, "unauthorized", "a bearer token is needed", {"WWW-Authenticate": "Bearer"})

    def _check_host(self, header: str) -> None:
        name = header.rpartition("]")[0].strip("[") if header.startswith("[") else header.partition(":")[0]
        if name.lower() != self._host.lower() and not (Endpoint("tcp", name.lower()).is_local or _is_any(self._host)):
            raise Refusal(403, "host-not-allowed", "the header Host does not name this worker")


async def read_request(request: Request, settings: WorkerSettings) -> RunRequest:
    """Read the body of ``POST /run`` within its limits of size and time.

    Raises:
        Refusal: It is too large, too slow, or not what it should be.
        ClientDisconnect: The client went away.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != JSON_TYPE:
        raise Refusal(415, "unsupported-media-type", f"the body has to be {JSON_TYPE}")
    coding = request.headers.get("content-encoding", "identity").strip().lower()
    if coding not in {"identity", "gzip"}:
        raise Refusal(415, "unsupported-coding", "the body may be packed with gzip only", {"Accept-Encoding": "gzip"})
    try:
        async with asyncio.timeout(settings.http_request_seconds):
            body = await _read(request, settings.max_body_bytes)
    except TimeoutError:
        raise Refusal(408, "too-slow", "the body did not arrive in time", {"Connection": "close"}) from None
    try:
        return _requests.decode(_unpacked(body, settings.max_body_bytes) if coding == "gzip" else body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refusal(400, "malformed-request", str(error)) from None


async def _read(request: Request, limit: int) -> bytes:
    """Return the body. One that is too large is read and dropped: its client sends on, and reads the answer then."""
    announced = request.headers.get("content-length", "0")
    too_large = not announced.isdigit() or len(announced) > 20 or int(announced) > limit
    body = bytearray()
    async for chunk in request.stream():
        if not too_large:
            body += chunk
            too_large = len(body) > limit
    if too_large:
        raise _too_large(limit)
    return bytes(body)


def _unpacked(body: bytes, limit: int) -> bytes:
    unpacker = zlib.decompressobj(_GZIP)
    try:
        data = unpacker.decompress(body, limit + 1)
    except zlib.error:
        raise Refusal(400, "malformed-request", "the body is not packed with gzip") from None
    if len(data) > limit:
        raise _too_large(limit)
    if not unpacker.eof or unpacker.unused_data:
        raise Refusal(400, "malformed-request", "the packed body is not complete, or followed by something else")
    return data


def _too_large(limit: int) -> Refusal:
    return Refusal(413, "too-large", f"the body may have {limit} bytes")


def _is_any(host: str) -> bool:
    try:
        return ip_address(host).is_unspecified
    except ValueError:
        return False
