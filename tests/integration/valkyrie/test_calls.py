"""Calls over a real socket: answered once, in any order, in time, or with a reason."""

import asyncio
from pathlib import Path

import pytest

from hotplane.errors import Overloaded, ShuttingDown
from hotplane.log import capture_logs
from hotplane.valkyrie import (
    Call,
    DeadlineExceeded,
    PeerFailed,
    PeerOverloaded,
    PeerShuttingDown,
    ProgramFailed,
    TooLarge,
    UnknownTarget,
)
from tests.integration.valkyrie.conftest import Connect, Serve, until
from tests.pace import kept


async def test_a_payload_comes_back(start_server: Serve, start_client: Connect):
    """The bytes that the handler returns are the bytes that the caller gets."""
    server = await start_server()
    client = await start_client(server.endpoint)
    assert await client.call("a:b", "run", b"\x00\xffpayload", 30) == b"\x00\xffpayload"


async def test_the_handler_sees_everything_about_the_call(start_server: Serve, start_client: Connect):
    """Target, method, remaining time and trace context arrive."""
    seen: list[Call] = []

    def handler(call: Call) -> bytes:
        seen.append(call)
        return b""

    client = await start_client((await start_server(handler)).endpoint)
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    clock = asyncio.get_running_loop().time
    began = clock()
    await client.call("pkg.mod:program", "run", b"x", 30, trace)
    took_ms = (clock() - began) * 1e3
    assert (seen[0].target, seen[0].method, seen[0].trace) == ("pkg.mod:program", "run", trace)
    assert 30_000 - took_ms - 2 <= seen[0].remaining_ms <= 30_000


async def test_many_calls_share_one_connection(start_server: Serve, start_client: Connect):
    """Answers find their callers, in whatever order they come."""

    async def handler(call: Call) -> bytes:
        await asyncio.sleep(0.02 - int(call.payload) / 10_000)
        return call.payload

    client = await start_client((await start_server(handler)).endpoint)
    answers = await asyncio.gather(*(client.call("t", "m", b"%d" % n, 30) for n in range(200)))
    assert answers == [b"%d" % n for n in range(200)]


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 5_000_000])
async def test_payloads_of_any_size(start_server: Serve, start_client: Connect, size: int):
    """Empty, odd and large payloads pass unchanged."""
    client = await start_client((await start_server()).endpoint)
    payload = bytes(range(256)) * (size // 256 + 1)
    assert await client.call("t", "m", payload[:size], 30) == payload[:size]


@pytest.mark.parametrize(
    ("raised", "expected", "executed"),
    [
        (ProgramFailed("bad", type="ValueError", traceback="line 1"), ProgramFailed, "maybe"),
        (UnknownTarget("no such program"), UnknownTarget, "no"),
        (PeerOverloaded(), PeerOverloaded, "no"),
        (Overloaded("The pool", 3, "programs.max"), PeerOverloaded, "no"),
        (ShuttingDown(), PeerShuttingDown, "no"),
        (ProgramFailed("lone \udc80 surrogate"), ProgramFailed, "maybe"),
    ],
)
async def test_typed_failures_keep_their_type(
    start_server: Serve, start_client: Connect, raised: Exception, expected: type[Exception], executed: str
):
    """What the handler raises is what the caller catches, with the answer to: may it have run?"""

    async def handler(call: Call) -> bytes:
        raise raised

    client = await start_client((await start_server(handler)).endpoint)
    with pytest.raises(expected) as caught:
        await client.call("t", "m", b"", 30)
    assert getattr(caught.value, "executed", None) == executed


async def test_a_programs_exception_keeps_its_details(start_server: Serve, start_client: Connect):
    """Type, message and traceback reach the caller."""

    async def handler(call: Call) -> bytes:
        raise ProgramFailed("bad", type="ValueError", traceback="line 1")

    client = await start_client((await start_server(handler)).endpoint)
    with pytest.raises(ProgramFailed, match="ValueError: bad") as caught:
        await client.call("t", "m", b"", 30)
    assert (caught.value.type, caught.value.message, caught.value.traceback) == ("ValueError", "bad", "line 1")


@pytest.mark.parametrize("asynchronous", [True, False])
async def test_an_unexpected_exception_is_logged_not_told(
    start_server: Serve, start_client: Connect, asynchronous: bool
):
    """The caller learns that the server failed; its details stay in the server's log."""

    def broken(call: Call) -> bytes:
        raise RuntimeError("password=hunter2")

    async def broken_later(call: Call) -> bytes:
        return broken(call)

    client = await start_client((await start_server(broken_later if asynchronous else broken)).endpoint)
    with capture_logs() as logs, pytest.raises(PeerFailed) as caught:
        await client.call("t", "m", b"", 30)
    assert "hunter2" not in str(caught.value)
    assert [entry["event"] for entry in logs] == ["valkyrie_handler_failed"]
    assert await client.ping(30)


async def test_a_handler_that_returns_no_bytes_is_the_servers_fault(start_server: Serve, start_client: Connect):
    """The connection survives a handler's mistake."""

    async def handler(call: Call) -> object:
        return {"not": "bytes"}

    client = await start_client((await start_server(handler)).endpoint)
    with capture_logs(), pytest.raises(PeerFailed, match="TypeError"):
        await client.call("t", "m", b"", 30)


async def test_a_call_ends_at_its_deadline_on_both_sides(start_server: Serve, start_client: Connect):
    """The caller gets its answer in time, and the program is cancelled."""
    started, cancelled = asyncio.Event(), asyncio.Event()

    async def handler(call: Call) -> bytes:
        started.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.set()
            raise
        return b""

    server = await start_server(handler)
    client = await start_client(server.endpoint)
    clock = asyncio.get_running_loop().time
    executed: set[str] = set()

    async def call() -> None:
        began = clock()
        with pytest.raises(DeadlineExceeded) as caught:
            await client.call("t", "m", b"", 0.1)
        assert clock() - began > 0.09
        executed.add(caught.value.executed)

    assert await kept(0.35, call)
    while not started.is_set():  # its time was over before the program had its turn
        await call()
    assert "maybe" in executed
    await asyncio.wait_for(cancelled.wait(), 30)
    await until(lambda: client.in_flight == 0 and server.running == 0)
    assert client.counters.late == client.counters.calls


@pytest.mark.parametrize("seconds", [0.0, -1.0])
async def test_a_deadline_in_the_past_sends_nothing(start_server: Serve, start_client: Connect, seconds: float):
    """No time left means not executed, and the place is free again."""
    client = await start_client((await start_server()).endpoint)
    with pytest.raises(DeadlineExceeded) as caught:
        await client.call("t", "m", b"", seconds)
    assert caught.value.executed == "no"
    assert client.counters.calls == 0


async def test_short_and_long_deadlines_together(start_server: Serve, start_client: Connect):
    """A later call with an earlier deadline is not forgotten by the one timer."""

    async def handler(call: Call) -> bytes:
        await asyncio.sleep(60)
        return b""

    client = await start_client((await start_server(handler)).endpoint)
    clock = asyncio.get_running_loop().time
    began = clock()
    ends: dict[float, float] = {}

    async def one(seconds: float) -> None:
        with pytest.raises(DeadlineExceeded):
            await client.call("t", "m", b"", seconds)
        ends[seconds] = clock() - began

    long = asyncio.create_task(one(40))
    await asyncio.gather(one(0.2), one(0.1))
    assert all(seconds - 0.01 < end < 20 for seconds, end in ends.items())
    long.cancel()
    await asyncio.wait((long,))


async def test_cancelling_a_call_cancels_the_program(start_server: Serve, start_client: Connect):
    """The cancel frame reaches the handler, and the place is free when it has answered."""
    started, cancelled = asyncio.Event(), asyncio.Event()

    async def handler(call: Call) -> bytes:
        started.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.set()
            raise
        return b""

    client = await start_client((await start_server(handler)).endpoint)
    task = asyncio.create_task(client.call("t", "m", b"", 30))
    await asyncio.wait_for(started.wait(), 30)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(cancelled.wait(), 30)
    await until(lambda: client.in_flight == 0)


async def test_a_full_window_makes_callers_wait(start_server: Serve, start_client: Connect):
    """No more calls are open than the server announced, and all are answered."""
    running = most = 0

    async def handler(call: Call) -> bytes:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.001)
        running -= 1
        return call.payload

    client = await start_client((await start_server(handler, window=3)).endpoint)
    answers = await asyncio.gather(*(client.call("t", "m", b"%d" % n, 30) for n in range(50)))
    assert answers == [b"%d" % n for n in range(50)]
    assert most == 3


