"""Every fault by its name, played with real receiver processes. Imports the scene and the library."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, TypeAlias

from hotplane import Hotplane
from hotplane.errors import StorageFull
from hotplane.events.clock import WallClock
from hotplane.plugins import WebhookContext, WebhookHandler
from hotplane.records import Event, EventType, PluginMetadata
from tests.integration.events.kills import killed_before_acknowledgement, killed_before_send
from tests.integration.events.scene import (
    HANDLER,
    PATIENT,
    ReceiverProcess,
    Tally,
    config_of,
    configuration,
    counted,
    emit,
    hosted,
    quick,
    until,
)

__all__ = ["CASES", "Play"]

Play: TypeAlias = Callable[[str, Path], Awaitable[Tally]]
COUNT = 12
CUT = "did not answer within 1 s (the request was sent)"
"""What an attempt says that took longer than its handler may."""


async def down_at_first(case: str, folder: Path) -> Tally:
    """The receiver is down for three attempts, then up."""
    receiver = ReceiverProcess(folder)
    receiver.stop()
    async with hosted(folder, receiver.url) as host:
        sent = await emit(host, 1)

        async def tried() -> bool:
            (only,) = (await host.outbox.list(HANDLER)).items
            return only.attempts >= 3

        await until(tried)
        receiver.start()
        tally = await counted(case, receiver, sent)
        (only,) = (await host.outbox.list(HANDLER)).items
    receiver.close()
    return _noted(tally, f"{only.attempts} attempts, the last answered {only.history[-1].status}")


def misbehaving(kind: str, error: str, *, wait: float = 1.5, limit: float = PATIENT, **how: Any) -> Play:
    """Return the case of a receiver that misbehaves until attempts have failed with `error`.

    So long a request may take `limit` seconds.
    """

    async def play(case: str, folder: Path) -> Tally:
        seen = set[str]()

        async def failed() -> bool:
            seen.update(await _errors(host))
            return any(error in each for each in seen)

        with closing(ReceiverProcess(folder)) as receiver:
            receiver.behave(kind, **how)
            async with hosted(folder, receiver.url, limit=limit) as host:
                sent = await emit(host, COUNT)
                await asyncio.sleep(wait)
                await until(failed)  # the receiver lets go of nothing before it is well
                assert not receiver.received()
                if limit != PATIENT:
                    await host.plugins.reconfigure(HANDLER, configuration(receiver.url))
                receiver.behave("ok")
                tally = await counted(case, receiver, sent)
        return _noted(tally, "; ".join(sorted(seen)))

    return play


async def gone(case: str, folder: Path) -> Tally:
    """It answers 410: the handler is disabled, its events wait, and come when it is enabled again."""
    receiver = ReceiverProcess(folder)
    receiver.behave("status", status=410)
    async with hosted(folder, receiver.url) as host:
        sent = await emit(host, COUNT)
        await until(lambda: not host.plugins.get(HANDLER).enabled)
        told = [each for each in await host.store.list_events(limit=1000) if each.type == EventType.WEBHOOK_DISABLED]
        await until(lambda: _all_back(host))
        backlog = (await host.outbox.status(HANDLER)).backlog
        receiver.behave("ok")
        await host.plugins.enable(HANDLER)
        tally = await counted(case, receiver, sent)
    receiver.close()
    waited = backlog.pending + backlog.failed + backlog.delivering
    return _noted(tally, f"disabled with {len(told)} event, {waited} waited until it was enabled")


async def _all_back(host: Hotplane) -> bool:
    return not (await host.outbox.status(HANDLER)).backlog.delivering


async def broken_tls(case: str, folder: Path) -> Tally:
    """Its certificate is nobody's: nothing is sent, and everything comes once the address is mended."""
    plain = ReceiverProcess(folder)
    secure = ReceiverProcess(folder, _certificate(folder))
    return await _refused_until_mended(case, folder, secure.url, plain, others=[secure], allow=["127.0.0.0/8"])


def private(host: str) -> Play:
    """Return the case of an address, given through the API, that leads to a private network."""

    async def play(case: str, folder: Path) -> Tally:
        receiver = ReceiverProcess(folder)
        return await _refused_until_mended(case, folder, f"http://{host}:{receiver.port}/hook", receiver)

    return play


async def _refused_until_mended(
    case: str,
    folder: Path,
    wrong: str,
    receiver: ReceiverProcess,
    *,
    others: Sequence[ReceiverProcess] = (),
    allow: Sequence[str] = (),
) -> Tally:
    async with hosted(folder, receiver.url, allow=allow) as host:
        await host.plugins.reconfigure(HANDLER, configuration(wrong))
        sent = await emit(host, COUNT)
        await until(lambda: _errors(host))
        seen = await _errors(host)
        assert not receiver.received()
        await host.plugins.reconfigure(HANDLER, configuration(receiver.url))
        tally = await counted(case, receiver, sent)
    for each in (receiver, *others):
        each.close()
    return _noted(tally, "; ".join(seen))


async def _errors(host: Hotplane) -> list[str]:
    page = await host.outbox.list(HANDLER)
    return sorted({each.history[-1].error for each in page.items if each.history})


