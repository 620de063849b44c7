"""Reading a file of messages. Imports only `failure` and msgspec."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from examples.demo.failure import DemoFailed

__all__ = ["Message", "read_messages"]


class Message(msgspec.Struct, frozen=True):
    """A line of the file, and, encoded, the body of its request.

    A line's `id` is left out on purpose: the host mints one, so that sampling is by the host's own ids.
    """

    input: Any
    expected: Any | msgspec.UnsetType = msgspec.UNSET


def read_messages(path: Path) -> list[Message]:
    """Return the messages of a file of JSON lines ``{"input", "expected"?}``; blank lines are skipped.

    Raises:
        DemoFailed: The file cannot be read, has no message, or one of its lines is not a message; the text
            names the line.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise DemoFailed(f"The input {path} cannot be read: {error.strerror or error}.") from error
    decoder = msgspec.json.Decoder(Message)
    messages: list[Message] = []
    for number, line in enumerate(lines, start=1):
        if line.strip():
            messages.append(_decode(decoder, line, f"{path}:{number}"))
    if not messages:
        raise DemoFailed(f"The input {path} holds no messages.")
    return messages


def _decode(decoder: msgspec.json.Decoder[Message], line: bytes, place: str) -> Message:
    try:
        return decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        wanted = 'Every line is a JSON object like {"input": {"text": "…"}, "expected": "ham"}.'
        raise DemoFailed(f"{place}: {error}. {wanted}") from error