async def test_a_full_server_refuses_at_once(start_server: Serve, start_client: Connect):
    """Over all connections no more than `max_calls` run; the rest hears it immediately and did not run."""
    release = asyncio.Event()

    async def handler(call: Call) -> bytes:
        await release.wait()
        return b"done"

    server = await start_server(handler, max_calls=2)
    first, second = await start_client(server.endpoint), await start_client(server.endpoint)
    held = [asyncio.create_task(client.call("t", "m", b"", 30)) for client in (first, second)]
    await until(lambda: server.running == 2)
    with pytest.raises(PeerOverloaded) as caught:
        await first.call("t", "m", b"", 30)
    assert caught.value.executed == "no"
    release.set()
    assert await asyncio.gather(*held) == [b"done", b"done"]


async def test_what_does_not_fit_is_refused_on_its_own(start_server: Serve, start_client: Connect):
    """A too large call is not sent, a too large result is an error; the connection goes on."""

    def handler(call: Call) -> bytes:
        return b"x" * int(call.payload or 0)

    server = await start_server(handler, max_frame_bytes=10_000)
    client = await start_client(server.endpoint, max_frame_bytes=5_000)
    with pytest.raises(TooLarge) as caught:
        await client.call("t", "m", b"x" * 10_000, 30)
    assert caught.value.executed == "no"
    with pytest.raises(TooLarge) as caught:
        await client.call("t", "m", b"5000", 30)
    assert caught.value.executed == "maybe"
    with pytest.raises(TooLarge, match="too long"):
        await client.call("t" * 600, "m", b"", 30)
    assert await client.call("t", "m", b"4900", 30) == b"x" * 4900


async def test_a_ping_tells_the_servers_load(start_server: Serve, start_client: Connect):
    """How many calls run, and how many may."""

    async def handler(call: Call) -> bytes:
        await asyncio.sleep(60)
        return b""

    server = await start_server(handler, max_calls=9)
    client = await start_client(server.endpoint)
    task = asyncio.create_task(client.call("t", "m", b"", 30))
    await until(lambda: server.running == 1)
    load = await client.ping(30)
    assert (load.running, load.limit) == (1, 9)
    assert 0 < load.round_trip_seconds < 30
    task.cancel()


async def test_a_unix_socket_is_for_its_owner_alone(start_server: Serve, start_client: Connect, tmp_path: Path):
    """Calls work over a Unix socket; its file has mode 0600 and goes with the server."""
    path = tmp_path / "v.sock"
    server = await start_server(endpoint=f"unix://{path}")
    assert path.stat().st_mode & 0o777 == 0o600
    client = await start_client(server.endpoint)
    assert await client.call("t", "m", b"x", 30) == b"x"
    await server.close()
    assert not path.is_socket()
