"""The outage that the demo makes while messages are sent. Imports only `traffic`, `workers` and the host's records."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic

from examples.demo.traffic import Stage, Traffic
from examples.demo.workers import Workers
from hotplane.records import Execution

__all__ = ["FEWEST_MESSAGES", "Outage"]

FEWEST_MESSAGES = 30
"""With fewer there is nothing to see: ten for each breaker, which opens after five to ten failures."""

OPENING_SECONDS = 3.0
"""The first two thirds of the messages take at least this long, so that the changes can be watched. It is also less
than the time after which a breaker first asks a dead runner again, 4 to 6 s."""
RETURN_SECONDS = 15.0
"""The last third takes this long at most because of waiting for the return; a breaker asks again within 6 s."""


class Outage:
    """Kills worker A after a third of the messages, worker B after a half, and starts both again after two thirds.

    It also paces the sending: a few hundred messages would be over before a breaker could close again.

    Args:
        workers: The workers, running.
        total: How many messages there are.
        traffic: Is told of the stages and of every execution.
        say: Shows the viewer a line.
    """

    def __init__(self, workers: Workers, total: int, traffic: Traffic, say: Callable[[str], None]) -> None:
        self.traffic = traffic
        self._workers = workers
        self._say = say
        opening = total * 2 // 3
        self._steps = {total // 3: self._kill_a, total // 2: self._kill_b, opening: self._restart}
        self._opening_interval = OPENING_SECONDS / opening
        self._return_interval = RETURN_SECONDS / (total - opening)
        self._b_is_killed, self._are_back = asyncio.Event(), asyncio.Event()
        self._waits = {(total // 2 + opening) // 2: self._b_is_killed, opening: self._are_back}
        """The messages behind these wait: on a slow machine they would be over before what they are to show."""
        self._pacing = asyncio.Lock()
        self._due = 0.0

    async def before(self, index: int) -> None:
        """Do what is to happen before the message with this index, and wait until it is its turn.

        Raises:
            DemoFailed: A worker could not be started again.
        """
        for last, event in self._waits.items():
            if index > last:
                await event.wait()
        step = self._steps.get(index)
        if step is not None:
            await step()
        async with self._pacing:
            self._due = max(self._due + self._interval(), monotonic())
            await asyncio.sleep(self._due - monotonic())

    def seen(self, execution: Execution) -> None:
        """Hear of an answer."""
        self.traffic.add(execution)

    def _interval(self) -> float:
        if self.traffic.stage is not Stage.RESTARTED:
            return self._opening_interval
        return 0.0 if self.traffic.returned else self._return_interval

    async def _kill_a(self) -> None:
        await self._kill(Stage.A_KILLED, "Worker A, reached by Valkyrie, is killed with SIGKILL.")

    async def _kill_b(self) -> None:
        await self._kill(Stage.B_KILLED, "Worker B, reached by HTTP, is killed, too.")
        self._b_is_killed.set()

    async def _kill(self, stage: Stage, line: str) -> None:
        self._say(line)
        self.traffic.begin(stage)
        await (self._workers.a if stage is Stage.A_KILLED else self._workers.b).kill()

    async def _restart(self) -> None:
        self._say("Both workers are started again; the rest is sent slowly until Valkyrie has its work back.")
        self.traffic.begin(Stage.RESTARTED)
        await self._workers.start()
        self._are_back.set()
