"""A log that tests read. Imports nothing of Hotplane."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["FakeLog", "Line"]


@dataclass(frozen=True, slots=True)
class Line:
    """One call of the logger."""

    level: str
    event: str
    values: dict[str, object] = field(default_factory=dict[str, object])


class FakeLog:
    """Keeps what a plugin logs; it is a `hotplane.plugins.Logger`."""

    def __init__(self) -> None:
        self.lines: list[Line] = []

    def events(self, level: str | None = None) -> list[str]:
        """Return what was logged, at one level or at all of them."""
        return [line.event for line in self.lines if level in (None, line.level)]

    def debug(self, event: str, **values: object) -> None:
        """Keep a line of the level ``debug``."""
        self.lines.append(Line("debug", event, values))

    def info(self, event: str, **values: object) -> None:
        """Keep a line of the level ``info``."""
        self.lines.append(Line("info", event, values))

    def warning(self, event: str, **values: object) -> None:
        """Keep a line of the level ``warning``."""
        self.lines.append(Line("warning", event, values))

    def error(self, event: str, **values: object) -> None:
        """Keep a line of the level ``error``."""
        self.lines.append(Line("error", event, values))

    def exception(self, event: str, **values: object) -> None:
        """Keep a line of the level ``exception``."""
        self.lines.append(Line("exception", event, values))
