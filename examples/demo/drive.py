"""Sending the messages and, half-way, changing the running host. Imports `messages`, `tally`, `failure`, httpx2."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from time import perf_counter
from typing import Any, Protocol

import httpx2
import msgspec

from examples.demo.failure import DemoFailed
from examples.demo.messages import Message
from examples.demo.tally import Phase, Tally
from hotplane.errors import InputRejected
from hotplane.records import Execution

__all__ = ["DISABLED", "MOVED", "TASK", "Course", "Driver", "Swap", "new_client", "swap_plugins"]

TASK = "spam-detector"
DISABLED = "time-based-sampler"
MOVED = "link-and-prize"
MOVED_TO = 200
REQUEST_TIMEOUT = 30.0
"""Seconds; the task's own deadline is much shorter."""

_EXECUTIONS = msgspec.json.Decoder(Execution)
_JSON = {"content-type": "application/json"}


@dataclass(frozen=True, slots=True)
class Swap:
    """What was changed in the running host."""

    disabled: str
    moved: str
    priority_before: int
    priority_after: int


def new_client(url: str, connections: int) -> httpx2.AsyncClient:
    """Return a client that keeps `connections` connections open."""
    limits = httpx2.Limits(max_connections=connections, max_keepalive_connections=connections)
    return httpx2.AsyncClient(base_url=url, limits=limits, timeout=REQUEST_TIMEOUT, trust_env=False)


async def swap_plugins(client: httpx2.AsyncClient) -> Swap:
    """Disable one plugin of the running host and move another to the front.

    Raises:
        DemoFailed: The host refused.
    """
    await _manage(client, "POST", f"/api/plugins/{DISABLED}/disable")
    before = await _manage(client, "GET", f"/api/plugins/{MOVED}")
    after = await _manage(client, "PUT", f"/api/plugins/{MOVED}/priority", {"priority": MOVED_TO})
    return Swap(DISABLED, MOVED, int(before["priority"]), int(after["priority"]))


async def _manage(
    client: httpx2.AsyncClient, method: str, path: str, body: dict[str, int] | None = None
) -> dict[str, Any]:
    response = await client.request(method, path, json=body)
    if response.is_error:
        problem = _problem(response)
        raise DemoFailed(f"{method} {path} was refused: {problem.title}. {problem.detail}".rstrip())
    return response.json()


class Course(Protocol):
    """What else happens while messages are sent."""

    async def before(self, index: int) -> None:
        """Wait until it is the turn of the message with this index, and do what is to happen before it."""
        ...

    def seen(self, execution: Execution) -> None:
        """Hear of an answer."""
        ...


class _Undisturbed:
    """Messages are sent as fast as they are answered."""

    async def before(self, index: int) -> None:
        """Do not wait."""

    def seen(self, execution: Execution) -> None:
        """Do nothing."""


@dataclass(slots=True)
class Driver:
    """Sends messages over several connections at once and tallies the answers.

    The connection that draws the middle message first awaits `halfway` while the others go on sending; likewise what
    `course` does before a message holds up no other connection, unless it means to.
    """

    client: httpx2.AsyncClient
    messages: Sequence[Message]
    halfway: Callable[[], Awaitable[None]]
    answered: Callable[[Tally], None]
    """Called after every answer."""
    connections: int = 16
    course: Course = field(default_factory=_Undisturbed)
    tally: Tally = field(default_factory=Tally)
    phase: Phase = Phase.BEFORE

    async def run(self) -> Tally:
        """Send every message once.

        Raises:
            httpx2.TransportError: The server went away.
            DemoFailed: The server refused the change, or answered something else than an execution.
        """
        queue = iter(enumerate(self.messages))
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(self.connections, len(self.messages))):
                    group.create_task(self._work(queue))
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None  # the first says why; the others are its echo
        return self.tally

    async def _work(self, queue: Iterator[tuple[int, Message]]) -> None:
        for index, message in queue:
            if index == len(self.messages) // 2:
                self.phase = Phase.DURING
                await self.halfway()
                self.phase = Phase.AFTER
            await self.course.before(index)
            await self._send(message)
            self.answered(self.tally)

    async def _send(self, message: Message) -> None:
        phase = self.phase
        content = msgspec.json.encode(message)
        began = perf_counter()
        response = await self.client.post(f"/api/tasks/{TASK}/execute", content=content, headers=_JSON)
        elapsed = (perf_counter() - began) * 1_000.0
        if response.status_code == HTTPStatus.OK:
            ran = phase if phase is self.phase else Phase.DURING
            execution = _execution(response)
            self.tally.add(execution, message.expected, elapsed, ran)
            self.course.seen(execution)
        else:
            problem = _problem(response)
            rejected = problem.code == InputRejected.code
            self.tally.refuse(problem.title, elapsed, rejected=rejected, failed=response.is_server_error)


def _execution(response: httpx2.Response) -> Execution:
    try:
        return _EXECUTIONS.decode(response.content)
    except msgspec.DecodeError as error:
        raise DemoFailed(f"The server answered {response.status_code}, but not an execution: {error}") from error


class _Problem(msgspec.Struct, frozen=True):
    """What is read of a problem document (RFC 9457)."""

    title: str
    detail: str = ""
    code: str = ""


def _problem(response: httpx2.Response) -> _Problem:
    """Return what a problem document says, and the status line of any other answer."""
    try:
        problem = msgspec.json.decode(response.content, type=_Problem)
    except msgspec.DecodeError:
        return _Problem(f"{response.status_code} {response.reason_phrase}")
    return _Problem(f"{response.status_code} {problem.title}", problem.detail, problem.code)
