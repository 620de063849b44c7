"""What a caller sees when the server misbehaves: one typed error, in time, that says whether the call may have run."""

import asyncio
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from hotplane.valkyrie import ConnectFailed, ConnectionLost, DeadlineExceeded, PeerOverloaded, PeerShuttingDown
from hotplane.valkyrie.frames import HEADER
from hotplane.valkyrie.messages import Call, Cancel, GoAway, Ping, Pong, Result
from tests.integration.valkyrie.conftest import Connect, RawPeer, RawServe, until
from tests.pace import kept


async def silent(peer: RawPeer) -> None:
    """Accept and never answer."""
    await peer.reader.read(1)
    await asyncio.sleep(60)


async def test_a_server_that_never_answers_fails_the_connect(raw_serve: RawServe, start_client: Connect):
    """The handshake has a time limit, and nothing was executed."""
    endpoint = await raw_serve(silent)

    async def attempt() -> None:
        with pytest.raises(ConnectFailed, match=r"no answer within 0\.2 s") as caught:
            await start_client(endpoint, connect_timeout_seconds=0.2)
        assert caught.value.executed == "no"

    assert await kept(1, attempt)


@pytest.mark.parametrize(
    ("endpoint", "reason"),
    [("tcp://127.0.0.1:1", "[Rr]efused"), ("tcp://nowhere.invalid:1", "."), ("unix:///nowhere/x.sock", "No such file")],
)
async def test_nobody_there_is_not_executed(start_client: Connect, endpoint: str, reason: str):
    """A refused connection, an unknown name and a missing socket are one kind of failure."""
    with pytest.raises(ConnectFailed, match=reason) as caught:
        await start_client(endpoint, allow_plaintext=True, connect_timeout_seconds=5)
    assert caught.value.executed == "no"


async def test_an_http_server_is_recognized(raw_serve: RawServe, start_client: Connect):
    """The reason says what it answered with."""

    async def http(peer: RawPeer) -> None:
        await peer.reader.read(1)
        peer.writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await asyncio.sleep(60)

    with pytest.raises(ConnectFailed, match="not a Valkyrie server; it looks like HTTP"):
        await start_client(await raw_serve(http))


async def test_a_connection_that_dies_after_sending_may_have_run(raw_serve: RawServe, start_client: Connect):
    """Every open call fails at once when the peer is gone."""

    async def die(peer: RawPeer) -> None:
        await peer.welcome()
        for _ in range(3):
            await peer.receive()
        peer.writer.transport.abort()

    client = await start_client(await raw_serve(die))
    failures = await asyncio.gather(*(client.call("t", "m", b"", 30) for _ in range(3)), return_exceptions=True)
    assert [getattr(failure, "executed", None) for failure in failures] == ["maybe"] * 3
    assert all(isinstance(failure, ConnectionLost) for failure in failures)
    with pytest.raises(ConnectionLost) as caught:
        await client.call("t", "m", b"", 30)
    assert caught.value.executed == "no"


