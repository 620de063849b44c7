"""The HTTP edge: one application over a host, and the server that runs it. Nothing below this room imports it."""

from __future__ import annotations

from hotplane.errors import MissingExtra

try:
    import fastapi  # noqa: F401  # pyright: ignore[reportUnusedImport] - asked for its presence only
    import httptools  # noqa: F401  # pyright: ignore[reportUnusedImport]
    import uvicorn  # noqa: F401  # pyright: ignore[reportUnusedImport]
except ModuleNotFoundError as missing:
    raise MissingExtra("The HTTP server", "server") from missing

from hotplane.api.application import create_app
from hotplane.api.server import Server, serve

__all__ = ["Server", "create_app", "serve"]
