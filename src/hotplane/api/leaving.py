"""What every answer that goes on for long has to do when its client leaves. Imports only `bodies`' types."""

from __future__ import annotations

import asyncio
from typing import Any

from hotplane.api.bodies import Receive

__all__ = ["disconnected", "end_tasks"]


async def disconnected(receive: Receive) -> None:
    """Return when the client has left."""
    while (await receive())["type"] != "http.disconnect":
        continue


async def end_tasks(*tasks: asyncio.Future[Any]) -> None:
    """Cancel what still runs, and wait until it has ended."""
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
