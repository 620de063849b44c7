"""What both our HTTP servers, the host's and the worker's, have of uvicorn: connections and the header Date.

Imports nothing of Hotplane. It needs the extra `server`, so that nothing imports it but those two.
"""

from __future__ import annotations

from collections.abc import Callable
from email.utils import formatdate
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

__all__ = ["connections", "renew_date"]

_KEEP_ALIVE_SECONDS = 60


def connections(
    application: ASGIApp, kind: type[HttpToolsProtocol], state: ServerState, **limits: object
) -> Callable[[], HttpToolsProtocol]:
    """Return the factory of a server's connections.

    Args:
        application: What answers.
        kind: What a connection is.
        state: What uvicorn counts in: open connections, tasks that answer, headers for every answer.
        limits: Attributes of every connection.
    """
    config = uvicorn.Config(
        application,
        http=kind,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="error",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
    )
    config.load()
    limited: Any = type("LimitedConnection", (kind,), limits)
    shared: dict[str, Any] = {}
    return lambda: limited(config=config, server_state=state, app_state=shared)


def renew_date(state: ServerState) -> None:
    """Have the answers from now on tell the present second; to be called once in each."""
    state.default_headers = [(b"date", formatdate(usegmt=True).encode())]