async def test_a_call_that_never_left_was_not_executed(raw_serve: RawServe, start_client: Connect):
    """Frames that still wait for the turn's write when the connection ends did not reach the transport."""

    async def answer_one(peer: RawPeer) -> None:
        await peer.welcome()
        await peer.receive()
        await asyncio.sleep(60)

    client = await start_client(await raw_serve(answer_one))
    sent = asyncio.create_task(client.call("t", "m", b"", 30))
    await asyncio.sleep(0.05)
    unsent = asyncio.create_task(client.call("t", "m", b"", 30))
    await asyncio.sleep(0)
    assert client.link.unsent_bytes
    client.link.abort("cut")
    failures = await asyncio.gather(sent, unsent, return_exceptions=True)
    assert [getattr(failure, "executed", None) for failure in failures] == ["maybe", "no"]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (HEADER.pack(2**31), "a frame of 2147483648 bytes; at most"),
        (HEADER.pack(3) + b"\xc1\xc1\xc1", "malformed"),
        (HEADER.pack(0), "malformed"),
        (HEADER.pack(3) + b"\x92\x13\x01", "must not send Cancel"),
        (HEADER.pack(3) + b"\x92\x11", "the peer closed it"),
    ],
    ids=["oversized", "garbage", "empty", "wrong-direction", "half-frame"],
)
async def test_broken_frames_end_the_connection_with_a_reason(
    raw_serve: RawServe, start_client: Connect, data: bytes, reason: str
):
    """What is malformed is fatal, readable, and fails the open calls as maybe executed."""

    async def break_it(peer: RawPeer) -> None:
        await peer.welcome()
        await peer.receive()
        peer.writer.write(data)
        peer.writer.write_eof()
        await asyncio.sleep(60)

    client = await start_client(await raw_serve(break_it))
    with pytest.raises(ConnectionLost, match=reason) as caught:
        await client.call("t", "m", b"", 30)
    assert caught.value.executed == "maybe"


async def test_results_for_unknown_calls_are_counted_and_dropped(raw_serve: RawServe, start_client: Connect):
    """An answer that nobody asked for, or a second one, harms nobody."""

    async def confuse(peer: RawPeer) -> None:
        await peer.welcome()
        while isinstance(call := await peer.receive(), Call):
            peer.send(Result(999, b"?"))
            peer.send(Result(call.id, call.payload))
            peer.send(Result(call.id, b"again"))

    client = await start_client(await raw_serve(confuse))
    assert await client.call("t", "m", b"one", 30) == b"one"
    assert await client.call("t", "m", b"two", 30) == b"two"
    await until(lambda: client.counters.unknown == 4)


async def test_results_out_of_order_and_byte_by_byte(raw_serve: RawServe, start_client: Connect):
    """The last call may be answered first, and slowly."""

    async def reverse(peer: RawPeer) -> None:
        await peer.welcome()
        calls = [await peer.receive() for _ in range(5)]
        stream = b"".join(
            HEADER.pack(len(body)) + body
            for call in reversed(calls)
            if isinstance(call, Call)
            for body in [b"\x93\x11" + bytes([call.id]) + b"\xc4" + bytes([len(call.payload)]) + call.payload]
        )
        for byte in stream:
            peer.writer.write(bytes([byte]))
            await peer.writer.drain()
            await asyncio.sleep(0.001)
        await asyncio.sleep(60)

    client = await start_client(await raw_serve(reverse))
    answers = await asyncio.gather(*(client.call("t", "m", b"%d" % n, 30) for n in range(5)))
    assert answers == [b"%d" % n for n in range(5)]


async def test_a_late_result_is_dropped_and_frees_its_place(raw_serve: RawServe, start_client: Connect):
    """After the deadline the place stays taken until the peer answers, then it can be used again."""
    late = asyncio.Event()

    async def answer_late(peer: RawPeer) -> None:
        await peer.welcome(window=1)
        call = await peer.receive()
        assert await peer.receive() == Cancel(1)
        await late.wait()
        assert isinstance(call, Call)
        peer.send(Result(call.id, b"late"))
        call = await peer.receive()
        assert isinstance(call, Call)
        peer.send(Result(call.id, b"fresh"))
        await asyncio.sleep(60)

    client = await start_client(await raw_serve(answer_late), max_waiting=0)
    while not client.counters.calls:  # a call whose time is over before it is sent takes no place
        with pytest.raises(DeadlineExceeded):
            await client.call("t", "m", b"", 0.05)
    with pytest.raises(PeerOverloaded) as caught:
        await client.call("t", "m", b"", 30)
    assert caught.value.executed == "no"
    late.set()
    await until(lambda: client.counters.late == 1)
    assert await client.call("t", "m", b"", 30) == b"fresh"


