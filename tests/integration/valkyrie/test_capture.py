"""A live exchange, captured between client and server, reads as the specification says."""

import asyncio

import pytest

from hotplane.valkyrie import Call, ProgramFailed
from tests.integration.valkyrie.conftest import Connect, RawPeer, RawServe, Serve
from tests.unit.valkyrie import independent_reader as reader

SECRET = "a shared secret of 32 characters"


async def test_a_live_exchange_is_decoded_by_the_independent_reader(
    start_server: Serve, start_client: Connect, raw_serve: RawServe
):
    """Hellos, proofs, call, error and ping pass a wiretap and are read without the implementation's code."""

    async def handler(call: Call) -> bytes:
        if call.method == "fail":
            raise ProgramFailed("no", type="ValueError")
        return call.payload[::-1]

    server = await start_server(handler, secret=SECRET)
    wire: dict[str, bytearray] = {"client": bytearray(), "server": bytearray()}

    async def tap(peer: RawPeer) -> None:
        reading, writing = await asyncio.open_connection(server.endpoint.host, server.endpoint.port)
        try:
            await asyncio.gather(pump(peer.reader, writing, wire["client"]), pump(reading, peer.writer, wire["server"]))
        finally:
            writing.transport.abort()

    client = await start_client(await raw_serve(tap), secret=SECRET)
    assert await client.call("t", "m", b"abc", 30) == b"cba"
    with pytest.raises(ProgramFailed):
        await client.call("t", "fail", b"", 30)
    await client.ping(30)

    sent, received = (reader.split_frames(bytes(wire[side])) for side in ("client", "server"))
    assert kinds(sent) == ["client-hello", "proof", "call", "call", "ping"]
    assert kinds(received) == ["server-hello", "proof", "result", "error", "pong"]
    assert reader.read_message(sent[1])["mac"] == reader.expected_proof(SECRET.encode(), "client", sent[0], received[0])
    assert reader.read_message(received[1])["mac"] == reader.expected_proof(
        SECRET.encode(), "server", sent[0], received[0]
    )
    assert reader.read_message(received[2]) == {"kind": "result", "id": 1, "payload": b"cba".hex()}


async def pump(reading: asyncio.StreamReader, writing: asyncio.StreamWriter, log: bytearray) -> None:
    """Pass on and write down everything."""
    while data := await reading.read(65_536):
        log += data
        writing.write(data)


def kinds(bodies: list[bytes]) -> list[str]:
    """Return what kinds of message these are."""
    return [reader.read_message(body)["kind"] for body in bodies]
