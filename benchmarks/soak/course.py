"""The course of a soak: warming up, a look at the host at rest, load and harm, draining, another look at it at rest."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import aiohttp

from benchmarks.soak.harm import Harm
from benchmarks.soak.load import Load
from benchmarks.soak.notes import Notes
from benchmarks.soak.scene import CHANGING, HANDLER, Scene
from benchmarks.soak.watch import Sample, Watch, typical
from hotplane.client import AsyncClient

__all__ = ["SLACK", "Course", "Seen"]

WARM_SECONDS = 10.0
REST_SECONDS = 6.0
"""Longer than idle connections are kept (3 s)."""
SETTLED_WITHIN = 60.0
DRAINED_WITHIN = 300.0
LOOKS = 3
"""Samples of a host at rest."""
SLACK = {"files": 8, "tasks": 4, "threads": 20}
"""More than at the start there may be. Threads of the pools (8 for programs, 8 for plugins) and readers stay."""


@dataclass(frozen=True)
class Seen:
    """What was seen of the host."""

    before: Sample
    """At rest, warmed up."""
    after: Sample
    """At rest, in the end."""
    loaded: Sequence[Sample]
    """While everything broke."""
    harm: Counter[str]
    serves: bool
    """Whether the plugin that was edited serves its last edit."""
    drained: bool
    """Whether everything was delivered and ended in time."""
    drain_seconds: float
    exit_code: int | None
    received: Counter[str]
    trouble: Counter[str]
    """What clients stumbled over: requests that were repeated, streams that broke."""


class Course:
    """One soak.

    Args:
        scene: Everything, running.
        notes: What clients see.
        rate: Single calls per second.
        seed: Of all that is random.
    """

    def __init__(self, scene: Scene, notes: Notes, *, rate: float, seed: int) -> None:
        self._scene = scene
        self._notes = notes
        self._rate = rate
        self._seed = seed
        self._watch = Watch(scene.host, scene.folder / "samples.jsonl")

    async def play(self, seconds: float, kill_every: float | None = None) -> Seen:
        """Play it.

        Args:
            seconds: How long everything breaks.
            kill_every: Seconds between two kills of the host; None leaves it alone.
        """
        watching = asyncio.create_task(self._watch.run())
        try:
            await self._load(WARM_SECONDS, 2 * self._seed, None)
            await self._drain()
            before = await self._rest(None)
            first = len(self._watch.samples)
            harm = Harm(self._scene, kill_every, self._seed)
            await self._load(seconds, 2 * self._seed + 1, harm)
            last = len(self._watch.samples)
            began = time.monotonic()
            drained = await self._drain()
            took = time.monotonic() - began
            after = await self._rest(before)
            serves = await self._serves(harm.version)
            await self._note_batches()
        finally:
            watching.cancel()
            await asyncio.wait({watching})
        code = await self._scene.host.stop()
        trouble = Counter(" ".join(words) for words in self._notes.lines("trouble"))
        received = self._scene.receiver.received()
        loaded = self._watch.samples[first:last]
        return Seen(before, after, loaded, harm.counts, serves, drained, took, code, received, trouble)

    async def _load(self, seconds: float, seed: int, harm: Harm | None) -> None:
        """Let clients work, and harm be done, for so long; both have ended afterwards."""
        load = Load(
            self._scene.host.url,
            str(self._scene.ledger),
            self._notes,
            self._rate,
            patient=harm is not None and harm.kill_every is not None,
            seed=seed,
        )
        async with asyncio.TaskGroup() as group:
            group.create_task(load.run())
            harming = group.create_task(harm.run()) if harm is not None else None
            await asyncio.sleep(seconds)
            if harm is not None and harming is not None:
                harm.done.set()
                await harming
            load.done.set()

    async def _drain(self) -> bool:
        """Wait until no batch runs and every event is delivered; tell whether that came in time."""
        ends_at = time.monotonic() + DRAINED_WITHIN
        async with aiohttp.ClientSession(self._scene.host.url) as session:
            while time.monotonic() < ends_at:
                if await self._is_drained(session):
                    return True
                await asyncio.sleep(0.5)
        return False

    async def _is_drained(self, session: aiohttp.ClientSession) -> bool:
        for state in ("receiving", "running", "paused", "cancelling"):
            async with session.get("/api/batch", params={"state": state, "limit": 1}) as answer:
                if (await answer.json())["items"]:
                    return False
        for state in ("pending", "delivering", "failed"):
            async with session.get("/api/deliveries", params={"handler": HANDLER, "state": state}) as answer:
                if (await answer.json())["items"]:
                    return False
        return True

    async def _rest(self, before: Sample | None) -> Sample:
        """Look at the host at rest; where it has more than before it gets time to let go."""
        self._scene.look_closely(at_rest=True)
        await asyncio.sleep(REST_SECONDS)
        ends_at = time.monotonic() + SETTLED_WITHIN
        while True:
            await asyncio.sleep(LOOKS)
            now = typical(self._watch.samples[-LOOKS:])
            if before is None or _settled(before, now) or time.monotonic() > ends_at:
                self._scene.look_closely(at_rest=False)
                return now

    async def _serves(self, number: int) -> bool:
        """Tell whether the plugin that was edited serves its last edit."""
        async with (
            aiohttp.ClientSession(self._scene.host.url) as session,
            session.get(f"/api/plugins/{CHANGING}") as answer,
        ):
            return (await answer.json())["description"] == str(number)

    async def _note_batches(self) -> None:
        async with AsyncClient(self._scene.host.url) as client:
            async for each in client.batches():
                self._notes.add("ended", each.id, each.state, each.items, each.done)


def _settled(before: Sample, now: Sample) -> bool:
    return all((getattr(now, name) or 0) <= (getattr(before, name) or 0) + more for name, more in SLACK.items())