async def test_a_silent_peer_is_lost_after_two_pings(raw_serve: RawServe, start_client: Connect):
    """While a call is open, two unanswered pings mean that the connection is lost."""
    pings: list[Ping] = []

    async def swallow(peer: RawPeer) -> None:
        await peer.welcome()
        while True:
            message = await peer.receive()
            if isinstance(message, Ping):
                pings.append(message)

    client = await start_client(await raw_serve(swallow), ping_interval_seconds=0.1)
    clock = asyncio.get_running_loop().time
    began = clock()
    with pytest.raises(ConnectionLost, match="no sign of life for 2 pings") as caught:
        await client.call("t", "m", b"", 30)
    assert 0.25 < clock() - began < 15
    assert caught.value.executed == "maybe"
    await until(lambda: len(pings) == 2)


async def test_a_peer_that_answers_pings_may_take_its_time(raw_serve: RawServe, start_client: Connect):
    """A slow program on a living peer is not a lost connection; without calls nobody is asked."""
    pings: list[Ping] = []

    async def slow(peer: RawPeer) -> None:
        await peer.welcome()
        call = await peer.receive()
        assert isinstance(call, Call)
        while len(pings) < 6:
            message = await peer.receive()
            assert isinstance(message, Ping)
            pings.append(message)
            peer.send(Pong(message.token))
        peer.send(Result(call.id, b"done"))
        await asyncio.sleep(60)

    client = await start_client(await raw_serve(slow), ping_interval_seconds=0.02, ping_misses=4)
    assert await client.call("t", "m", b"", 30) == b"done"
    await asyncio.sleep(0.1)
    assert len(pings) == 6


async def test_a_drip_is_no_sign_of_life(raw_serve: RawServe, start_client: Connect):
    """A peer that sends a byte now and then does not hold its callers until their deadline."""

    async def drip(peer: RawPeer) -> None:
        await peer.welcome()
        peer.writer.write(HEADER.pack(1000))
        while True:
            peer.writer.write(b"x")
            await asyncio.sleep(0.02)

    client = await start_client(await raw_serve(drip), ping_interval_seconds=0.1)
    with pytest.raises(ConnectionLost, match="no sign of life"):
        await client.call("t", "m", b"", 30)


async def test_a_large_answer_on_its_way_is_a_sign_of_life(raw_serve: RawServe, start_client: Connect):
    """A pong that is stuck behind a large result is not missed as long as the result moves."""

    async def large(peer: RawPeer) -> None:
        await peer.welcome()
        call = await peer.receive()
        assert isinstance(call, Call)
        body = b"\x93\x11" + bytes([call.id]) + b"\xc6" + HEADER.pack(40_000) + b"x" * 40_000
        peer.writer.write(HEADER.pack(len(body)))
        for start in range(0, len(body), 4_000):
            assert isinstance(await peer.receive(), Ping)
            peer.writer.write(body[start : start + 4_000])
        await asyncio.sleep(60)

    client = await start_client(await raw_serve(large), ping_interval_seconds=0.05, ping_misses=4)
    assert len(await client.call("t", "m", b"", 30)) == 40_000


async def test_after_a_go_away_open_calls_finish_and_new_ones_are_refused(raw_serve: RawServe, start_client: Connect):
    """The connection closes itself when the last answer is there; its owner is told once."""
    told: list[object] = []
    may_answer = asyncio.Event()

    async def drain(peer: RawPeer) -> None:
        await peer.welcome()
        call = await peer.receive()
        assert isinstance(call, Call)
        peer.send(GoAway("draining", "maintenance"))
        await may_answer.wait()
        peer.send(Result(call.id, b"finished"))
        assert await peer.at_end()

    client = await start_client(await raw_serve(drain))
    client.on_draining = told.append
    open_call = asyncio.create_task(client.call("t", "m", b"", 30))
    await until(lambda: client.draining)
    with pytest.raises(PeerShuttingDown, match="maintenance") as caught:
        await client.call("t", "m", b"", 30)
    assert caught.value.executed == "no"
    may_answer.set()
    assert await open_call == b"finished"
    await asyncio.wait_for(client.wait_closed(), 30)
    assert told == [client]


