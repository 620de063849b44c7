"""Looking names up, with name servers that hang."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from threading import Event

import pytest

from hotplane.network.failures import LookupFailed
from hotplane.network.lookup import Lookups, system_addresses

LONG = 30.0
"""Seconds that no lookup takes here which is to succeed."""


class NameServer:
    """Answers when it is told to."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.began = Event()
        self.answers = Event()

    def __call__(self, host: str) -> tuple[str, ...]:
        self.asked.append(host)
        self.began.set()
        self.answers.wait(LONG)
        return (f"{host}-address",)


@pytest.fixture
def silent() -> Iterator[NameServer]:
    """Give a name server that says nothing; in the end it answers, so that no thread stays."""
    server = NameServer()
    yield server
    server.answers.set()


async def until_idle(lookups: Lookups) -> None:
    """Wait until every thread has come back."""
    async with asyncio.timeout(LONG):
        while lookups.running:  # noqa: ASYNC110 - threads come back without telling
            await asyncio.sleep(0.005)


async def test_a_name_is_looked_up_in_a_thread() -> None:
    """The addresses come in their order."""
    assert await Lookups(look_up=lambda host: [host, "b"], timeout_seconds=LONG).addresses("a") == ("a", "b")


async def test_the_system_is_asked_by_default() -> None:
    """It knows this machine."""
    assert set(await Lookups(timeout_seconds=LONG).addresses("localhost")) <= {"127.0.0.1", "::1"}
    assert system_addresses("127.1") == ("127.0.0.1",)


@pytest.mark.parametrize("host", ["name.invalid", "a..b", "a" * 70 + ".example", "a\0b", "a b"])
async def test_what_has_no_address_fails_in_one_way(host: str) -> None:
    """Also what is no name at all, which raises something else in the system's lookup."""
    with pytest.raises(LookupFailed, match="looked up"):
        await Lookups().addresses(host)


@pytest.mark.parametrize("answer", [[], None])
async def test_a_lookup_that_is_broken_is_a_failed_one(answer: list[str]) -> None:
    """Nothing found, and an error of the code itself."""
    with pytest.raises(LookupFailed):
        await Lookups(look_up=lambda _: answer).addresses("a")


async def test_a_silent_name_server_costs_the_limit_and_no_more(silent: NameServer) -> None:
    """The caller goes on; the thread counts until it comes back."""
    lookups = Lookups(look_up=silent, timeout_seconds=0.05)
    with pytest.raises(LookupFailed, match=r"0\.05 s"):
        await lookups.addresses("a")
    assert lookups.running == 1
    silent.answers.set()
    await until_idle(lookups)


async def test_callers_of_one_name_share_a_lookup(silent: NameServer) -> None:
    """However many ask, and also when one of them leaves."""
    lookups = Lookups(look_up=silent, timeout_seconds=LONG)
    callers = [asyncio.create_task(lookups.addresses("a")) for _ in range(50)]
    await asyncio.sleep(0)
    callers[0].cancel()
    silent.answers.set()
    assert await asyncio.gather(*callers[1:]) == [("a-address",)] * 49
    assert silent.asked == ["a"]


async def test_a_name_that_hangs_takes_one_thread(silent: NameServer) -> None:
    """Who asks again waits for the same lookup, so that the other threads stay free."""
    lookups = Lookups(look_up=silent, timeout_seconds=0.02, max_threads=2)
    for _ in range(5):
        with pytest.raises(LookupFailed):
            await lookups.addresses("a")
    assert await asyncio.to_thread(silent.began.wait, LONG)
    assert (silent.asked, lookups.running) == (["a"], 1)


async def test_names_wait_for_a_free_thread(silent: NameServer) -> None:
    """In their order, and none is forgotten."""
    lookups = Lookups(look_up=silent, timeout_seconds=LONG, max_threads=1)
    callers = [asyncio.create_task(lookups.addresses(name)) for name in "abc"]
    await asyncio.sleep(0)
    assert lookups.running == 1
    silent.answers.set()
    assert await asyncio.gather(*callers) == [("a-address",), ("b-address",), ("c-address",)]
    assert silent.asked == ["a", "b", "c"]


async def test_a_name_whose_time_was_over_in_the_queue_is_not_looked_up(silent: NameServer) -> None:
    """Nobody wants to know any more."""
    lookups = Lookups(look_up=silent, timeout_seconds=0.05, max_threads=1)
    await asyncio.gather(*(lookups.addresses(name) for name in "abc"), return_exceptions=True)
    silent.answers.set()
    await until_idle(lookups)
    assert silent.asked == ["a"]
    lookups._timeout = LONG
    assert await lookups.addresses("b") == ("b-address",)


async def test_too_many_names_are_refused_at_once(silent: NameServer) -> None:
    """The queue has an end."""
    lookups = Lookups(look_up=silent, timeout_seconds=LONG, max_threads=1, max_waiting=1)
    waiting = [asyncio.create_task(lookups.addresses(name)) for name in "ab"]
    await asyncio.sleep(0)
    with pytest.raises(LookupFailed, match="too many"):
        await lookups.addresses("c")
    silent.answers.set()
    await asyncio.gather(*waiting)


async def test_a_machine_without_threads_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    """And tries again with the next name."""

    def refuse(_thread: object) -> None:
        raise RuntimeError("can't start new thread")

    lookups = Lookups(look_up=lambda host: [host], timeout_seconds=LONG)
    with monkeypatch.context() as patch:
        patch.setattr("threading.Thread.start", refuse)
        with pytest.raises(LookupFailed, match="no thread"):
            await lookups.addresses("a")
    assert await lookups.addresses("a") == ("a",)


def test_a_lookup_that_hangs_does_not_keep_the_process() -> None:
    """Its thread is a daemon."""
    program = (
        "import asyncio, time\n"
        "from hotplane.network.lookup import Lookups\n"
        "async def main():\n"
        "    try:\n"
        "        await Lookups(look_up=lambda _: time.sleep(60), timeout_seconds=0.05).addresses('a')\n"
        "    except OSError as error:\n"
        "        print(error)\n"
        "asyncio.run(main())\n"
    )
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=50, check=True)
    assert "0.05 s" in done.stdout
    assert time.monotonic() - began < 30
