"""`console-webhook-handler`: events on the terminal. Imports only `plugins`, `records` and below."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from typing import Literal, TextIO

import msgspec

from hotplane.plugins import Config, WebhookContext, WebhookHandler
from hotplane.records import Event, PluginMetadata, Severity

__all__ = ["ConsoleConfig", "ConsoleWebhookHandler"]

_COLOURS: Mapping[Severity, str] = {
    Severity.INFO: "36",
    Severity.WARNING: "33",
    Severity.ERROR: "31",
    Severity.CRITICAL: "1;37;41",
}
"""SGR parameters (ECMA-48): cyan, yellow, red, bold white on red."""

_UNSAFE = re.compile(
    "["
    "\x00-\x1f\x7f-\x9f"  # C0, DEL and C1: they drive terminals
    "\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff"  # they reorder or hide text
    "\U000e0000-\U000e007f"  # invisible tags
    "]"
)


class ConsoleConfig(Config):
    """How `console-webhook-handler` writes."""

    stream: Literal["stdout", "stderr"] = "stderr"
    colour: Literal["auto", "always", "never"] = "auto"
    """``auto``: on a terminal, unless NO_COLOR is set or TERM is ``dumb``."""
    pretty: bool = True
    """Whether the payload is indented, or stands on the event's line."""


class ConsoleWebhookHandler(WebhookHandler[ConsoleConfig]):
    """Writes every event as a line for people, coloured by severity, with its payload as JSON."""

    metadata = PluginMetadata(
        name="console-webhook-handler",
        version="0.1.0",
        description="Writes events to the terminal, coloured by severity.",
        author="The Hotplane developers",
    )
    priority = 0
    blocking = True

    def handle(self, event: Event, context: WebhookContext) -> None:
        """Write `event`; in a dry run do everything but write."""
        stream = sys.stdout if self.config.stream == "stdout" else sys.stderr
        text = _encodable(self._text(event, coloured=self._coloured(stream)), stream)
        if context.dry_run:
            return
        # One write, so that events of several threads do not mix.
        stream.write(text)
        stream.flush()

    def _coloured(self, stream: TextIO) -> bool:
        if self.config.colour != "auto":
            return self.config.colour == "always"
        return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb" and stream.isatty()

    def _text(self, event: Event, *, coloured: bool) -> str:
        head = _head(event)
        if coloured:
            head = f"\x1b[{_COLOURS[event.severity]}m{head}\x1b[0m"
        if not event.payload:
            return f"{head}\n"
        encoded = msgspec.json.encode(event.payload)
        if not self.config.pretty:
            return f"{head} {_safe(encoded.decode())}\n"
        lines = msgspec.json.format(encoded, indent=2).decode().split("\n")
        return "\n".join((head, *(f"  {_safe(line)}" for line in lines), ""))


def _head(event: Event) -> str:
    named = (("task", event.task_id), ("execution", event.execution_id), ("program", event.program))
    parts = [
        event.time.isoformat(timespec="milliseconds"),
        event.severity.value.upper(),
        event.type.value,
        *(f"{name}={_safe(value)}" for name, value in named if value is not None),
        f"source={_safe(event.source)}",
    ]
    return " ".join(parts)


def _safe(text: str) -> str:
    """Write what could drive a terminal, or deceive its reader, as JSON escapes."""
    return _UNSAFE.sub(lambda match: _escaped(match[0]), text)


def _escaped(character: str) -> str:
    units = character.encode("utf-16-be")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))


def _encodable(text: str, stream: TextIO) -> str:
    encoding = stream.encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)
