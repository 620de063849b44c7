"""One attempt at a request with a key: running it, and storing what came of it.

Imports only lower rooms, `bodies`, `keyed`, `outcomes` and `problems`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any

from msgspec.structs import replace

from hotplane.api.bodies import ClientGone
from hotplane.api.keyed import Answer, HashedBody, KeptAnswer, Receive, Send
from hotplane.api.outcomes import Outcome
from hotplane.api.problems import document_of, headers_of, send_problem
from hotplane.errors import HotplaneError
from hotplane.log import get_logger
from hotplane.storage import KeyRecord, StoredKeys
from hotplane.storage.tables import microseconds

__all__ = ["Attempt", "Claimed"]

_log = get_logger(room="api")
_NOT_KEPT = frozenset({HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS})


@dataclass(frozen=True)
class Claimed:
    """A key that this host works on."""

    keys: StoredKeys
    key: str
    holder: str
    record: KeyRecord
    clock: Callable[[], datetime]
    let_go: Callable[[], None]
    """Called once what became of it is on its way into the store: from then on a repeat can be answered."""


class Attempt:
    """The way of one request.

    Args:
        claimed: Its key.
        outcome: Its kind.
        body: Its body.
    """

    def __init__(self, claimed: Claimed, outcome: Outcome, body: HashedBody) -> None:
        self._claimed = claimed
        self._outcome = outcome
        self._body = body
        self._shown: Answer | None = None
        """The beginning of an answer in parts: it shows what was made, which can be asked for."""
        self._settled = False

    async def run(self, app: Callable[[Any, Receive, Send], Awaitable[None]], scope: Any, send: Send) -> None:
        """Have the application do it; what it raises is answered here, so that it can be kept, or raised on."""
        self._body.on_end = self._body_ended
        kept = KeptAnswer(send, self._begun, self._whole)
        try:
            try:
                await app(scope, self._body.receive, kept.send)
            except HotplaneError as error:
                if self._outcome.may_have_run(error):
                    self._leave()
                await send_problem(kept.send, document_of(error, scope["path"]), headers_of(error))
        except ClientGone:
            self._release()
            raise
        except BaseException:
            self._leave()
            raise
        if not kept.ended:
            await self._broken_off()

    async def finish(self, answer: Answer) -> None:
        """Store the answer, before it is sent; one whose outcome is stored by itself is not waited for.

        When that fails the answer is true all the same, and the next request with the key finds the outcome.
        """
        claimed = self._claimed
        record, body = self._finished(answer), answer.body
        at = microseconds(claimed.clock())
        if self._outcome.made and answer.status < HTTPStatus.BAD_REQUEST:
            claimed.keys.finish_soon(claimed.key, claimed.holder, record, body, now=at)
            self._settle()
            return
        try:
            await claimed.keys.finish(claimed.key, claimed.holder, record, body, now=at)
        except HotplaneError as error:
            _log.warning("the answer to a request with a key is not kept", error=str(error))
        self._settle()

    async def _whole(self, answer: Answer) -> None:
        if self._settled:
            return
        if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR or answer.status in _NOT_KEPT:
            self._release()
        elif not self._body.whole and not self._made(answer):
            self._release()  # what it was asked for is not known, so that nothing can be compared with it
        elif answer.body is None and not self._made(answer):
            self._release()
        else:
            await self.finish(self._outcome_only(answer) if answer.status == HTTPStatus.ACCEPTED else answer)

    def _begun(self, answer: Answer) -> None:
        if self._made(answer):
            self._shown = self._outcome_only(answer)
            self._body_ended()

    def _body_ended(self) -> None:
        """Store the key of an answer in parts as soon as its request is known: the answer may last for hours."""
        if self._settled or not (self._body.whole or self._body.gone):
            return
        claimed = self._claimed
        if self._shown is not None:
            record = self._finished(self._shown)
            claimed.keys.finish_soon(claimed.key, claimed.holder, record, None, now=microseconds(claimed.clock()))
            self._settle()
        elif self._body.whole and claimed.record.fingerprint is None:
            claimed.keys.describe_soon(claimed.key, claimed.holder, self._described())

    async def _broken_off(self) -> None:
        """Keep what was made although nobody got its answer."""
        if self._settled:
            return
        made = await self._outcome.found(self._claimed.record) if self._outcome.made else None
        if made is None:
            self._release()
        else:
            await self.finish(self._outcome_only(made))

    def _made(self, answer: Answer) -> bool:
        return self._outcome.made and answer.status < HTTPStatus.BAD_REQUEST

    def _outcome_only(self, answer: Answer) -> Answer:
        return replace(answer, body=None) if self._outcome.made else answer

    def _finished(self, answer: Answer) -> KeyRecord:
        headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in answer.headers)
        return replace(self._described(), status=answer.status, headers=headers)

    def _described(self) -> KeyRecord:
        return replace(self._claimed.record, fingerprint=self._body.fingerprint or self._claimed.record.fingerprint)

    def _release(self) -> None:
        if not self._settled:
            self._claimed.keys.release_soon(self._claimed.key, self._claimed.holder)
            self._settle()

    def _leave(self) -> None:
        if not self._settled:
            self._claimed.keys.leave_soon(self._claimed.key, self._claimed.holder)
            self._settle()

    def _settle(self) -> None:
        self._settled = True
        self._claimed.let_go()
