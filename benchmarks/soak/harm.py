"""What is done to a host in a soak: its plugins are edited, its workers killed, its receiver taken away.

Each sort of harm goes on by itself until it is told to end, and mends what it broke.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from benchmarks.soak.scene import CHANGING, Scene, changing

__all__ = ["Harm"]

_BROKEN = (
    "def validate(:\n",
    "raise RuntimeError('this edit is broken')\n",
    "import not_there_at_all\n",
    "",
)


@dataclass
class Harm:
    """Does harm to everything around a host, and on request to the host.

    Args:
        scene: What is harmed.
        kill_every: Seconds between two kills of the host; None leaves it alone.
        seed: Of all that is random.
    """

    scene: Scene
    kill_every: float | None = None
    seed: int = 2
    done: asyncio.Event = field(default_factory=asyncio.Event)
    counts: Counter[str] = field(default_factory=Counter[str])
    version: int = 0
    """Of the plugin that is edited: the last one that is whole."""

    def __post_init__(self) -> None:
        self._dice = random.Random(self.seed)

    async def run(self) -> None:
        """Go on until `done` is set; then everything is whole."""
        sorts: list[tuple[tuple[float, float], Callable[[], Awaitable[None]]]] = [
            ((0.5, 3.0), self._edit),
            ((3.0, 9.0), self._kill_worker),
            ((3.0, 9.0), self._take_receiver_away),
        ]
        if self.kill_every is not None:
            sorts.append(((self.kill_every * 0.8, self.kill_every * 1.2), self._kill_host))
        async with asyncio.TaskGroup() as group:
            for between, once in sorts:
                group.create_task(self._again_and_again(between, once))
        self._write(self.version + 1)

    async def _again_and_again(self, between: tuple[float, float], once: Callable[[], Awaitable[None]]) -> None:
        while not self.done.is_set():
            try:
                async with asyncio.timeout(self._dice.uniform(*between)):
                    await self.done.wait()
            except TimeoutError:
                await once()

    async def _edit(self) -> None:
        if self._dice.random() < 1 / 4:
            (self.scene.plugins / f"{CHANGING}.py").write_text(self._dice.choice(_BROKEN), "utf-8")
            self.counts["broken edits"] += 1
        else:
            self._write(self.version + 1)
            self.counts["edits"] += 1

    def _write(self, version: int) -> None:
        (self.scene.plugins / f"{CHANGING}.py").write_text(changing(version), "utf-8")
        self.version = version

    async def _kill_worker(self) -> None:
        runner = self._dice.choice(tuple(self.scene.workers))
        self.scene.workers[runner].kill()
        self.counts["worker kills"] += 1
        await asyncio.sleep(self._dice.uniform(0.2, 2.0))
        await self.scene.start_worker(runner)

    async def _take_receiver_away(self) -> None:
        receiver, kind = self.scene.receiver, self._dice.choice(("stopped", "500", "hanging", "slow"))
        self.counts[f"receiver {kind}"] += 1
        if kind == "stopped":
            receiver.stop()
        else:
            how = {"500": ("status", {"status": 500}), "hanging": ("hang", {}), "slow": ("slow", {})}[kind]
            await asyncio.to_thread(receiver.behave, how[0], **how[1])
        await asyncio.sleep(self._dice.uniform(0.5, 4.0))
        if kind == "stopped":
            await asyncio.to_thread(receiver.start)
        else:
            await asyncio.to_thread(receiver.behave)

    async def _kill_host(self) -> None:
        await self.scene.host.kill()
        self.counts["host kills"] += 1
        await asyncio.sleep(self._dice.uniform(0.0, 2.0))
        await self.scene.host.start()
