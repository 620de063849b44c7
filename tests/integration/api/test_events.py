"""The stream of events over real sockets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from hotplane.api.streams import EventStream, Streams, frame

BROKEN = "raise RuntimeError('no')"


class Listener:
    """A client of the stream."""

    def __init__(self, response: Any) -> None:
        self.response = response
        self._lines = response.aiter_lines()

    async def event(self) -> tuple[str, dict[str, Any]]:
        """Return the next event."""
        async with asyncio.timeout(60):
            name = ""
            async for line in self._lines:
                if line.startswith("event: "):
                    name = line.removeprefix("event: ")
                if line.startswith("data: "):
                    return name, json.loads(line.removeprefix("data: "))
        raise EOFError

    async def rest(self) -> list[str]:
        """Return the lines until the server ends the stream."""
        async with asyncio.timeout(60):
            return [line async for line in self._lines]


@asynccontextmanager
async def following(edge: Any) -> AsyncGenerator[Listener]:
    """Follow the events."""
    async with edge.client.stream("GET", "/api/plugins/events", timeout=60) as response:
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
        yield Listener(response)


async def test_steps_and_reloads_come_in_order(managing: Any, plugins: Any) -> None:
    """Loading, active, a failed reload, a reload, and the failure of a start."""
    plugins.write("one")
    async with managing(health={"enabled": False}) as edge, following(edge) as listener:
        await edge.client.post("/api/plugins/one/stop?wait=60")
        await edge.client.post("/api/plugins/one/start?wait=60")
        plugins.write("one", "2.0", start=BROKEN)
        await edge.client.post("/api/plugins/one/reload?wait=60")
        plugins.write("one", "2.0")
        await edge.client.post("/api/plugins/one/reload?wait=60")
        plugins.write("one", "3.0", start=BROKEN)
        await edge.client.post("/api/plugins/one/restart?wait=60")
        seen = [await listener.event() for _ in range(10)]
        assert [(name, data.get("after") or data.get("outcome")) for name, data in seen] == [
            ("transition", "unloading"),
            ("transition", "unloaded"),
            ("transition", "loading"),
            ("transition", "active"),
            ("reload", "failed"),
            ("reload", "swapped"),
            ("transition", "unloading"),
            ("transition", "unloaded"),
            ("transition", "loading"),
            ("transition", "failed"),
        ]
        assert {data["plugin_id"] for _, data in seen} == {"one"}
        assert "no" in seen[4][1]["reason"]


async def test_changes_of_health_are_told(managing: Any, plugins: Any) -> None:
    """From unknown to healthy, when it is first looked at."""
    plugins.write("one")
    async with managing(health={"enabled": False}) as edge, following(edge) as listener:
        await edge.client.post("/api/plugins/one/health/check")
        name, data = await listener.event()
        assert (name, data["plugin_id"], data["before"], data["after"]) == ("health", "one", "unknown", "healthy")


async def test_the_stream_ends_when_the_server_stops(edge: Any) -> None:
    """Cleanly, at once, and whoever comes then is refused."""
    async with following(edge) as listener:
        stopping = asyncio.create_task(edge.server.stop(600))
        assert (await listener.rest())[-2:] == [": the end", ""]
        async with asyncio.timeout(60):
            await stopping


async def test_only_so_many_clients_follow(managing: Any) -> None:
    """One more is told to come later; when one leaves there is room again."""
    async with managing(server={"max_event_streams": 1}) as edge:
        async with following(edge):
            answer = await edge.client.get("/api/plugins/events")
            assert (answer.status_code, answer.json()["code"]) == (503, "overloaded")
        async with asyncio.timeout(60):
            while edge.server._ongoing.streams._open:  # noqa: ASYNC110 - the server notices by itself
                await asyncio.sleep(0.01)
        async with following(edge):
            assert len(edge.host.plugins._feed._listeners) == 1


async def test_a_slow_client_is_told_what_it_missed_and_slows_nobody(managing: Any) -> None:
    """It does not read; the host switches a plugin thousands of times meanwhile, and the oldest events go."""
    async with managing(server={"event_queue": 10}) as edge:
        reader, writer = await edge.connect()
        writer.transport.set_write_buffer_limits(0)
        reader._limit = 1024
        writer.write(b"GET /api/plugins/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await asyncio.wait_for(reader.readuntil(b"retry: 1000"), 60)
        for number in range(3000):
            await edge.host.plugins.set_priority("percentage-sampler", number % 7)
            tell(edge, "x" * 4000)
        reader._limit = 2**20
        text = b""
        async with asyncio.timeout(60):
            while b"event: missed" not in text:
                text = text[-100:] + await reader.read(2**20)
        writer.close()


def tell(edge: Any, reason: str) -> None:
    """Have something happen."""
    from hotplane.host import HealthChange, HealthState
    from hotplane.records import now

    state = HealthState.HEALTHY
    edge.host.plugins.tell_health(HealthChange(plugin_id="local", before=state, after=state, reason=reason, at=now()))


class Quiet:
    """A source of events in which nothing happens."""

    dropped = 0

    async def __anext__(self) -> object:
        await asyncio.Event().wait()

    def close(self) -> None:
        pass


async def test_a_quiet_stream_has_a_heartbeat() -> None:
    """Comments keep proxies from hanging up."""
    sent: asyncio.Queue[Any] = asyncio.Queue()
    streams = Streams(1, heartbeat_seconds=0.01)
    stream: EventStream[object] = EventStream(Quiet(), lambda item: ("never", item), streams)

    async def receive() -> Any:
        await asyncio.Event().wait()

    running = asyncio.create_task(stream({}, receive, sent.put))
    messages = [await asyncio.wait_for(sent.get(), 60) for _ in range(4)]
    assert [each.get("body") for each in messages[2:]] == [b": nothing new\n\n"] * 2
    streams.close()
    await asyncio.wait_for(running, 60)


@pytest.mark.parametrize("text", ["a\nb", "a\r\nb", "\u2028", "event: x\n\ndata: y"])
def test_data_cannot_break_out_of_its_line(text: str) -> None:
    """Whatever a plugin's reason holds, an event is one event."""
    assert frame("health", {"reason": text}).count(b"\n") == 3
