"""Connecting a plain socket to the first of several addresses that answers. Imports nothing of Hotplane."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence

__all__ = ["open_socket"]


async def open_socket(addresses: Sequence[str], port: int, timeout: float) -> socket.socket:
    """Return a connected, non-blocking socket.

    The addresses are tried in their order; each has an equal part of the time that is left, so that a silent one
    leaves time for the next.

    Args:
        addresses: At least one, as numbers: nothing is looked up here.
        port: The port.
        timeout: Seconds for all of them.

    Raises:
        TimeoutError: The last one was silent.
        OSError: The last one refused.
    """
    clock = asyncio.get_running_loop().time
    ends_at = clock() + timeout
    failure: OSError = TimeoutError()
    for left, address in zip(range(len(addresses), 0, -1), addresses, strict=True):
        try:
            async with asyncio.timeout((ends_at - clock()) / left):
                return await _connect(address, port)
        except OSError as error:  # TimeoutError is one
            failure = error
    raise failure


async def _connect(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        made.setblocking(False)
        await asyncio.get_running_loop().sock_connect(made, (address, port))
    except BaseException:
        made.close()
        raise
    return made
