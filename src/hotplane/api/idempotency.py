"""Requests with an `Idempotency-Key`: each is done once, and repeats get what the first one got.

It stands behind the door and before every POST that has the header; requests without it do not pass here. Imports
only lower rooms, `bodies`, `keyed`, `outcomes`, `attempt`, `problems`, `refusals` and `uploads`.

The key is stored as in flight, with the id of what the request will make, before anything runs; what came of it is
stored with the answer. Whoever finds a key in flight whose holder is gone looks for what has that id.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from msgspec.structs import replace

from hotplane.api.attempt import Attempt, Claimed
from hotplane.api.door import Application, Receive, Scope, Send
from hotplane.api.exchange import ANSWER
from hotplane.api.keyed import OUTCOME_ID, Answer, HashedBody, digest
from hotplane.api.outcomes import Outcome, outcome_of
from hotplane.api.refusals import HeaderRefused, IdempotencyKeyInFlight, IdempotencyKeyReused
from hotplane.api.uploads import is_ndjson
from hotplane.app import Hotplane
from hotplane.events.holder import holder_name, is_certainly_dead
from hotplane.records import now
from hotplane.storage import KeyClaim, KeyRecord, KeyState
from hotplane.storage.tables import microseconds

__all__ = ["Idempotency"]

_HEADER = b"idempotency-key"
_LONGEST = 255
_LEASE_SECONDS = 60.0
"""Beyond the time that the request may take, or since the last renewal."""
_RENEWED_EVERY_SECONDS = 20.0
_REPLAYED = (b"idempotent-replayed", b"true")


class Idempotency:
    """The requests with a key.

    Args:
        host: The host, started before the first request.
        app: What does them.
        clock: What time it is.
    """

    def __init__(self, host: Hotplane, app: Application, *, clock: Callable[[], datetime] = now) -> None:
        self._host = host
        self._app = app
        self._clock = clock
        self._settings = host.config.server
        self._holder = holder_name()
        self._in_flight: dict[str, HashedBody] = {}
        self._renewal: asyncio.TimerHandle | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI request that has the header.

        Raises:
            HeaderRefused: The key is none.
            IdempotencyKeyInFlight: The first request with it has not ended.
            IdempotencyKeyReused: The first request with it was another one.
            HotplaneError: What the application raises, and when the key cannot be stored; then nothing was done.
        """
        headers: dict[bytes, bytes] = dict(scope["headers"])
        key = _name(scope, headers)
        if key in self._in_flight:
            raise IdempotencyKeyInFlight
        media_type = headers.get(b"content-type", b"")
        body = self._in_flight[key] = HashedBody(receive, (media_type, scope["query_string"]))
        self._renew_later()
        try:
            await self._serve(key, body, scope, send, ahead=not is_ndjson(media_type.decode("latin-1")))
        finally:
            self._let_go(key, body)

    async def _serve(self, key: str, body: HashedBody, scope: Scope, send: Send, *, ahead: bool) -> None:
        outcome = outcome_of(self._host, scope["path"])
        if ahead:
            await body.read_ahead(self._settings.max_body_bytes)
            if len(body.content) > self._settings.max_body_bytes and not outcome.streamed:
                await self._app(scope, body.receive, send)  # which refuses it for its size
                return
        claim = await self._claim(key, outcome, body)
        answer = await self._known(claim, outcome, body)
        if answer is not None:
            await _replay(send, answer)
            return
        if claim.state is KeyState.LEFT:  # nothing came of it, and nothing of this body was read
            claim = await self._claim(key, outcome, body, take_over=True)
        if claim.state not in (KeyState.NEW, KeyState.TAKEN_OVER):
            raise IdempotencyKeyInFlight  # another host was quicker
        await self._run(claim, outcome, body, scope, send)

    async def _claim(self, key: str, outcome: Outcome, body: HashedBody, *, take_over: bool | None = None) -> KeyClaim:
        record, mark = outcome.begin(body)
        at = self._clock()
        claim = KeyClaim(
            key=key,
            holder=self._holder,
            record=record,
            now=microseconds(at),
            lease_until=microseconds(at + timedelta(seconds=_LEASE_SECONDS + outcome.seconds)),
            expired_at=microseconds(at - timedelta(hours=self._settings.idempotency_hours)),
            is_dead=is_certainly_dead,
            take_over=body.whole if take_over is None else take_over,
            mark=mark,
        )
        keys = self._host.store.idempotency
        keys.keep_at_most(self._settings.max_idempotency_keys)
        return await keys.claim(claim)

    async def _known(self, claim: KeyClaim, outcome: Outcome, body: HashedBody) -> Answer | None:
        """Return the answer to a request that was made before; None where it has to be made now."""
        found = claim.found
        if claim.state is KeyState.NEW:
            return None
        if claim.state is KeyState.IN_FLIGHT:
            raise IdempotencyKeyInFlight
        if claim.state is KeyState.REUSED:
            raise IdempotencyKeyReused
        if claim.state is KeyState.FINISHED:
            answer = _stored(found, claim.answer) if claim.answer is not None else await outcome.found(found)
            if answer is None:
                raise outcome.missing(found)
        else:
            answer = await self._left(claim, outcome, body)
        if answer is not None and not body.whole and found.fingerprint is not None:
            await body.drop(self._host.config.batches.max_bytes, "batches.max_bytes")
            if body.fingerprint != found.fingerprint:
                raise IdempotencyKeyReused
        return answer

    async def _left(self, claim: KeyClaim, outcome: Outcome, body: HashedBody) -> Answer | None:
        """Return what came of a request that somebody left, and store that where the key was taken over."""
        keys = self._host.store.idempotency
        try:
            answer = await outcome.left(claim.found, body)
        except BaseException:
            if claim.state is KeyState.TAKEN_OVER:
                keys.leave_soon(claim.key, self._holder)
            raise
        if answer is not None and claim.state is KeyState.TAKEN_OVER:
            await Attempt(self._claimed(claim, claim.found, body), outcome, body).finish(answer)
        return answer

    async def _run(self, claim: KeyClaim, outcome: Outcome, body: HashedBody, scope: Scope, send: Send) -> None:
        taken = claim.state is KeyState.TAKEN_OVER
        # A request that was left before its body had come whole is done with this one's.
        record = replace(claim.found, fingerprint=body.fingerprint) if taken else claim.record
        extensions = {name: value for name, value in scope.get("extensions", {}).items() if name != ANSWER}
        keyed = {**scope, "extensions": extensions, OUTCOME_ID: record.outcome_id}
        await Attempt(self._claimed(claim, record, body), outcome, body).run(self._app, keyed, send)

    def _claimed(self, claim: KeyClaim, record: KeyRecord, body: HashedBody) -> Claimed:
        let_go = partial(self._let_go, claim.key, body)
        return Claimed(self._host.store.idempotency, claim.key, self._holder, record, self._clock, let_go)

    def _let_go(self, key: str, body: HashedBody) -> None:
        # The answer may go on after that, and the key may be another request's by then.
        if self._in_flight.get(key) is body:
            del self._in_flight[key]

    def _renew_later(self) -> None:
        if self._renewal is None:
            self._renewal = asyncio.get_running_loop().call_later(_RENEWED_EVERY_SECONDS, self._renew)

    def _renew(self) -> None:
        self._renewal = None
        if self._in_flight:
            until = microseconds(self._clock() + timedelta(seconds=_LEASE_SECONDS))
            self._host.store.idempotency.renew_soon(self._holder, until)
            self._renew_later()


def _name(scope: Scope, headers: dict[bytes, bytes]) -> str:
    """Return the name under which a key is stored: another caller's, or that of another path, is another one."""
    key = headers[_HEADER]
    if not 1 <= len(key) <= _LONGEST or not all(0x20 <= each <= 0x7E for each in key):
        raise HeaderRefused(f"an Idempotency-Key has 1 to {_LONGEST} printable ASCII characters")
    token = headers.get(b"authorization", b"").partition(b" ")[2].strip()
    name: Any = digest((token, scope["method"].encode(), scope["path"].encode("utf-8", "surrogatepass"), key))
    return name.hexdigest()


def _stored(record: KeyRecord, body: bytes) -> Answer:
    headers = tuple((name.encode("latin-1"), value.encode("latin-1")) for name, value in record.headers)
    return Answer(status=record.status, headers=headers, body=body)


async def _replay(send: Send, answer: Answer) -> None:
    body = answer.body or b""
    # An answer without a body, such as 204, must not say how long it is.
    length = ((b"content-length", str(len(body)).encode()),) if answer.status != 204 else ()
    headers = [*answer.headers, *length, _REPLAYED]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
