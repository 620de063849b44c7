"""A receiver that really listens, and does what a test says."""

from __future__ import annotations

import socket
import time

import pytest

from hotplane.builtin.webhooks.keys import new_secret
from hotplane.builtin.webhooks.signing import SignatureRefused
from hotplane.testing import FakeHost, Receiver


def fail(value: object) -> None:
    """Be a program that fails."""
    raise ValueError(value)


def handled(receiver: Receiver, secret: str) -> FakeHost:
    """Return a host with the HTTP handler that ships."""
    entry = {
        "name": "http-webhook-handler",
        "configuration": {"url": f"{receiver.url}/hook", "secrets": [secret], "events": ["program.execution.failed"]},
        "delivery": {"schedule_seconds": [0.05, 0.05, 0.05]},
    }
    return FakeHost(programs={"fail": fail}, settings={"plugins": {"webhook_handlers": [entry]}})


async def test_what_a_host_sends_is_received_and_verified(hotplane_receiver: Receiver):
    """The signature of the real handler is right, and of no other key."""
    secret = new_secret()
    async with handled(hotplane_receiver, secret) as host:
        await host.execute("fail")
        (request,) = await hotplane_receiver.received(timeout=60)
    assert request.verify(secret) == request.headers["webhook-id"]
    for key, now in ((new_secret(), None), (secret, time.time() + 3600)):
        with pytest.raises(SignatureRefused):
            request.verify(key, now=now)


async def test_a_failure_is_tried_again(hotplane_receiver: Receiver):
    """What is said for some times comes first, then what was said for good; the message is the same."""
    hotplane_receiver.answers(503, "busy", times=2, retry_after="0")
    async with handled(hotplane_receiver, new_secret()) as host:
        await host.execute("fail")
        requests = await hotplane_receiver.received(3, timeout=60)
    assert len({request.headers["webhook-id"] for request in requests}) == 1


async def test_what_is_gone_gets_nothing_more(hotplane_receiver: Receiver):
    """After 410 the handler is disabled, as by any receiver."""
    hotplane_receiver.is_gone()
    async with handled(hotplane_receiver, new_secret()) as host:
        await host.execute("fail")
        await hotplane_receiver.received(timeout=60)
        assert len(hotplane_receiver.requests) == 1


def test_closing_lets_waiting_answers_go():
    """A delay of an hour does not keep a test, and waiting in vain ends."""
    with (
        Receiver() as receiver,
        socket.create_connection(("127.0.0.1", int(receiver.url.rpartition(":")[2]))) as asking,
    ):
        receiver.delays(3600)
        asking.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert receiver.wait(timeout=60)[0].method == "GET"
        with pytest.raises(TimeoutError, match="1 of 2"):
            receiver.wait(2, timeout=0.05)
        began = time.monotonic()
    assert time.monotonic() - began < 30
