"""Memory, open files, threads and asyncio tasks of the host, once a second, and the line through its memory."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean, median

import aiohttp

from benchmarks.soak.scene import WITNESS, Host

__all__ = ["Line", "Sample", "Watch", "line_through", "typical"]

_PAGE = os.sysconf("SC_PAGESIZE")
_BLOCKS = 20


@dataclass(frozen=True)
class Sample:
    """A host at one instant."""

    at: float
    """Seconds, of a monotonic clock."""
    pid: int
    memory: float
    """MB that are resident."""
    files: int
    threads: int
    tasks: int | None
    """Null when it did not answer in time."""
    objects: int | None = None
    """Objects that the garbage collector knows of; counted at rest only."""


@dataclass(frozen=True)
class Line:
    """How memory grew, in MB per hour, and the standard error of that."""

    slope: float
    error: float


def line_through(samples: Sequence[Sample], blocks: int = _BLOCKS) -> Line | None:
    """Fit a line through memory by least squares; None for too few samples.

    Samples of neighbouring seconds are alike, which would make the error look too small: the line goes through the
    means of blocks of them.
    """
    size = len(samples) // blocks
    if size < 1:
        return None
    parts = [samples[size * number : size * (number + 1)] for number in range(blocks)]
    points = [(fmean(each.at for each in part) / 3600, fmean(each.memory for each in part)) for part in parts]
    middle = fmean(hour for hour, _ in points)
    level = fmean(memory for _, memory in points)
    spread = sum((hour - middle) ** 2 for hour, _ in points)
    slope = sum((hour - middle) * (memory - level) for hour, memory in points) / spread
    left = sum((memory - level - slope * (hour - middle)) ** 2 for hour, memory in points)
    return Line(slope, (left / (blocks - 2) / spread) ** 0.5)


def typical(samples: Sequence[Sample]) -> Sample:
    """Return the medians of some samples."""
    tasks = [each.tasks for each in samples if each.tasks is not None]
    last = samples[-1]
    return Sample(
        last.at,
        last.pid,
        median(each.memory for each in samples),
        int(median(each.files for each in samples)),
        int(median(each.threads for each in samples)),
        int(median(tasks)) if tasks else None,
        last.objects,
    )


class Watch:
    """Samples a host.

    Args:
        host: The host.
        file: Where every sample is written, one JSON object a line.
    """

    def __init__(self, host: Host, file: Path) -> None:
        self.samples: list[Sample] = []
        self._host = host
        self._file = file

    async def run(self) -> None:
        """Take a sample every second, until cancelled."""
        timeout = aiohttp.ClientTimeout(total=5.0)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            with self._file.open("a", encoding="utf-8") as file:
                while True:
                    began = time.monotonic()
                    found = await self._sample(session)
                    if found is not None:
                        self.samples.append(found)
                        file.write(json.dumps(asdict(found)) + "\n")
                    await asyncio.sleep(max(0.0, began + 1.0 - time.monotonic()))

    async def _sample(self, session: aiohttp.ClientSession) -> Sample | None:
        pid = self._host.pid
        told = await self._ask_witness(session)
        place = Path(f"/proc/{pid}")
        try:
            memory = int((place / "statm").read_text("ascii").split()[1]) * _PAGE / 1e6
            files, threads = (sum(1 for _ in (place / name).iterdir()) for name in ("fd", "task"))
        except (OSError, IndexError):  # it was killed just now
            return None
        return Sample(time.monotonic(), pid, memory, files, threads, told.get("tasks"), told.get("objects"))

    async def _ask_witness(self, session: aiohttp.ClientSession) -> dict[str, int]:
        with suppress(aiohttp.ClientError, TimeoutError, KeyError):  # it is being killed, or has much to do
            url = f"{self._host.url}/api/plugins/{WITNESS}/health/check"
            async with session.post(url) as answer:
                return (await answer.json())["details"]
        return {}
