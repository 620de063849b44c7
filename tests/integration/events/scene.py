"""What all cases share: a receiver process, a host whose events go there, and the count at the end."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hotplane import Hotplane
from hotplane.events import DeliverySettings
from hotplane.identity import new_id
from hotplane.records import Event, EventType, now

__all__ = [
    "HANDLER", "QUICK", "SECRET", "ReceiverProcess", "Tally", "config_of", "configuration", "counted", "emit",
    "hosted", "until",
]  # fmt: skip

HANDLER = "hook"
SECRET = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
QUICK: Mapping[str, Any] = {
    "schedule_seconds": [0.1] * 60,
    "throttle_seconds": 0.2,
    "timeout_seconds": 60.0,
    "jitter": 0.0,
}
"""The schedule of the cases: the default one, without the waiting."""
BREAKER: Mapping[str, Any] = {"minimum_calls": 5, "window_calls": 20, "open_seconds": 0.2, "open_max_seconds": 0.5}
FOUND_WITHIN = 60.0
PATIENT = 30.0
"""Seconds for an answer that comes: an attempt that is given up in spite of it would be made twice."""


@dataclass(frozen=True)
class Tally:
    """What came of one case."""

    case: str
    sent: int
    received: int
    """Distinct events that the receiver took."""
    lost: int
    duplicated: int
    """Events that it took more than once, by so many."""
    note: str = ""


class ReceiverProcess:
    """A receiver that can be started, changed and ended."""

    def __init__(self, folder: Path, certificate: Path | None = None) -> None:
        self.notes = folder / "received"
        self._folder = folder
        self._certificate = certificate
        self._process: subprocess.Popen[str] | None = None
        self._place = socket.socket()  # bound, not listening: nobody else gets the port while the receiver is down
        self._place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._place.bind(("127.0.0.1", 0))
        self.port = int(self._place.getsockname()[1])
        self.start()

    @property
    def url(self) -> str:
        """Where it takes events."""
        return f"{'http' if self._certificate is None else 'https'}://127.0.0.1:{self.port}/hook"

    def start(self) -> None:
        """Start it; it always has the same port."""
        command = [sys.executable, "-m", "tests.integration.events.receiver", str(self.notes), str(self.port)]
        command += [] if self._certificate is None else [str(self._certificate)]
        log = (self._folder / "receiver.log").open("ab")
        with log:
            self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        assert self._process.stdout is not None
        assert int(self._process.stdout.readline()) == self.port

    def stop(self) -> None:
        """End it; connections to it are refused from now on."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None

    def close(self) -> None:
        """End it for good."""
        self.stop()
        self._place.close()

    def behave(self, kind: str = "ok", **how: Any) -> None:
        """Change what it does: ``ok``, ``hang``, ``status``, ``slow`` or ``endless``."""
        body = json.dumps({"kind": kind, **how}).encode()
        request = urllib.request.Request(self.url.replace("/hook", "/mode"), body, method="POST")
        urllib.request.urlopen(request, timeout=PATIENT).close()

    def received(self) -> Counter[str]:
        """Return how often it took each event."""
        return Counter(self.notes.read_text().split()) if self.notes.exists() else Counter()


def config_of(
    folder: Path, url: str, allow: Sequence[str] = (), limit: float = PATIENT, **delivery: Any
) -> dict[str, Any]:
    """Return the configuration of a host whose task events go to `url`.

    Args:
        folder: Where its database is.
        url: The receiver's.
        allow: Private networks that may be asked.
        limit: Seconds that a request may take.
        delivery: Other settings than those of the cases.
    """
    return {
        "network": {"allow": list(allow)},
        "storage": {"url": f"sqlite:///{folder / 'host.db'}", "synchronous": "NORMAL"},
        "events": {"breaker": dict(BREAKER)},
        "plugins": {
            "webhook_handlers": [
                {
                    "name": HANDLER,
                    "type": "http-webhook-handler",
                    "configuration": configuration(url, limit),
                    "delivery": {**QUICK, **delivery},
                }
            ]
        },
    }  # fmt: skip


def configuration(url: str, limit: float = PATIENT) -> dict[str, Any]:
    """Return the handler's own configuration."""
    return {"url": url, "secrets": [SECRET], "events": ["task.created"], "timeout_seconds": limit}


async def emit(host: Hotplane, count: int, kind: EventType = EventType.TASK_CREATED, **fields: Any) -> list[str]:
    """Store events, and return their ids."""
    made = [Event(id=new_id(), type=kind, time=now(), **fields) for _ in range(count)]
    for start in range(0, count, 500):
        await host.store.append_events(made[start : start + 500])
    return [event.id for event in made]


async def until(condition: Callable[[], object], limit: float = FOUND_WITHIN) -> None:
    """Wait until something, which may be awaited, is so."""
    async with asyncio.timeout(limit):
        while True:
            found = condition()
            if await found if isinstance(found, Awaitable) else found:
                return
            await asyncio.sleep(0.02)


async def counted(
    case: str, receiver: ReceiverProcess, sent: list[str], note: str = "", limit: float = FOUND_WITHIN
) -> Tally:
    """Wait until everything has come, as far as it comes, and count."""
    wanted = set(sent)
    try:
        await until(lambda: wanted <= set(receiver.received()), limit)
        await asyncio.sleep(0.3)  # whatever comes twice has come by then
    except TimeoutError:
        note = f"{note} (gave up waiting)".strip()
    came = receiver.received()
    here = wanted & set(came)
    return Tally(case, len(sent), len(here), len(wanted - here), sum(came[name] - 1 for name in here), note)


@asynccontextmanager
async def hosted(folder: Path, url: str, **options: Any) -> AsyncGenerator[Hotplane]:
    """Open a host whose task events go to `url`; the options are those of `config_of`."""
    async with Hotplane.from_config(config_of(folder, url, **options)) as host:
        yield host


def quick(**changes: Any) -> DeliverySettings:
    """Return the settings of the cases."""
    return DeliverySettings(**{**QUICK, **changes})