async def clock_back(case: str, folder: Path) -> Tally:
    """The wall clock is set back by an hour while a retry waits: it waits no longer for that."""
    receiver = ReceiverProcess(folder)
    receiver.stop()
    behind = 0
    now = WallClock.now

    def turned(self: WallClock) -> int:
        return now(self) - behind

    WallClock.now = turned  # type: ignore[method-assign]
    try:
        async with hosted(folder, receiver.url, schedule_seconds=[3.0] * 5, concurrency=COUNT) as host:
            sent = await emit(host, COUNT)
            await until(lambda: _failed(host) >= 5)
            behind = 3_600_000_000
            receiver.start()
            host.outbox.wake(HANDLER)
            tally = await counted(case, receiver, sent)
    finally:
        WallClock.now = now  # type: ignore[method-assign]
    receiver.close()
    return tally


def _failed(host: Hotplane) -> int:
    lane = host.outbox._lanes.get(HANDLER)
    return 0 if lane is None else lane.attempts.failed


async def disk_full(case: str, folder: Path) -> Tally:
    """The disk fills up: whoever is told that an event is stored finds it delivered, the others get 507."""
    receiver = ReceiverProcess(folder)
    sent: list[str] = []
    refused = 0
    async with hosted(folder, receiver.url) as host:
        await host.store._writer.write(_pragma("PRAGMA max_page_count = 200"))
        for _ in range(400):
            try:
                sent += await emit(host, 1, payload={"text": "x" * 4_000})
            except StorageFull:
                refused += 1
            if refused >= 3:
                break
        await asyncio.sleep(0.5)
        await host.store._writer.write(_pragma("PRAGMA max_page_count = 1073741823"))
        tally = await counted(case, receiver, sent)
    receiver.close()
    return _noted(tally, f"{refused} callers got 507")


def _pragma(statement: str) -> Any:
    from sqlalchemy import text

    from hotplane.storage.writes import Write

    # A pragma holds for the connection on which it is executed: the writing one.
    return Write(statements=[text(statement)])


class Faulty(WebhookHandler[Any]):
    """Raises or hangs until it is told to behave."""

    metadata = PluginMetadata(name="faulty", version="1.0")
    supported_events = frozenset({EventType.TASK_CREATED})
    fault = ""
    notes: Path

    async def handle(self, event: Event, context: WebhookContext) -> None:
        if Faulty.fault == "raises":
            raise RuntimeError("a mistake of its author")
        if Faulty.fault == "hangs":
            await asyncio.Event().wait()
        with Faulty.notes.open("a") as file:
            file.write(f"{event.id}\n")


def faulty(fault: str) -> Play:
    """Return the case of a handler whose own code fails, beside a good one."""

    async def play(case: str, folder: Path) -> Tally:
        receiver = ReceiverProcess(folder)
        other = folder / "faulty"
        Faulty.fault, Faulty.notes = fault, other
        host = Hotplane.from_config(config_of(folder, receiver.url))
        host.register(Faulty, delivery=quick(timeout_seconds=0.2))
        async with host:
            sent = await emit(host, COUNT)
            beside = await counted(case, receiver, sent)
            assert (beside.lost, beside.duplicated) == (0, 0)
            Faulty.fault = ""
            await until(lambda: other.exists() and set(sent) <= set(other.read_text().split()))
        receiver.close()
        came = other.read_text().split()
        return Tally(case, len(sent), len(set(came)), len(set(sent) - set(came)), len(came) - len(set(came)))

    return play


async def outage(case: str, folder: Path) -> Tally:
    """5 000 events queue up while the receiver is down; then it is up."""
    receiver = ReceiverProcess(folder)
    receiver.stop()
    async with hosted(folder, receiver.url, concurrency=32) as host:
        sent = await emit(host, 5_000)
        await asyncio.sleep(1.0)
        tried = _failed(host)
        receiver.start()
        tally = await counted(case, receiver, sent, limit=120)
    receiver.close()
    return _noted(tally, f"{tried} attempts while it was down")


def _noted(tally: Tally, note: str) -> Tally:
    return Tally(
        tally.case,
        tally.sent,
        tally.received,
        tally.lost,
        tally.duplicated,
        "; ".join(filter(None, (tally.note, note))),
    )


def _certificate(folder: Path) -> Path:
    from tests.integration.events.certificates import write_certificate

    return write_certificate(folder / "nobody.pem")


CASES: Mapping[str, Play] = {
    "receiver down for the first three attempts": down_at_first,
    "never answers": misbehaving("hang", CUT, wait=2.5, limit=1.0),
    "answers 500": misbehaving("status", "answered 500", status=500),
    "answers 429 with Retry-After": misbehaving(
        "status", "answered 429", status=429, headers={"Retry-After": "1"}, wait=0.5
    ),
    "answers 301 to a private address": misbehaving(
        "status", "answered 301", status=301, headers={"Location": "http://10.0.0.1/"}
    ),
    "answers 410": gone,
    "one byte a second": misbehaving("slow", CUT, wait=2.5, limit=1.0),
    "an endless body": misbehaving("endless", "is longer than 10485760 bytes", wait=2.5),
    "a broken TLS certificate": broken_tls,
    "resolves to a private address: localhost": private("localhost"),
    "resolves to a private address: ::ffff:10.0.0.1": private("[::ffff:10.0.0.1]"),
    "resolves to a private address: 0x7f.1": private("0x7f.1"),
    "resolves to a private address: 2130706433": private("2130706433"),
    "host killed between commit and send": killed_before_send,
    "host killed between send and acknowledgement": killed_before_acknowledgement,
    "clock set back by an hour": clock_back,
    "disk full": disk_full,
    "handler raises": faulty("raises"),
    "handler hangs": faulty("hangs"),
    "5 000 events queued while the receiver is down": outage,
}
"""In the order of the table."""
