"""A Hotplane server as a child process. Imports only `child`, httpx2 and the standard library."""

from __future__ import annotations

import re
from collections.abc import Sequence
from http import HTTPStatus
from pathlib import Path

import httpx2

from examples.demo.child import ROOT, Child

__all__ = ["ROOT", "Server"]

_ANNOUNCED = re.compile(r"ready at (http://\S+)\s")


class Server(Child):
    """``hotplane serve`` in a process of its own, ready inside ``async with``.

    Args:
        config: The configuration file.
        folder: Where the store and the log go.
        port: The port to listen on; 0 for any free one.
    """

    def __init__(self, config: Path, folder: Path, port: int = 0) -> None:
        super().__init__("server", folder)
        self._config = config
        self._port = port
        self.url = ""
        """Where it is reached; known inside ``async with``."""
        self.store = folder / "demo.db"

    def arguments(self) -> Sequence[str]:
        """Return the arguments of ``hotplane``."""
        return ("serve", "--config", str(self._config), "--store", str(self.store), "--port", str(self._port))

    async def is_ready(self, said: str) -> bool:
        """Ask at the address that the process itself printed: another server may listen anywhere else."""
        announced = _ANNOUNCED.search(said)
        if announced is None:
            return False
        self.url = announced[1]
        async with httpx2.AsyncClient(trust_env=False, timeout=2.0) as client:
            try:
                return (await client.get(f"{self.url}/readyz")).status_code == HTTPStatus.OK
            except httpx2.TransportError:
                return False
