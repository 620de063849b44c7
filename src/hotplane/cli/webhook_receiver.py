"""The receiver behind `hotplane webhooks listen`. Imports `builtin.webhooks` and its own room."""

from __future__ import annotations

import asyncio
import errno
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import msgspec
from aiohttp import web
from msgspec import Struct

from hotplane.builtin.webhooks.keys import VerifyingKey
from hotplane.builtin.webhooks.signing import SignatureRefused, verify
from hotplane.cli.event_views import event_line
from hotplane.cli.output import write, write_json
from hotplane.cli.text import printable
from hotplane.errors import CannotListen, PortInUse
from hotplane.values import Json

__all__ = ["Behaviour", "Receiver"]

_MAX_BYTES = 16 * 1024 * 1024
_MAX_REMEMBERED = 100_000
"""Ids by which repetitions are known; of more the oldest are forgotten."""
_TOO_MANY = 429
_REFUSED = 401


class Behaviour(Struct, frozen=True, kw_only=True):
    """How it answers."""

    fail: int = 0
    """The first so many requests fail."""
    status: int | None = None
    """Of failures; of every answer where none is to fail."""
    retry_after: int | None = None
    delay: float = 0.0
    """Seconds before each answer."""
    rate: float | None = None
    """Requests a second that are taken."""


class Receiver:
    """Verifies, prints and counts.

    Args:
        keys: One of them has to fit; none verifies nothing.
        behaviour: How it answers.
        as_json: Print objects instead of text.
        limit: Requests after which it ends.
    """

    def __init__(
        self, keys: Sequence[VerifyingKey], behaviour: Behaviour, *, as_json: bool = False, limit: int | None = None
    ) -> None:
        self._keys = keys
        self._behaviour = behaviour
        self._as_json = as_json
        self._limit = limit
        self._ended = asyncio.Event()
        self._failure: BaseException | None = None
        self._seen: dict[str, int] = {}
        self._statuses: Counter[int] = Counter()
        self._begun = self._repeated = self._refused = 0
        self._allowance, self._asked_at = 1.0, time.monotonic()

    async def serve(self, host: str, port: int, *, on_ready: Callable[[str], None]) -> None:
        """Receive until the limit is reached, or this is cancelled.

        Raises:
            CannotListen: The address or the port cannot be had.
        """
        application = web.Application(client_max_size=_MAX_BYTES)
        application.router.add_route("*", "/{path:.*}", self._take)
        running = web.AppRunner(application, access_log=None, shutdown_timeout=0.5)
        await running.setup()
        try:
            await self._listen(running, host, port)
            bound = running.addresses[0]
            on_ready(f"http://{f'[{bound[0]}]' if ':' in bound[0] else bound[0]}:{bound[1]}/")
            await self._ended.wait()
        finally:
            await running.cleanup()
        if self._failure is not None:
            raise self._failure

    def summary(self) -> str:
        """Return what came, in a sentence."""
        answers = ", ".join(f"{count} × {status}" for status, count in sorted(self._statuses.items()))
        return (
            f"{self._statuses.total()} requests ({answers or 'none'}), {len(self._seen)} events, "
            f"{self._repeated} repetitions, {self._refused} with a signature that does not fit"
        )

    async def _listen(self, running: web.AppRunner, host: str, port: int) -> None:
        try:
            await web.TCPSite(running, host, port, reuse_address=True).start()
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise PortInUse(host, port) from None
            raise CannotListen(host, port, error.strerror or str(error)) from None

    async def _take(self, request: web.Request) -> web.Response:
        body = await request.read()
        headers = {name.lower(): text for name, text in request.headers.items()}
        problem = self._problem(headers, body)
        status = self._status(refused=problem is not None)
        if self._behaviour.delay:
            await asyncio.sleep(self._behaviour.delay)
        try:
            self._note(headers, body, status, problem)
        except BaseException as error:  # nobody reads the output any more
            self._failure = error
            self._ended.set()
        if self._limit is not None and self._statuses.total() >= self._limit:
            # After the answer is out.
            asyncio.get_running_loop().call_later(0.05, self._ended.set)
        return web.Response(status=status, headers=self._headers(status), text=problem or "")

    def _problem(self, headers: Mapping[str, str], body: bytes) -> str | None:
        if not self._keys:
            return None
        try:
            verify(self._keys, headers, body, now=time.time())
        except SignatureRefused as error:
            self._refused += 1
            return str(error)
        return None

    def _status(self, *, refused: bool) -> int:
        how = self._behaviour
        self._begun += 1  # not when it is answered: others come in meanwhile
        if not self._is_within_rate():
            return _TOO_MANY
        if refused:
            return _REFUSED
        if how.fail:
            return (how.status or 500) if self._begun <= how.fail else 200
        return how.status or 200

    def _is_within_rate(self) -> bool:
        rate, now = self._behaviour.rate, time.monotonic()
        if rate is None:
            return True
        self._allowance = min(max(1.0, rate), self._allowance + (now - self._asked_at) * rate)
        self._asked_at = now
        if self._allowance < 1.0:
            return False
        self._allowance -= 1.0
        return True

    def _headers(self, status: int) -> dict[str, str]:
        after = self._behaviour.retry_after
        return {} if after is None or status < 300 else {"Retry-After": str(after)}

    def _note(self, headers: Mapping[str, str], body: bytes, status: int, problem: str | None) -> None:
        self._statuses[status] += 1
        name = headers.get("webhook-id", "")
        times = self._seen.get(name, 0) + 1
        if name:
            self._repeated += times > 1
            self._seen[name] = times
            if len(self._seen) > _MAX_REMEMBERED:
                del self._seen[next(iter(self._seen))]
        verified = None if not self._keys else problem is None
        event = _event(body)
        if self._as_json:
            write_json({"id": name, "times": times, "verified": verified, "status": status, "event": event})
            return
        mark = {True: "signature ok", False: f"REFUSED: {problem}", None: "not verified"}[verified]
        repeated = f", {times}. time" if times > 1 else ""
        about = f"{printable(name or 'no webhook-id')}  {mark}, answered {status}{repeated}"
        write(f"{_shown(event, headers)}\n    {about}\n")


def _event(body: bytes) -> Json:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return body[:2_048].decode("utf-8", "replace")


def _shown(event: Json, headers: Mapping[str, str]) -> str:
    """Return an event as a line: of a Standard Webhook or a CloudEvent its own words, else what came."""
    record: Mapping[str, Json] = event if isinstance(event, Mapping) else {}
    data = record.get("data")
    if not isinstance(data, Mapping) or "type" not in record:
        kind = headers.get("content-type", "no type")
        return printable(f"{kind}: {event if isinstance(event, str) else msgspec.json.encode(event).decode()}"[:2_048])
    return event_line({**data, "type": record["type"], "time": record.get("timestamp") or record.get("time")})
