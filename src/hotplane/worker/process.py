"""One child process for CPU-bound programs: started, called, killed. Imports only `valkyrie` and its own room."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
from asyncio.subprocess import PIPE, Process
from contextlib import suppress
from pathlib import Path
from tempfile import mkdtemp

import msgspec

from hotplane.valkyrie import (
    CallCancelled,
    ClientSettings,
    Connection,
    ConnectionLost,
    DeadlineExceeded,
    PeerOverloaded,
    ProgramFailed,
    ValkyrieError,
    connect,
)
from hotplane.worker.child import LOAD, READY, ChildOptions
from hotplane.worker.cpu_bound import CpuBound
from hotplane.worker.failures import ProcessesDidNotStart
from hotplane.worker.running import RUN
from hotplane.worker.settings import WorkerSettings

__all__ = ["ChildGone", "ChildProcess"]

_MAIN = "from hotplane.worker.child import main; main()"
_START_SECONDS = 60.0
"""Importing the modules that are known beforehand included."""
_LOAD_SECONDS = 60.0
"""The import's own limit in the process is shorter."""
_LAST_WORDS_SECONDS = 5.0
"""How long a process may take to end after its connection did, until it is killed."""
_HOURLY = 3600.0
"""Pings tell nothing here: native code may hold the interpreter until its deadline, and death closes the socket."""


class ChildGone(Exception):
    """The process had ended before it got the call, so that another one may have it."""


class ChildProcess:
    """A process that serves one call at a time; `start` makes it."""

    def __init__(self, process: Process, connection: Connection) -> None:
        self._process = process
        self._connection = connection
        self._killed = False
        self._loaded: set[str] = set()
        self._loading: asyncio.Task[None] | None = None

    @classmethod
    async def start(cls, settings: WorkerSettings) -> ChildProcess:
        """Start a process and connect to it.

        The socket is in a folder of its own that only this user can enter, and gone as soon as it is connected.

        Raises:
            ProcessesDidNotStart: It ended, or did not serve in time.
        """
        folder = Path(mkdtemp(prefix="hotplane-"))
        process: Process | None = None
        try:
            async with asyncio.timeout(_START_SECONDS):
                process = await _spawn(settings, folder / "s")
                await _await_ready(process)
                return cls(process, await connect(f"unix://{folder / 's'}", _client_settings(settings)))
        except BaseException as error:
            if process is not None:
                await asyncio.shield(_end(process))
            if isinstance(error, OSError | ValkyrieError):  # TimeoutError is an OSError
                reason = str(error) or f"it did not serve within {_START_SECONDS:g} s"
                raise ProcessesDidNotStart(reason) from None
            raise
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def usable(self) -> bool:
        """Whether it can be called."""
        return not self._killed and self._connection.usable and self._process.returncode is None

    @property
    def loading(self) -> asyncio.Task[None] | None:
        """The import that it is busy with, also when nobody waits for it any more."""
        return self._loading

    async def call(self, spec: str, payload: bytes, seconds: float, trace: str | None) -> bytes:
        """Run a program in it. A call that overruns, or that nobody waits for any more, costs the process its life.

        That does not hold while the program is only imported: an import that outlasts a call serves the next one.

        Raises:
            ProgramFailed: The program raised, or its process died.
            DeadlineExceeded: The deadline passed.
            ChildGone: The process had ended before.
            CallFailed: What else the process answers; see `InProcess.run`.
        """
        clock = asyncio.get_running_loop().time
        ends_at = clock() + seconds
        if spec not in self._loaded:
            await self._load(spec, seconds)
        try:
            return await self._exchange(spec, RUN, payload, ends_at - clock(), trace)
        except (DeadlineExceeded, CallCancelled, PeerOverloaded, asyncio.CancelledError):
            # It serves one call at a time, so that it can be overloaded only by what hangs in it.
            self.kill()
            raise

    async def _load(self, spec: str, seconds: float) -> None:
        self._loading = loading = asyncio.create_task(self._import(spec))
        loading.add_done_callback(self._note_loaded)
        await asyncio.wait((loading,), timeout=seconds)
        if not loading.done():
            raise DeadlineExceeded("the program was still being imported", executed="no")
        loading.result()

    async def _import(self, spec: str) -> None:
        if await self._exchange(spec, LOAD, b"", _LOAD_SECONDS, None) == b"true":
            self._loaded.add(spec)

    def _note_loaded(self, loading: asyncio.Task[None]) -> None:
        self._loading = None
        if not loading.cancelled() and loading.exception() is not None:
            self.kill()

    async def _exchange(self, spec: str, method: str, payload: bytes, seconds: float, trace: str | None) -> bytes:
        try:
            return await self._connection.call(spec, method, payload, seconds, trace)
        except ConnectionLost as lost:
            if lost.executed == "no":
                self.kill()
                raise ChildGone from None
        raise ProgramFailed(await self._epitaph(), type="ProcessDied")

    def kill(self) -> None:
        """End it and everything it started, at once."""
        self._killed = True
        _kill(self._process)

    async def ended(self) -> int:
        """Wait for its end and return its exit status, negative for a signal's number."""
        code = await self._process.wait()
        self._connection.close()
        return code

    async def close(self) -> None:
        """Kill it and wait for its end."""
        self._connection.close()
        await _end(self._process)

    async def _epitaph(self) -> str:
        with suppress(TimeoutError):  # it closed its socket and lives on
            async with asyncio.timeout(_LAST_WORDS_SECONDS):
                return f"the process that ran the program died: {_cause(await self._process.wait())}"
        self.kill()
        return "the process that ran the program closed its connection"


async def _spawn(settings: WorkerSettings, socket: Path) -> Process:
    options = ChildOptions(
        parent=os.getpid(),
        socket=str(socket),
        allow=settings.programs,
        paths=tuple(entry for entry in sys.path if entry),
        preload=CpuBound(settings.cpu_bound).named_modules(settings.programs),
        max_frame_bytes=settings.max_body_bytes,
        log_format=settings.log_format,
    )
    command = (sys.executable, "-P", "-c", _MAIN, msgspec.json.encode(options).decode())
    # Its own session: Ctrl-C at a terminal is for the worker, and a kill reaches what its programs started.
    return await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, start_new_session=True)


async def _await_ready(process: Process) -> None:
    assert process.stdout is not None  # noqa: S101 - it was asked for
    said = await process.stdout.readline()
    if said != READY:
        raise ProcessesDidNotStart(said.decode(errors="replace") or f"it ended ({_cause(await process.wait())})")


def _client_settings(settings: WorkerSettings) -> ClientSettings:
    return ClientSettings(
        name="hotplane-worker",
        ping_interval_seconds=_HOURLY,
        max_frame_bytes=settings.max_body_bytes,
        max_buffered_bytes=4 * settings.max_body_bytes,
    )


async def _end(process: Process) -> None:
    _kill(process)
    await process.wait()


def _kill(process: Process) -> None:
    if process.returncode is None:
        with suppress(ProcessLookupError):  # it ended this moment
            os.killpg(process.pid, signal.SIGKILL)


def _cause(code: int) -> str:
    if code >= 0:
        return f"exit status {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"
