"""A way out that leads nowhere: it keeps requests and answers what a test says. Imports `plugins` and `network`."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass, field

from hotplane.network import NoConnection

__all__ = ["FakeAnswer", "FakeOutbound", "Request"]


@dataclass(frozen=True, slots=True)
class FakeAnswer:
    """What a server answers; it is a `hotplane.plugins.HttpAnswer`."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    """By name in lower case."""
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Request:
    """What a plugin sent."""

    method: str
    url: str
    headers: Mapping[str, str]
    """By name in lower case."""
    body: bytes


class FakeOutbound:
    """Keeps what plugins send; it is a `hotplane.plugins.Outbound`. Nothing leaves the process.

    Args:
        answer: Given to every request; an exception is raised instead.
    """

    def __init__(self, answer: FakeAnswer | Exception | None = None) -> None:
        self.answer: FakeAnswer | Exception = answer or FakeAnswer()
        self.requests: list[Request] = []
        self.connections: list[tuple[str, int]] = []

    @property
    def used(self) -> bool:
        """Whether anything was asked of it."""
        return bool(self.requests or self.connections)

    def forget(self) -> None:
        """Forget what was asked so far."""
        self.requests.clear()
        self.connections.clear()

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        timeout: float | None = None,
    ) -> FakeAnswer:
        """Keep the request and give the answer."""
        del timeout
        lower = {name.lower(): value for name, value in (headers or {}).items()}
        self.requests.append(Request(method, url, lower, body or b""))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    async def connect(self, host: str, port: int, *, timeout: float | None = None) -> socket.socket:
        """Keep the address and refuse.

        Raises:
            NoConnection: Always; a protocol other than HTTP needs a real server.
        """
        del timeout
        self.connections.append((host, port))
        raise NoConnection(f"{host}:{port}", "this test lets nothing out")
