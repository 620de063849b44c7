"""Workers as child processes, and the program that keeps a ledger of its runs. Imports nothing of Hotplane."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

__all__ = ["MODULE", "Worker", "read_ledger", "start_worker", "write_program"]

COMMAND = str(Path(sys.executable).with_name("hotplane"))
READY_WITHIN = 60.0
MODULE = "ledgered"
PROGRAM = '''
import asyncio
import os

def note(value, word):
    """Append one line in one write: O_APPEND makes it whole, whichever process writes."""
    file = os.open(value["ledger"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(file, f"{value['id']} {word}\\n".encode())
    finally:
        os.close(file)

async def work(value):
    note(value, "began")
    try:
        while "until" in value and not os.path.exists(value["until"]):
            await asyncio.sleep(0.005)
        await asyncio.sleep(value["seconds"])
    except asyncio.CancelledError:
        note(value, "cancelled")
        raise
    return value["id"]
'''


@dataclass
class Worker:
    """A running worker."""

    process: subprocess.Popen[str]
    endpoint: str
    url: str

    @property
    def port(self) -> int:
        """Where it speaks Valkyrie."""
        return int(self.endpoint.rpartition(":")[2])

    @property
    def http_port(self) -> int:
        """Where it speaks HTTP."""
        return int(self.url.rstrip("/").rpartition(":")[2])

    def freeze(self) -> None:
        """Let it do nothing more, and keep its connections."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it as the system does when memory is short, and wait until it is gone."""
        self.process.kill()
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()


def write_program(folder: Path) -> None:
    """Write the module that workers and hosts run."""
    (folder / f"{MODULE}.py").write_text(PROGRAM, "utf-8")


def start_worker(folder: Path, *arguments: str, listen: str = "tcp://127.0.0.1:0") -> Worker:
    """Start a worker, and wait for the line that tells its addresses.

    Raises:
        RuntimeError: It did not come up; the message has its log.
    """
    log_file = folder / "worker.log"
    with log_file.open("a") as log:
        process = subprocess.Popen(
            [COMMAND, "worker", "--listen", listen, "--http", "127.0.0.1:0", "--programs", MODULE, *arguments],
            cwd=folder, env=_environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True,
        )  # fmt: skip
    assert process.stdout is not None
    select.select([process.stdout], [], [], READY_WITHIN)
    found = re.fullmatch(r"Hotplane worker is ready at (\S+) and (\S+)\n", process.stdout.readline())
    if found is None:
        process.kill()
        process.communicate()
        raise RuntimeError(f"the worker did not come up: {log_file.read_text('utf-8')}")
    return Worker(process, found[1], found[2])


def read_ledger(ledger: Path, word: str = "began") -> Counter[str]:
    """Return how often each execution came to this point in the program."""
    text = ledger.read_text("utf-8") if ledger.exists() else ""
    lines = (line.partition(" ") for line in text.splitlines())
    return Counter(name for name, _, said in lines if said == word)


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("HOTPLANE_")}
