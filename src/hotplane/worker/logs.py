"""Having everything that a worker's processes log go one way, to standard error. Imports only `log`."""

from __future__ import annotations

from typing import Literal

import structlog

from hotplane import log

__all__ = ["configure"]


def configure(*, style: Literal["console", "json"] = "console", level: str = "INFO") -> None:
    """Print what is logged to standard error, that of loggers which structlog made without ours included.

    Left alone, structlog prints to standard output, which belongs to the line that tells the addresses.

    Args:
        style: ``console`` for people, ``json`` for programs, one object a line.
        level: The least level that is printed.
    """
    log.configure(style=style, level=level)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