async def test_a_go_away_refuses_those_who_wait_for_a_place(raw_serve: RawServe, start_client: Connect):
    """A caller that has not been sent yet hears at once that it was not executed."""

    async def drain(peer: RawPeer) -> None:
        await peer.welcome(window=1)
        await peer.receive()
        peer.send(GoAway("draining", "maintenance"))
        await asyncio.sleep(60)

    client = await start_client(await raw_serve(drain))
    open_call = asyncio.create_task(client.call("t", "m", b"", 30))
    waiting = asyncio.create_task(client.call("t", "m", b"", 30))
    with pytest.raises(PeerShuttingDown) as caught:
        await asyncio.wait_for(waiting, 30)
    assert caught.value.executed == "no"
    assert not open_call.done()
    open_call.cancel()


async def test_a_peer_that_does_not_read_holds_its_callers_not_our_memory(raw_serve: RawServe, start_client: Connect):
    """What waits to be sent is bounded by the high-water mark and one call, whatever callers want."""

    async def deaf(peer: RawPeer) -> None:
        await peer.welcome(window=1000)
        peer.writer.transport.pause_reading()  # pyright: ignore[reportAttributeAccessIssue]
        await asyncio.sleep(60)

    client = await start_client(await raw_serve(deaf), write_high_water_bytes=100_000)
    calls = [asyncio.create_task(client.call("t", "m", b"x" * 50_000, 0.3)) for _ in range(900)]
    await asyncio.sleep(0.1)
    assert client.link.unsent_bytes < 200_000
    failures = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(failure, DeadlineExceeded) for failure in failures)
    assert sum(getattr(failure, "executed", None) == "no" for failure in failures) > 600


async def test_a_peer_that_never_reads_again_is_cut(raw_serve: RawServe, start_client: Connect):
    """A stalled connection ends after its limit."""

    async def deaf(peer: RawPeer) -> None:
        await peer.welcome(window=1000)
        peer.writer.transport.pause_reading()  # pyright: ignore[reportAttributeAccessIssue]
        await asyncio.sleep(60)

    settings = {"write_high_water_bytes": 100_000, "stall_seconds": 0.2}
    client = await start_client(await raw_serve(deaf), **settings)
    calls = [asyncio.create_task(client.call("t", "m", b"x" * 900_000 * (n < 30), 30)) for n in range(31)]
    failures = await asyncio.gather(*calls, return_exceptions=True)
    assert all("has not read for 0.2 s" in str(failure) for failure in failures)


SERVER = """
import asyncio, sys
from hotplane.valkyrie import serve
async def handler(call):
    await asyncio.sleep(60 if call.method == "hang" else 0)
    return call.payload
async def main():
    await serve("unix://" + sys.argv[1], handler)
    print("ready", flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""


@pytest.mark.parametrize("fault", [signal.SIGKILL, signal.SIGSTOP])
async def test_a_killed_or_frozen_process_is_lost(start_client: Connect, tmp_path: Path, fault: signal.Signals):
    """Death is noticed at once, freezing by the pings; both may have executed the call."""
    path = str(tmp_path / "s")
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", SERVER, path, stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
        patient = await start_client(f"unix://{path}")
        assert await patient.call("t", "echo", b"x", 30) == b"x"
        frozen = {"ping_interval_seconds": 0.2} if fault is signal.SIGSTOP else {}
        client = await start_client(f"unix://{path}", **frozen)
        task = asyncio.create_task(client.call("t", "hang", b"", 30))
        await asyncio.sleep(0.05)
        os.kill(process.pid, fault)
        with pytest.raises(ConnectionLost) as caught:
            await task
        assert caught.value.executed == "maybe"
        assert ("no sign of life" in str(caught.value)) is (fault is signal.SIGSTOP)
    finally:
        with suppress(ProcessLookupError):  # it may have been killed already
            process.kill()
        await process.wait()
