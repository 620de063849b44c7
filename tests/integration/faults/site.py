"""What all cases share: two workers, and what is opened for one case alone. Imports only this harness."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, TypeAlias

from tests.integration.faults.gate import Gate
from tests.integration.faults.processes import Worker, start_worker, write_program
from tests.integration.faults.results import Result
from tests.integration.faults.scene import CALLERS, Load, open_host

__all__ = ["Play", "Site", "open_site"]

_SECRET = "0123456789abcdef0123456789abcdef"


@dataclass(frozen=True)
class Site:
    """Where a case takes place."""

    folder: Path
    worker: Worker
    """Serves Valkyrie to every case that does it no harm; it asks for the secret."""
    standby: Worker
    """Serves HTTP to every case."""

    @property
    def secret(self) -> Path:
        """The file with the secret."""
        return self.folder.parent / "secret"

    @property
    def ledger(self) -> Path:
        """Where the program notes its runs."""
        return self.folder / "ledger"

    def of_its_own(self) -> Site:
        """Return the same place with a folder of its own."""
        folder = Path(mkdtemp(dir=self.folder.parent))
        write_program(folder)
        return replace(self, folder=folder)

    async def start_worker(self, *arguments: str, listen: str = "tcp://127.0.0.1:0") -> Worker:
        """Start a worker that the case ends itself."""
        return await asyncio.to_thread(start_worker, self.folder, *arguments, listen=listen)

    @asynccontextmanager
    async def gate(self, target: int | None = None) -> AsyncGenerator[Gate]:
        """Open a gate, to the shared worker by default."""
        gate = Gate(self.worker.port if target is None else target)
        await gate.open()
        try:
            yield gate
        finally:
            await gate.end()

    @asynccontextmanager
    async def load(
        self,
        case: str,
        endpoint: str,
        *,
        http: str | None = None,
        primary: str = "valkyrie",
        callers: int = CALLERS,
        **settings: Any,
    ) -> AsyncGenerator[Load]:
        """Open a host under load; its HTTP worker is the standby by default."""
        async with (
            open_host(self.folder, endpoint=endpoint, http=http or self.standby.url, **settings) as host,
            Load(host, self.ledger, case, primary, callers) as load,
        ):
            yield load

    @asynccontextmanager
    async def gated(self, case: str, **valkyrie: Any) -> AsyncGenerator[tuple[Load, Gate]]:
        """Open a gate and a host that goes through it."""
        async with (
            self.gate() as gate,
            self.load(case, f"tcp://127.0.0.1:{gate.port}", secret_file=str(self.secret), **valkyrie) as load,
        ):
            yield load, gate


Play: TypeAlias = Callable[[Site], Coroutine[None, None, Result]]
"""A case: what happens at a place, and what came of it."""


@contextmanager
def open_site(folder: Path) -> Generator[Site]:
    """Start the workers that cases share, and end them."""
    write_program(folder)
    secret = folder / "secret"
    secret.write_text(_SECRET)
    secret.chmod(0o600)
    shared = folder / "shared"
    shared.mkdir()
    worker = start_worker(folder, "--secret-file", str(secret))
    try:
        standby = start_worker(folder)
        try:
            yield Site(shared, worker, standby)
        finally:
            standby.kill()
    finally:
        worker.kill()
