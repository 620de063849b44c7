"""A real PostgreSQL server for the session, and stores on both kinds of database."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from hotplane.identity import new_id
from hotplane.records import Event, EventType, Execution, ExecutionStatus, Severity, now
from hotplane.storage import StorageSettings, Store

_numbers = count()


class PostgresServer:
    """A server in a temporary folder, reached by its Unix socket, as a user that is not root."""

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        self.folder = Path(tempfile.mkdtemp(prefix="hotplane-pg-"))
        # None keeps the present user.
        self._user: int | None = None
        self._groups: list[int] | None = None
        if os.geteuid() == 0:
            user = pwd.getpwnam("nobody")
            os.chown(self.folder, user.pw_uid, user.pw_gid)
            self._user, self._groups = user.pw_uid, []

    def start(self) -> None:
        data = self.folder / "data"
        self._run("initdb", "-D", str(data), "-U", "hotplane", "-A", "trust", "-N", "-E", "UTF8", "--locale=C")
        fast = [part for option in ("fsync=off", "full_page_writes=off") for part in ("-c", option)]
        arguments = ["-D", str(data), "-k", str(self.folder), "-c", "listen_addresses=", *fast]
        log = (self.folder / "log").open("wb")
        with log:
            self._process = subprocess.Popen(
                [str(self._programs / "postgres"), *arguments],
                stdout=log,
                stderr=log,
                cwd=self.folder,
                user=self._user,
                group=self._user,
                extra_groups=self._groups,
            )
        deadline = time.monotonic() + 120
        while self._run("pg_isready", "-h", str(self.folder), check=False).returncode:
            assert time.monotonic() < deadline, (self.folder / "log").read_text()
            assert self._process.poll() is None, (self.folder / "log").read_text()
            time.sleep(0.05)

    def stop(self) -> None:
        self._process.send_signal(signal.SIGINT)
        self._process.wait(120)
        shutil.rmtree(self.folder)

    def new_database(self) -> str:
        """Return the address of a new, empty database."""
        name = f"test{next(_numbers)}"
        self.execute(f"CREATE DATABASE {name} STRATEGY file_copy")
        return f"postgresql://hotplane:secret@/{name}?host={self.folder}"

    def execute(self, statement: str, database: str = "postgres") -> None:
        import psycopg

        address = f"postgresql://hotplane@/{database}?host={self.folder}"
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute(statement.encode())

    def _run(self, program: str, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[bytes]:
        command = [str(self._programs / program), *arguments]
        return subprocess.run(
            command,
            check=check,
            capture_output=True,
            cwd=self.folder,
            user=self._user,
            group=self._user,
            extra_groups=self._groups,
        )


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A running server."""
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    if not installed:
        pytest.skip("PostgreSQL server is not installed")
    server = PostgresServer(installed[-1])
    server.start()
    yield server
    server.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a new store, once of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.db'}"
    return request.getfixturevalue("postgres").new_database()


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    """An open store, once of each kind."""
    opened = await Store.open(StorageSettings(url=url))
    yield opened
    await opened.close()


@pytest.fixture
def execution() -> Callable[..., Execution]:
    """Makes executions: by default a successful one with an id of its own."""

    def make(**fields: object) -> Execution:
        values: dict[str, object] = {
            "id": new_id(),
            "task_id": "spam",
            "program": "examples.spam:detect",
            "status": ExecutionStatus.SUCCESS,
            "input": {"text": "win a prize"},
            "started_at": now(),
        }
        return Execution(**(values | fields))  # pyright: ignore[reportArgumentType]

    return make


@pytest.fixture
def event() -> Callable[..., Event]:
    """Makes events: by default that an execution completed."""

    def make(**fields: object) -> Event:
        values: dict[str, object] = {
            "id": new_id(),
            "type": EventType.PROGRAM_EXECUTION_COMPLETED,
            "time": now(),
            "severity": Severity.INFO,
        }
        return Event(**(values | fields))  # pyright: ignore[reportArgumentType]

    return make
