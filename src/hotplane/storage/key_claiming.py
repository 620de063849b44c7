"""Taking a key that makes a repeated request harmless, as work inside the writer's transaction. Imports `tables`.

All writers of a store wait for each other, so that what is found here stays so until the transaction ends. That is
why one statement that inserts unless the key is there decides between two requests, also of two hosts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from time import monotonic

import msgspec
from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import ColumnElement, Connection, CursorResult, Select, delete, func, select, update

from hotplane.storage.tables import counters, idempotency_keys

__all__ = ["KeyClaim", "KeyRecord", "KeyState", "KeyUpkeep"]

_of = idempotency_keys.c
_NAMES = ("key", "holder", "lease_until", "body")
_SLICE = 200
"""Keys that one claim deletes beside its own work, so that nobody waits long for it."""
_PRUNED_EVERY_SECONDS = 60.0
_COUNTED_EVERY = 256
"""Claims between two counts: other hosts, and transactions that were rolled back, make what is known drift."""


class KeyRecord(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is known of a request with a key."""

    outcome_id: str
    """The id, chosen before anything runs, of what the request makes: an execution or a batch."""
    fingerprint: str | None = None
    """The hash of the request; null where its body did not come whole."""
    after: int = 0
    """The log's newest sequence before the request; what it makes comes later."""
    status: int = 0
    """That of the answer; 0 while there is none."""
    headers: tuple[tuple[str, str], ...] = ()
    """The answer's headers that are kept."""


class KeyState(Enum):
    """What a claim found."""

    NEW = "nobody used the key"
    TAKEN_OVER = "whoever worked on it is gone; the key is the claimer's now"
    LEFT = "whoever worked on it is gone; nothing was changed"
    IN_FLIGHT = "somebody works on it"
    REUSED = "it belongs to another request"
    FINISHED = "it has its answer"


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(KeyRecord).decode


class KeyUpkeep:
    """Keeps the keys few and young, a slice with each claim. Belongs to the writer's thread.

    Args:
        limit: How many keys are kept; one that is in flight is never deleted for it.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._count: int | None = None
        self._claims = 0
        self._pruned_at = float("-inf")

    def __call__(self, connection: Connection, expired_at: int) -> None:
        """Count one more key, delete what is older than `expired_at`, and the oldest above the limit."""
        self._claims += 1
        if self._count is None or self._claims % _COUNTED_EVERY == 0:
            self._count = connection.scalar(select(func.count()).select_from(idempotency_keys)) or 0
        else:
            self._count += 1
        if monotonic() - self._pruned_at >= _PRUNED_EVERY_SECONDS:
            self._prune(connection, expired_at)
        if (excess := self._count - self.limit) > 0:
            self._delete(connection, select(_of.key).where(_of.finished_at.is_not(None)), min(excess, _SLICE))

    def _prune(self, connection: Connection, expired_at: int) -> None:
        finished = self._delete(connection, select(_of.key).where(_of.finished_at < expired_at), _SLICE)
        left = select(_of.key).where(_of.finished_at.is_(None), _of.lease_until < expired_at)
        if max(finished, self._delete(connection, left, _SLICE)) < _SLICE:
            self._pruned_at = monotonic()

    def _delete(self, connection: Connection, which: Select[tuple[str]], limit: int) -> int:
        oldest = which.order_by(_of.finished_at, _of.lease_until).limit(limit)
        result: CursorResult[object] = connection.execute(delete(idempotency_keys).where(_of.key.in_(oldest)))
        self._count = max(0, (self._count or 0) - result.rowcount)
        return result.rowcount


@dataclass
class KeyClaim:
    """Takes a key, unless somebody has it.

    Instants are microseconds since 1970.
    """

    key: str
    holder: str
    """Who claims; another claim of the same holder for this key has ended, or failed."""
    record: KeyRecord
    """What is stored when nobody used the key; with its mark, once the claim was made."""
    now: int
    lease_until: int
    expired_at: int
    """Keys that finished, or were left, before this instant do not count any more."""
    is_dead: Callable[[str], bool]
    """Whether a holder can be seen to be gone."""
    take_over: bool = True
    """Whether a key that was left is taken."""
    mark: bool = False
    """Whether the record has to say where the log ends now: the id of the outcome is not new."""
    state: KeyState = field(default=KeyState.IN_FLIGHT, init=False)
    found: KeyRecord = field(init=False)
    """What is stored under the key."""
    answer: bytes | None = field(default=None, init=False)
    """The body of the answer, of a finished key whose answer is kept here."""

    def __call__(self, connection: Connection, upkeep: KeyUpkeep, placeholder: str) -> None:
        """Do it, in the writer's transaction."""
        self.answer = None
        if self.mark:
            self.record = replace(self.record, after=_newest(connection))
        self.found = self.record
        if self._insert(connection, placeholder):
            self.state = KeyState.NEW
            upkeep(connection, self.expired_at)
            return
        self._look(connection)
        if self.state is KeyState.TAKEN_OVER:
            taken = {"holder": self.holder, "lease_until": self.lease_until}
            connection.execute(update(idempotency_keys).where(_of.key == self.key).values(taken))

    def _insert(self, connection: Connection, placeholder: str) -> bool:
        values = ", ".join([placeholder] * len(_NAMES))
        statement = (
            f"INSERT INTO {idempotency_keys.name} ({', '.join(_NAMES)}) VALUES ({values}) "  # noqa: S608 - our own names
            "ON CONFLICT (key) DO NOTHING"
        )
        cells = (self.key, self.holder, self.lease_until, _encode(self.record))
        return connection.exec_driver_sql(statement, cells).rowcount == 1

    def _look(self, connection: Connection) -> None:
        row = connection.execute(select(idempotency_keys).where(_of.key == self.key)).one()
        ended_at = row.lease_until if row.finished_at is None else row.finished_at
        if ended_at < self.expired_at:
            values = {"holder": self.holder, "lease_until": self.lease_until, "finished_at": None, "answer": None}
            fresh = update(idempotency_keys).where(_of.key == self.key).values(body=_encode(self.record), **values)
            connection.execute(fresh)
            self.state = KeyState.NEW
            return
        self.found, self.answer = _decode(row.body), row.answer
        self.state = self._judge(row.holder, row.lease_until, finished=row.finished_at is not None)

    def _judge(self, holder: str | None, lease_until: int, *, finished: bool) -> KeyState:
        left = holder is None or holder == self.holder or lease_until < self.now
        if not finished and not left and not self.is_dead(str(holder)):
            return KeyState.IN_FLIGHT
        known = {self.record.fingerprint, self.found.fingerprint} - {None}
        if len(known) > 1:
            return KeyState.REUSED
        if finished:
            return KeyState.FINISHED
        return KeyState.TAKEN_OVER if self.take_over else KeyState.LEFT


def held(key: str, holder: str) -> ColumnElement[bool]:
    """Return the condition that `holder` works on the key."""
    return (_of.key == key) & (_of.holder == holder) & _of.finished_at.is_(None)


def _newest(connection: Connection) -> int:
    return connection.scalar(select(counters.c.value).where(counters.c.name == "sequence")) or 0
