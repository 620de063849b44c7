"""A port on which nobody listens, and requests that nobody answers."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from hotplane.network import NoAnswer, OutboundClient

_TRIES = 20


@pytest.fixture
def unused_url() -> Iterator[str]:
    """Give the URL of a port that is taken, so that nobody else gets it, and not listened on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


async def unanswered(client: OutboundClient, method: str, url: str, timeout: float) -> NoAnswer:
    """Return how a request ends that nobody answers; the first whose time is not over before it is connected."""
    for tries_left in reversed(range(_TRIES)):
        with pytest.raises(NoAnswer) as silent:
            await client.request(method, url, timeout=timeout)
        if silent.value.sent or not tries_left:
            return silent.value
    raise AssertionError
