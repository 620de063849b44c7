"""The event loop's clock, put forward: what a limit ends is ended at once, and only when the test wants it."""

from __future__ import annotations

import asyncio

__all__ = ["put_forward"]


def put_forward(seconds: float) -> None:
    """Let the running loop, one written in Python that ends with its test, believe that so much time has passed."""
    loop = asyncio.get_running_loop()
    now = loop.time
    loop.time = lambda: now() + seconds
