"""Batches and streams of the `Client`. Imports only its own room."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Generator
from contextlib import AbstractContextManager, closing
from types import TracebackType
from typing import Self

from hotplane.client import calls
from hotplane.client.calls import Call, Submitted
from hotplane.client.failures import ClientError
from hotplane.client.following import ResultLines, StreamProgress
from hotplane.client.items import Upload
from hotplane.client.pace import poll_pause
from hotplane.client.results import Batch, ItemResult
from hotplane.client.retries import Schedule
from hotplane.client.sync_wire import Going, Wire

__all__ = ["BatchHandle", "ResultStream"]


class BatchHandle:
    """A batch of the server. It goes on whether or not anybody holds this.

    Args:
        wire: The server.
        batch: How it stood when it was last asked for.
    """

    def __init__(self, wire: Wire, batch: Batch) -> None:
        self._wire = wire
        self.last = batch
        """How it stood when it was last asked for."""

    @property
    def id(self) -> str:
        """Its id, with which `Client.open_batch` finds it again."""
        return self.last.id

    def status(self) -> Batch:
        """Ask how it stands."""
        return self._ask(calls.batch("batch", self.id))

    def pause(self) -> Batch:
        """Begin no more items; those that run end."""
        return self._ask(calls.batch_action("batch", self.id, "pause"))

    def resume(self) -> Batch:
        """Go on after a pause."""
        return self._ask(calls.batch_action("batch", self.id, "resume"))

    def cancel(self) -> Batch:
        """Run no more items: what has not begun counts as cancelled."""
        return self._ask(calls.batch_action("batch", self.id, "cancel"))

    def delete(self) -> None:
        """Forget it and its results once it has ended; the executions stay."""
        self._wire.send(calls.delete_batch(self.id))

    def wait(self, timeout: float | None = None) -> Batch:
        """Wait until it has ended.

        Raises:
            TimeoutError: It has not, after `timeout` seconds.
        """
        ends_at = math.inf if timeout is None else time.monotonic() + timeout
        while not (batch := self.status()).ended:
            left = ends_at - time.monotonic()
            if left <= 0:
                raise TimeoutError
            time.sleep(min(left, poll_pause(batch)))
        return batch

    def results(self, *, after: int = 0) -> Generator[ItemResult]:
        """Yield every result once, in the order in which they ended, until the batch has.

        A lost connection, also by a restart of the host, is resumed where it was.

        Args:
            after: The `sequence` of the last result that is known already.
        """
        lines = ResultLines(self._wire.address, after)
        schedule = _resuming(self._wire, f"GET results of {self.id}")
        while True:
            try:
                with closing(self._more(lines)) as more:
                    for result in more:
                        schedule.begin_anew()
                        yield result
                batch = self.status()
            except ClientError as error:
                time.sleep(schedule.wait_after(error))
                continue
            if batch.ended and lines.after >= batch.last_sequence:
                return
            time.sleep(poll_pause(batch))

    def _more(self, lines: ResultLines) -> Generator[ItemResult]:
        lines.begin()
        with self._wire.open(calls.results(self.id, lines.after, follow=True)) as going:
            if going.parts is None:
                return
            for part in going.parts:
                yield from lines.feed(part)

    def _ask(self, call: Call[Batch]) -> Batch:
        self.last = self._wire.send(call)
        return self.last


class ResultStream:
    """The results of a stream, each once, in the order in which they ended; an iterator.

    Leave it through ``with``: when it has not ended by then, the items that are left are cancelled, unless it
    is detached.

    Args:
        wire: The server.
        begin: The request that uploads, and what; null for a stream that exists already.
        progress: How far it has come.
        detach: Whether the stream goes on without its reader.
    """

    def __init__(
        self, wire: Wire, begin: tuple[Call[Submitted], Upload] | None, progress: StreamProgress, *, detach: bool
    ) -> None:
        self._wire = wire
        self._begin = begin
        self._progress = progress
        self._detach = detach
        self._results = self._run()

    @property
    def id(self) -> str | None:
        """The stream's id; null until the server has told it, which is before the first result."""
        return self._progress.id

    @property
    def status(self) -> Batch | None:
        """How the stream stood when the server last told, at most once a second."""
        return self._progress.batch

    @property
    def cursor(self) -> int:
        """The `sequence` of the last result; with the id it lets another program go on here."""
        return self._progress.after

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> ItemResult:
        return next(self._results)

    def close(self) -> None:
        """Leave the stream."""
        self._results.close()

    def cancel(self) -> Batch | None:
        """Cancel the items that are left; their results still come."""
        if self.id is None:
            return None
        return self._wire.send(calls.batch_action("stream", self.id, "cancel"))

    def _run(self) -> Generator[ItemResult]:
        try:
            with closing(self._each()) as each:
                yield from each
        finally:
            if not self._progress.ended and not self._detach:
                self._cancel_quickly()
        self._progress.check_upload()

    def _cancel_quickly(self) -> None:
        if self.id is not None:
            with contextlib.suppress(ClientError):  # it may have ended by itself, or the host is gone
                self._wire.once(calls.leave_stream(self.id))

    def _each(self) -> Generator[ItemResult]:
        schedule = _resuming(self._wire, "POST /api/stream/execute")
        while True:
            try:
                with closing(self._some()) as some:
                    for result in some:
                        schedule.begin_anew()
                        yield result
                if self._progress.ended:
                    return
                raise self._progress.broken_off()
            except ClientError as error:
                if self.id is None and self._begin is not None and not self._begin[1].repeatable_after(error):
                    raise
                wait = schedule.wait_after(error)
            time.sleep(wait)

    def _some(self) -> Generator[ItemResult]:
        self._progress.begin()
        with self._connected() as going:
            if going.parts is None:  # the last event had come already
                self._progress.ended = True
                return
            self._progress.located(going.location)
            for part in going.parts:
                yield from self._progress.feed(part)
                if self._progress.ended:
                    return

    def _connected(self) -> AbstractContextManager[Going]:
        if self.id is None and self._begin is not None:
            return self._wire.converse(*self._begin)
        return self._wire.open(calls.events(self.id or "", self._progress.last_event_id))


def _resuming(wire: Wire, what: str) -> Schedule:
    return Schedule(wire.settings.resume, what, wire.settings.on_retry)
