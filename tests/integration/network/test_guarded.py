"""The guarded client beside real sockets: where it connects, and where it does not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from ipaddress import ip_network
from threading import Event
from typing import Any

import pytest

from hotplane.network import (
    AddressRefused,
    AllowedOrigins,
    AnswerLost,
    AnswerTooLarge,
    GuardedAddresses,
    InvalidAddress,
    Lookups,
    NoConnection,
    OutboundClient,
    OutboundSettings,
)
from tests.integration.network.conftest import unanswered

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\neggs"
PUBLIC, PRIVATE = "127.0.0.2", "127.0.0.1"
"""Two addresses of this machine, one of which an operator allows so that it passes for public."""


class Machine:
    """Listens on all of 127.0.0.0/8, notes at which address it was reached, and answers with a script."""

    def __init__(self) -> None:
        self.reached: list[str] = []
        self.script: bytes | Handler = ANSWER
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reached.append(writer.get_extra_info("sockname")[0])
        try:
            await reader.readuntil(b"\r\n\r\n")
            if isinstance(self.script, bytes):
                writer.write(self.script)
            else:
                await self.script(reader, writer)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()


@pytest.fixture
async def machine() -> AsyncIterator[Machine]:
    """Give a server that can be reached at every loopback address."""
    made = Machine()
    listening = await asyncio.start_server(made.serve, "0.0.0.0", 0)
    made.port = listening.sockets[0].getsockname()[1]
    yield made
    listening.close()


class Names:
    """A name server that gives its answers one after the other, the last one for ever."""

    def __init__(self, *answers: tuple[str, ...]) -> None:
        self.answers = list(answers)
        self.asked = 0

    def __call__(self, host: str) -> tuple[str, ...]:
        self.asked += 1
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.fixture
async def guarded() -> AsyncIterator[Callable[..., OutboundClient]]:
    """Give a maker of guarded clients, for which `PUBLIC` is public."""
    made: list[OutboundClient] = []

    def make(names: Names | None = None, **exact: int) -> OutboundClient:
        policy = GuardedAddresses([ip_network(PUBLIC)], exact.items())
        lookups = Lookups(look_up=names) if names else None
        made.append(OutboundClient(policy, OutboundSettings(max_answer_bytes=1_000), lookups=lookups))
        return made[-1]

    yield make
    for client in made:
        await client.close()


async def test_what_was_checked_is_what_is_connected_to(machine: Machine, guarded: Any) -> None:
    """A name that leads elsewhere after the check gains nothing: nobody looks it up again."""
    names = Names((PUBLIC,), (PRIVATE,))
    answer = await guarded(names).request("GET", f"http://rebinding.example:{machine.port}")
    assert (answer.status, names.asked, machine.reached) == (200, 1, [PUBLIC])


async def test_a_name_that_was_public_is_refused_once_it_is_not(machine: Machine, guarded: Any) -> None:
    """Every new lookup is checked anew, over HTTP and without."""
    client = guarded(Names((PUBLIC,), (PRIVATE,)))
    connected = await client.connect("rebinding.example", machine.port)
    connected.close()
    with pytest.raises(AddressRefused):
        await client.connect("rebinding.example", machine.port)
    with pytest.raises(AddressRefused):
        await client.request("GET", f"http://rebinding.example:{machine.port}")
    assert machine.reached == [PUBLIC]


async def test_the_address_of_the_socket_is_checked_again(machine: Machine) -> None:
    """Should anything come between lookup and connection, it does not get past the second look."""

    class Fickle(AllowedOrigins):
        looks = 0

        def check_address(self, host: str, port: int, address: str) -> None:
            self.looks += 1
            if self.looks > 1:
                raise AddressRefused(f"{host}:{port}", "it has changed")

    url = f"http://name.example:{machine.port}"
    client = OutboundClient(Fickle([url]), lookups=Lookups(look_up=Names((PUBLIC,))))
    with pytest.raises(AddressRefused, match="it has changed"):
        await client.request("GET", url)
    await client.close()
    assert machine.reached == []


@pytest.mark.parametrize("answers", [(PUBLIC, PRIVATE), (PRIVATE, PUBLIC), (PUBLIC, "::ffff:10.0.0.1")])
async def test_one_private_address_refuses_the_name(machine: Machine, guarded: Any, answers: tuple[str, ...]) -> None:
    """Wherever it stands among the others."""
    client = guarded(Names(answers))
    with pytest.raises(AddressRefused):
        await client.request("GET", f"http://split.example:{machine.port}")
    with pytest.raises(AddressRefused):
        await client.connect("split.example", machine.port)
    assert machine.reached == []


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "0x7f.1",
        "0x7f000001",
        "2130706433",
        "0177.0.0.1",
        "0.0.0.0",
        "localhost",
        "LOCALHOST.",
        "１２７.0.0.1",
        "[::ffff:127.0.0.1]",
        "[::1]",
        "[::1%25lo]",
        "[::]",
        "[64:ff9b::7f00:1]",
    ],
)
async def test_this_machine_is_not_reached_in_any_spelling(machine: Machine, guarded: Any, host: str) -> None:
    """With the system's own lookup."""
    with pytest.raises((AddressRefused, NoConnection)):
        await guarded().request("GET", f"http://{host}:{machine.port}/")
    with pytest.raises((AddressRefused, NoConnection, InvalidAddress)):
        await guarded().connect(host.strip("[]"), machine.port)
    assert machine.reached == []


