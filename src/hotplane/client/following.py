"""How far results have come, apart from how they are fetched. Imports only its own room.

Both clients feed bytes in and get results out, each once and in order, however often the connection is lost.
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import unquote

import msgspec
from msgspec import Struct

from hotplane.client.answers import decoded, problem_of
from hotplane.client.failures import ApiError, ConnectionLost, NotHotplane, UploadIncomplete
from hotplane.client.results import Batch, ItemResult
from hotplane.client.sse import LineTooLong, ServerSentEvent, SseParser

__all__ = ["ResultLines", "StreamProgress"]

MAX_LINE = 64 * 2**20

_result = msgspec.json.Decoder(ItemResult)


class ResultLines:
    """The results of a batch, line by line.

    Args:
        address: The server's, for errors.
        after: The cursor of the last result that the caller has.
    """

    def __init__(self, address: str, after: int = 0) -> None:
        self._address = address
        self._rest = bytearray()
        self.after = after
        """The cursor of the last result that was given out."""

    def begin(self) -> None:
        """Forget the half of a line that a lost connection has left."""
        self._rest.clear()

    def feed(self, data: bytes) -> Iterator[ItemResult]:
        """Yield the results that are complete with these bytes.

        Raises:
            NotHotplane: A line is no result.
        """
        self._rest += data
        *lines, rest = self._rest.split(b"\n") if b"\n" in data else [self._rest]
        self._rest = rest
        if len(rest) > MAX_LINE:
            raise NotHotplane(self._address, "a result is longer than any of ours")
        for line in lines:
            found = self._read(line) if line.strip() else None
            if found is not None and found.sequence > self.after:
                self.after = found.sequence
                yield found

    def _read(self, line: bytearray) -> ItemResult:
        return _decoded(self._address, line)


class _Begun(Struct, frozen=True):
    """What the first event of a stream holds."""

    id: str


class StreamProgress:
    """What has come of a stream.

    Args:
        address: The server's, for errors.
        stream_id: Where the stream exists already.
        after: The cursor of the last result that the caller has.
    """

    def __init__(self, address: str, stream_id: str | None = None, after: int = 0) -> None:
        self._address = address
        self._parser = SseParser()
        self.id = stream_id
        """Null until the server has told it."""
        self.after = after
        """The cursor of the last result that was given out."""
        self.batch: Batch | None = None
        """How the stream stood when the server last told."""
        self._problem: ApiError | NotHotplane | None = None
        self.ended = False
        """Whether the last event has come."""

    @property
    def last_event_id(self) -> str:
        """What a client that comes back sends; empty before the first result."""
        return str(self.after) if self.after else ""

    def located(self, location: str | None) -> None:
        """Take the stream's id from where the answer says that it is, before the first event."""
        if self.id is None and location is not None:
            self.id = unquote(location.rstrip("/").rpartition("/")[2])

    def begin(self) -> None:
        """Forget the half of an event that a lost connection has left."""
        self._parser = SseParser()

    def feed(self, data: bytes) -> Iterator[ItemResult]:
        """Yield the results that are complete with these bytes.

        Raises:
            NotHotplane: These are no events of ours.
        """
        try:
            for event in self._parser.feed(data):
                found = self._take(event)
                if found is not None:
                    yield found
        except LineTooLong as error:
            raise NotHotplane(self._address, str(error)) from None

    def broken_off(self) -> ConnectionLost:
        """Return the error that an answer means which ended before the stream did."""
        return ConnectionLost(self._address, "the stream of results ended too early")

    def check_upload(self) -> None:
        """Raise what the server found wrong with the upload, or `UploadIncomplete` where it has not got all items."""
        if self._problem is not None:
            raise self._problem
        if self.batch is not None and self.batch.truncated:
            raise UploadIncomplete(self.batch.id, self.batch.items)

    def _take(self, event: ServerSentEvent) -> ItemResult | None:
        if event.event == "result":
            return self._new(_decoded(self._address, event.data))
        if event.event in {"progress", "end"}:
            self.batch = decoded(self._address, event.data, Batch)
            self.ended = self.ended or event.event == "end"
        elif event.event == "problem":
            self._problem = problem_of(self._address, event.data)
        elif event.event == "stream":
            self.id = decoded(self._address, event.data, _Begun).id
        return None

    def _new(self, found: ItemResult) -> ItemResult | None:
        if found.sequence <= self.after:
            return None
        self.after = found.sequence
        return found


def _decoded(address: str, data: bytearray | str) -> ItemResult:
    try:
        return _result.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise NotHotplane(address, f"a result cannot be read ({error})") from None
