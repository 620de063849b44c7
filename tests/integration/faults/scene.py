"""A whole host under steady load, whose callers write down what they saw, and one fault in its life.

Imports `hotplane` as an embedding program does, and this harness.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from hotplane import Hotplane
from hotplane.errors import HotplaneError
from hotplane.records import Execution
from hotplane.routing import RunnerBreakerSettings
from tests.integration.faults.processes import MODULE, read_ledger
from tests.integration.faults.results import Result, Seen

__all__ = ["BREAKER", "CALLERS", "DEADLINE_SECONDS", "ROUTE", "Load", "open_host", "until"]

DEADLINE_SECONDS = 5.0
ROUTE = ("valkyrie", "http", "local")
BREAKER = RunnerBreakerSettings(open_seconds=0.3, open_max_seconds=0.6, healthy_seconds=1.0)
"""Breakers that look again soon: how long they stay open is a setting, and not what is measured here."""
CALLERS = 3
"""So many callers run each of the two tasks all the time."""
_WORK_SECONDS = 0.03
_PAUSE_SECONDS = 0.01
_LONG = "long"
"""In the names of executions that run until the fault is there."""
_VALKYRIE = {"reconnect_min_ms": 50, "reconnect_max_ms": 300, "connect_timeout_ms": 1000}


async def until(condition: Callable[[], object], what: str, seconds: float = 30.0) -> None:
    """Wait until something is so.

    Raises:
        AssertionError: It does not come to be.
    """
    try:
        async with asyncio.timeout(seconds):
            while not condition():  # noqa: ASYNC110 - other processes have no event to wait for
                await asyncio.sleep(0.002)
    except TimeoutError:
        raise AssertionError(f"{what}: not within {seconds:g} s") from None


@asynccontextmanager
async def open_host(
    folder: Path, *, endpoint: str, http: str, breaker: RunnerBreakerSettings = BREAKER, **valkyrie: Any
) -> AsyncGenerator[Hotplane]:
    """Run a host whose tasks, `safe` (idempotent) and `once`, go to valkyrie, then http, then local.

    Args:
        folder: Where its database is, and the program.
        endpoint: The worker's address for Valkyrie.
        http: The HTTP worker's address.
        breaker: Settings of the breakers.
        valkyrie: More settings of the runner.
    """
    tasks = [
        {
            "id": name, "program": f"{MODULE}:work", "idempotent": name == "safe", "route": ROUTE,
            "timeout_ms": int(DEADLINE_SECONDS * 1e3),
        }
        for name in ("safe", "once")
    ]  # fmt: skip
    runners = [
        {"name": "valkyrie", "configuration": {"endpoint": endpoint, **_VALKYRIE, **valkyrie}},
        {"name": "http", "configuration": {"base_url": http, "connect_timeout_ms": 1000}},
    ]
    tree = {
        "storage": {"url": str(folder / "host.db")},
        "programs": {"allow": [MODULE], "paths": [str(folder)]},
        "plugins": {"runners": runners},
        "fallback": {"breaker": breaker.model_dump()},
        "tasks": tasks,
    }
    host = Hotplane.from_config(tree)
    await host.start()
    try:
        yield host
    finally:
        await host.stop(2.0)


class Load:
    """Callers that execute both tasks all the time, and the ledger of the program.

    Args:
        host: Executes.
        ledger: The file that the program appends to.
        case: The name of what is tried.
        primary: The runner that has the work when nothing is wrong.
        callers: Of each of the two tasks.
    """

    def __init__(
        self, host: Hotplane, ledger: Path, case: str, primary: str = "valkyrie", callers: int = CALLERS
    ) -> None:
        self.host = host
        self.ledger = ledger
        self.seen: list[Seen] = []
        self._case = case
        self._primary = primary
        self._of_each = callers
        self._count = 0
        self._over: tuple[float, float] | None = None
        self._back: tuple[float, float] | None = None
        self._done = asyncio.Event()
        self._callers: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Load:
        for task in ("safe", "once"):
            self._callers += [asyncio.create_task(self._call_on(task)) for _ in range(self._of_each)]
        await until(lambda: sum(each.by == self._primary for each in self.seen) >= 12, "the load runs")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._done.set()
        await asyncio.gather(*self._callers)

    async def fault(
        self,
        fall: Callable[[], Awaitable[object]],
        mend: Callable[[], Awaitable[object]] | None,
        *,
        moves: bool = True,
        returns: bool = True,
        told: str = "",
        hold: float = 0.5,
    ) -> None:
        """Let something break, wait until the work has moved, keep it so for a while, and mend it.

        Args:
            fall: Breaks it.
            mend: Mends it; none when it mends by itself.
            moves: Whether the work has to move to another runner.
            returns: Whether it has something to come back from.
            told: What a caller has to be told before it is mended, however late the host finds out.
            hold: Seconds for which it stays broken after that.
        """
        fallen = self.ledger.with_name("fallen")
        await self._get_into_mid_call(fallen)
        began = time.monotonic()
        try:
            await fall()
        finally:
            fallen.touch()
        if moves:
            self._over = await self._first(
                lambda each: each.by != self._primary and each.ended > began, began, "work moves on"
            )
        if told:
            await until(lambda: any(each.why == told for each in self.seen), f"{self._case}: somebody is told")
        await asyncio.sleep(hold)
        ending = time.monotonic()
        if mend is not None:
            await mend()
        healed = time.monotonic()
        # What was asked before the end of the fault may still be answered: a return is a new call's answer.
        took = await self._first(lambda each: each.by == self._primary and each.began > ending, healed, "it comes back")
        self._back = took if returns else None

    async def execute(
        self, task: str, seconds: float = _WORK_SECONDS, name: str = "", until: Path | None = None
    ) -> Seen:
        """Execute once and write down what the caller sees; the work begins when the file `until` is there."""
        self._count += 1
        name = name or f"{task}-{self._count}"
        value: Any = {"id": name, "ledger": str(self.ledger), "seconds": seconds}
        if until is not None:
            value["until"] = str(until)
        began = time.monotonic()
        try:
            record = await self.host.execute(task, value)
        except HotplaneError as error:
            seen = Seen(name, task, began, time.monotonic(), ok=False, by="", why=error.code)
        else:
            seen = _seen(name, began, record)
        self.seen.append(seen)
        return seen

    def result(self) -> Result:
        """Sum up what the callers saw and what the ledger says."""
        runs = read_ledger(self.ledger)
        safe = [each for each in self.seen if each.task == "safe" and _LONG not in each.name]
        failed = [each for each in self.seen if not each.ok]
        reasons: dict[str, int] = {}
        for each in failed:
            reasons[each.why] = reasons.get(each.why, 0) + 1
        return Result(
            case=self._case,
            executions=len(self.seen),
            failed=sum(each.task == "safe" for each in failed),
            given_up=sum(each.task == "once" for each in failed),
            doubled=sum(times > 1 for name, times in runs.items() if name.startswith("once")),
            repeated=sum(times > 1 for name, times in runs.items() if name.startswith("safe")),
            over_ms=None if self._over is None else self._over[0],
            back_ms=None if self._back is None else max(0.0, self._back[0]),
            over_at=None if self._over is None else self._over[1],
            back_at=None if self._back is None else self._back[1],
            slowest_ms=max(each.ended - each.began for each in safe) * 1e3,
            reasons=reasons,
        )

    async def _call_on(self, task: str) -> None:
        while not self._done.is_set():
            # Of different lengths, so that callers do not fall into step.
            await self.execute(task, _WORK_SECONDS * (1 + self._count % 5 / 5))
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _get_into_mid_call(self, fallen: Path) -> None:
        """Have a call of each task run that does not end before the fault has come."""
        names = {task: f"{task}-{_LONG}" for task in ("safe", "once")}
        for task, name in names.items():
            self._callers.append(asyncio.create_task(self._execute_long(task, name, fallen)))
        await until(lambda: set(names.values()) <= read_ledger(self.ledger).keys(), f"{self._case}: calls run")

    async def _execute_long(self, task: str, name: str, fallen: Path) -> None:
        await self.execute(task, name=name, until=fallen)

    async def _first(self, fits: Callable[[Seen], bool], since: float, what: str) -> tuple[float, float]:
        """Wait for an answer and return how many milliseconds after `since` it came, and when that was."""
        found: list[Seen] = []
        place = 0

        def look() -> bool:
            nonlocal place
            fresh, place = self.seen[place:], len(self.seen)
            found.extend(each for each in fresh if each.ok and fits(each))
            return bool(found)

        await until(look, f"{self._case}: {what}")
        return (found[0].ended - since) * 1e3, found[0].ended


def _seen(name: str, began: float, record: Execution) -> Seen:
    ok = record.status == "success" and record.output == name
    why = "" if ok else record.error.type if record.error else str(record.status)
    by = record.attempts[-1].runner if record.attempts else ""
    return Seen(name, record.task_id, began, time.monotonic(), ok=ok, by=by, why=why)