async def test_a_server_that_the_operator_wrote_is_reached_wherever_it_is(machine: Machine, guarded: Any) -> None:
    """On its port, by its name, and by no other."""
    client = guarded(Names((PRIVATE,)), **{"hooks.internal": machine.port})
    assert (await client.request("GET", f"http://Hooks.internal.:{machine.port}")).status == 200
    with pytest.raises(AddressRefused):
        await client.request("GET", f"http://other.internal:{machine.port}")
    with pytest.raises(AddressRefused):
        await client.request("GET", f"http://{PRIVATE}:{machine.port}")
    assert machine.reached == [PRIVATE]


async def test_a_redirect_to_a_private_address_is_not_followed(machine: Machine, guarded: Any) -> None:
    """The caller gets the 301."""
    target = f"http://{PRIVATE}:{machine.port}/admin"
    machine.script = f"HTTP/1.1 301 Moved\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n".encode()
    answer = await guarded().request("POST", f"http://{PUBLIC}:{machine.port}", body=b"{}")
    assert (answer.status, answer.headers["location"], machine.reached) == (301, target, [PUBLIC])


@pytest.mark.parametrize(
    "beginning", [b"HTTP/1.1 200 ", b"HTTP/1.1 200 OK\r\nX-Long: ", b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"]
)
async def test_a_byte_now_and_then_does_not_prolong_the_time(machine: Machine, guarded: Any, beginning: bytes) -> None:
    """In the status line, in a header, in the body."""

    async def trickle(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(beginning)
        while True:
            writer.write(b"H")
            await writer.drain()
            await asyncio.sleep(0.02)

    machine.script = trickle
    assert (await unanswered(guarded(), "GET", f"http://{PUBLIC}:{machine.port}", 0.2)).sent


async def endless(writer: asyncio.StreamWriter, beginning: bytes, again: bytes) -> None:
    """Write `again` until the other side has had enough."""
    writer.write(beginning)
    while True:
        writer.write(again)
        await writer.drain()


@pytest.mark.parametrize("head", ["Connection: close", "Transfer-Encoding: chunked", "Content-Length: 999999999999"])
async def test_an_endless_body_ends_at_the_limit(machine: Machine, guarded: Any, head: str) -> None:
    """Long before the time is over."""
    piece = b"100\r\n" + b"x" * 256 + b"\r\n" if "chunked" in head else b"x" * 256
    machine.script = lambda _, writer: endless(writer, f"HTTP/1.1 200 OK\r\n{head}\r\n\r\n".encode(), piece)
    with pytest.raises(AnswerTooLarge):
        await guarded().request("GET", f"http://{PUBLIC}:{machine.port}")


@pytest.mark.parametrize("piece", [b"x" * 256, b"X-More: x\r\n"], ids=["one-header", "many-headers"])
async def test_an_endless_header_ends_at_the_limit(machine: Machine, guarded: Any, piece: bytes) -> None:
    """One that never stops, and one after the other."""
    machine.script = lambda _, writer: endless(writer, b"HTTP/1.1 200 OK\r\nX-First: ", piece)
    with pytest.raises(AnswerLost, match="header"):
        await guarded().request("GET", f"http://{PUBLIC}:{machine.port}")


async def test_a_silent_name_server_ends_in_no_connection() -> None:
    """And says that it was the name."""
    answers = Event()
    lookups = Lookups(look_up=lambda host: (host,) * answers.wait(30.0), timeout_seconds=0.05)
    client = OutboundClient(GuardedAddresses(), lookups=lookups)
    with pytest.raises(NoConnection, match="not looked up within"):
        await client.request("GET", "http://name.example")
    answers.set()
    await client.close()
