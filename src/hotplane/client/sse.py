"""Server-Sent Events, parsed as the HTML standard says (9.2.6, "Interpreting an event stream"). Imports nothing.

Bytes may be cut anywhere: within a line end, a character, or the byte order mark.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from typing import NamedTuple

__all__ = ["LineTooLong", "ServerSentEvent", "SseParser"]

MAX_BYTES = 64 * 2**20
"""Bytes that one event may have; a server that sends more is not one of ours."""


class LineTooLong(ValueError):
    """An event of the stream is larger than any that a server of ours sends."""


class ServerSentEvent(NamedTuple):
    """One event."""

    event: str
    """Its type; ``message`` where the stream names none."""
    data: str
    id: str
    """The last event id of the stream when the event was dispatched; it stays until another is given."""


class SseParser:
    """Turns the bytes of one stream into events.

    Args:
        max_bytes: The largest event.
    """

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")(errors="replace")
        self._max = max_bytes
        self._line: list[str] = []
        self._after_cr = False
        self._event = ""
        self._data: list[str] = []
        self._id = ""
        self._size = 0
        self.last_event_id = ""
        """What a reconnecting client sends as ``Last-Event-ID``."""
        self.retry_ms: int | None = None
        """How long the server wants clients to wait before they come back."""

    def feed(self, data: bytes) -> Iterator[ServerSentEvent]:
        """Yield the events that are complete with these bytes.

        Raises:
            LineTooLong: An event is larger than the limit.
        """
        self._size += len(data)
        for line in self._lines(self._decoder.decode(data)):
            event = self._take(line)
            if event is not None:
                yield event
        if self._size > self._max:
            raise LineTooLong(f"an event has more than {self._max} bytes")

    def _lines(self, text: str) -> Iterator[str]:
        if self._after_cr and text:
            text = text.removeprefix("\n")  # the second half of a CRLF
            self._after_cr = False
        start = 0
        while (end := _line_end(text, start)) >= 0:
            self._line.append(text[start:end])
            yield "".join(self._line)
            self._line.clear()
            start = end + (2 if text.startswith("\r\n", end) else 1)
            self._after_cr = text.endswith("\r") and start == len(text)
        if start < len(text):
            self._line.append(text[start:])

    def _take(self, line: str) -> ServerSentEvent | None:
        if not line:
            return self._dispatch()
        name, _, value = line.partition(":")
        if name:
            self._field(name, value.removeprefix(" "))
        return None

    def _field(self, name: str, value: str) -> None:
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._event = value
        elif name == "id" and "\0" not in value:
            self._id = value
        elif name == "retry" and value.isascii() and value.isdigit():
            self.retry_ms = int(value[:9])

    def _dispatch(self) -> ServerSentEvent | None:
        event, data = self._event or "message", self._data
        self._event, self._data, self._size = "", [], 0
        self.last_event_id = self._id  # only now: an event that was cut off has not been received
        return ServerSentEvent(event, "\n".join(data), self.last_event_id) if data else None


def _line_end(text: str, start: int) -> int:
    """Return where the next CR or LF is; only those end a line, other than for `str.splitlines`."""
    carriage, feed = text.find("\r", start), text.find("\n", start)
    return max(carriage, feed) if carriage < 0 or feed < 0 else min(carriage, feed)
