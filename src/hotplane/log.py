"""Logging: structured, through the standard library, so that an embedding program keeps control of it.

Imports nothing of Hotplane. Loggers write to the standard logger ``hotplane``; only the command line calls
`configure`, which prints to standard error.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Generator, MutableMapping
from contextlib import contextmanager
from typing import Any, Literal, cast

import structlog
from structlog.typing import WrappedLogger

__all__ = ["capture_logs", "configure", "get_logger"]

_FIELDS = "hotplane_fields"
_ROOT = "hotplane"
_CHATTY = ("alembic", "asyncio")
"""Libraries whose INFO lines tell an operator nothing."""


def get_logger(**bound: object) -> structlog.stdlib.BoundLogger:
    """Return a logger that adds `bound` to everything it says."""
    logger = structlog.wrap_logger(
        logging.getLogger(_ROOT),
        processors=[structlog.stdlib.filter_by_level, _to_record],
        wrapper_class=structlog.stdlib.BoundLogger,
        context_class=dict,
    )
    return cast("structlog.stdlib.BoundLogger", logger.bind(**bound))


def configure(*, style: Literal["console", "json"] = "console", level: str = "INFO") -> None:
    """Print what is logged to standard error.

    Args:
        style: ``console`` for people, ``json`` for programs, one object a line.
        level: The least level that is printed: DEBUG, INFO, WARNING, ERROR or CRITICAL.
    """
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if style == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                _without_nulls,
                renderer,
            ],
            foreign_pre_chain=[
                _from_record,
                structlog.stdlib.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    for chatty in _CHATTY:
        logging.getLogger(chatty).setLevel(max(logging.WARNING, logging.getLogger().level))


def _without_nulls(logger: WrappedLogger, name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Leave out what has no value: `reason=None` tells nobody anything."""
    del logger, name
    return {key: value for key, value in event.items() if value is not None}


@contextmanager
def capture_logs() -> Generator[list[dict[str, Any]]]:
    """Collect what is logged, for tests: a dictionary each, with ``event``, ``log_level`` and the fields."""
    logger, handler = logging.getLogger(_ROOT), _Collector()
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        yield handler.collected
    finally:
        logger.setLevel(before)
        logger.removeHandler(handler)


class _Collector(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.collected: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        fields: dict[str, Any] = getattr(record, _FIELDS, {"event": record.getMessage()})
        self.collected.append({**fields, "log_level": record.levelname.lower()})


def _to_record(
    logger: WrappedLogger, method: str, event: MutableMapping[str, Any]
) -> tuple[tuple[str], dict[str, Any]]:
    del logger, method
    fields = dict(event)
    exc_info = fields.pop("exc_info", None)
    message = str(fields.pop("event", ""))
    text = " ".join([message, *(f"{name}={value!r}" for name, value in fields.items())])
    return (text.replace("%", "%%"),), {"exc_info": exc_info, "extra": {_FIELDS: {"event": message, **fields}}}


def _from_record(logger: WrappedLogger, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    del logger, method
    fields = getattr(event.get("_record"), _FIELDS, None)
    if fields is not None:
        event.update(fields)
    return event
