"""The keys that make a repeated request harmless. Imports `key_claiming`, `readers`, `writer` and `tables`."""

from __future__ import annotations

from functools import partial

import msgspec
from msgspec.structs import replace
from sqlalchemy import Connection, Executable, delete, select, update

from hotplane.errors import StorageError, StorageUnavailable
from hotplane.records import Execution
from hotplane.storage.key_claiming import KeyClaim, KeyRecord, KeyUpkeep, held
from hotplane.storage.readers import Readers
from hotplane.storage.tables import executions, idempotency_keys
from hotplane.storage.writer import Writer
from hotplane.storage.writes import Write

__all__ = ["StoredKeys"]

_DEFAULT_LIMIT = 100_000
_of = idempotency_keys.c
_encode = msgspec.json.Encoder().encode
_decode_execution = msgspec.json.Decoder(Execution).decode


class StoredKeys:
    """The keys of a store, each with what became of its request; writes and reads as `Store` does.

    A key is in flight, by a holder that has a lease on it, or it is finished. Methods that end in ``soon`` do not
    wait; when one fails, the key stays with its holder, whose next claim takes it over.

    Args:
        writer: Through which they are written.
        readers: Through which executions are read.
        placeholder: How the driver marks a parameter.
    """

    def __init__(self, writer: Writer, readers: Readers, placeholder: str) -> None:
        self._writer = writer
        self._readers = readers
        self._placeholder = placeholder
        self._upkeep = KeyUpkeep(_DEFAULT_LIMIT)

    def keep_at_most(self, limit: int) -> None:
        """Say how many keys are kept; the oldest finished ones go first, those in flight never."""
        self._upkeep.limit = limit

    async def claim(self, claim: KeyClaim) -> KeyClaim:
        """Take a key, and return the claim with what was found.

        Raises:
            StorageError, StorageUnavailable, Overloaded, ShuttingDown: The key was not taken.
        """
        work = partial(claim, upkeep=self._upkeep, placeholder=self._placeholder)
        try:
            await self._writer.write(Write(work=work))
        except (StorageError, StorageUnavailable):
            # When the connection broke during the commit it may be stored; the request does not run in any case.
            self.release_soon(claim.key, claim.holder, claim.record)
            raise
        return claim

    async def finish(self, key: str, holder: str, record: KeyRecord, answer: bytes | None, *, now: int) -> None:
        """Store what became of a request.

        Args:
            key: The key.
            holder: Who has it; when it was taken over, nothing changes.
            record: With the status and the headers of the answer.
            answer: The body; None where it is made anew from what `record.outcome_id` names.
            now: The present instant.
        """
        await self._writer.write(_finishing(key, holder, record, answer, now))

    def finish_soon(self, key: str, holder: str, record: KeyRecord, answer: bytes | None, *, now: int) -> None:
        """Do the same without waiting, for an outcome that is stored already."""
        self._writer.write_soon(_finishing(key, holder, record, answer, now))

    def describe_soon(self, key: str, holder: str, record: KeyRecord) -> None:
        """Store what came to be known of a request in flight."""
        self._execute_soon(update(idempotency_keys).where(held(key, holder)).values(body=_encode(record)))

    def release_soon(self, key: str, holder: str, record: KeyRecord | None = None) -> None:
        """Forget a request in flight of which nothing has to be known; where given, only if it is stored like this."""
        condition = held(key, holder)
        if record is not None:
            condition &= _of.body == _encode(record)
        self._execute_soon(delete(idempotency_keys).where(condition))

    def leave_soon(self, key: str, holder: str) -> None:
        """Give up a request that may have had an effect: the next one with its key finds out."""
        self._execute_soon(update(idempotency_keys).where(held(key, holder)).values(holder=None))

    def renew_soon(self, holder: str, lease_until: int) -> None:
        """Have the leases of a holder last at least until an instant."""
        ours = (_of.holder == holder, _of.finished_at.is_(None), _of.lease_until < lease_until)
        self._execute_soon(update(idempotency_keys).where(*ours).values(lease_until=lease_until))

    async def execution_of(self, record: KeyRecord) -> Execution | None:
        """Return the execution that a request made, if it is stored."""
        return await self._readers.run(partial(_execution_of, record=record))

    async def find(self, key: str) -> KeyRecord | None:
        """Return what is stored under a key, whatever its age."""
        query = select(_of.body).where(_of.key == key)
        body = await self._readers.run(lambda connection: connection.scalar(query))
        return None if body is None else msgspec.json.decode(body, type=KeyRecord)

    def _execute_soon(self, statement: Executable) -> None:
        self._writer.write_soon(Write(statements=(statement,)))


def _finishing(key: str, holder: str, record: KeyRecord, answer: bytes | None, now: int) -> Write:
    values = {"finished_at": now, "holder": None, "body": _encode(record), "answer": answer}
    write = Write(statements=(update(idempotency_keys).where(held(key, holder)).values(values),))
    write.size += len(answer or b"")  # it waits in the queue like a record
    return write


def _execution_of(connection: Connection, record: KeyRecord) -> Execution | None:
    columns = executions.c
    # The first one: later ones with the same id are reruns by others.
    ours = (columns.id == record.outcome_id, columns.sequence > record.after)
    row = connection.execute(
        select(columns.sequence, columns.body).where(*ours).order_by(columns.sequence).limit(1)
    ).first()
    return None if row is None else replace(_decode_execution(row.body), sequence=row.sequence)
