"""Driving a server; these tests answer in its place, the acceptance test drives a real one."""

import asyncio
from collections import Counter

import httpx2
import msgspec
import pytest

from examples.demo.drive import Driver, swap_plugins
from examples.demo.failure import DemoFailed
from examples.demo.messages import Message
from examples.demo.tally import Phase, Tally
from hotplane.records import Execution, ExecutionStatus, now

MESSAGES = [Message({"text": str(number)}, "ham") for number in range(40)]


class Service:
    """Answers as a host would; `answer` may be replaced to answer otherwise."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, object]] = []
        self.at_once = self.most_at_once = 0
        self.thirty = asyncio.Event()
        self.managed: list[tuple[str, str, bytes]] = []
        self.client = httpx2.AsyncClient(base_url="http://host", transport=httpx2.MockTransport(self._handle))

    def answer(self, number: int) -> httpx2.Response:
        """Return the answer to the request with this number."""
        record = Execution(
            id=f"e{number}", task_id="t", program="m:f", status=ExecutionStatus.SUCCESS, input={}, output="ham",
            started_at=now(),
        )  # fmt: skip
        return httpx2.Response(200, content=msgspec.json.encode(record))

    async def _handle(self, request: httpx2.Request) -> httpx2.Response:
        if request.url.path.startswith("/api/plugins"):
            self.managed.append((request.method, request.url.path, request.content))
            return httpx2.Response(200, json={"priority": 200 if request.method == "PUT" else 50})
        self.bodies.append(msgspec.json.decode(request.content))
        number = len(self.bodies)
        if number == 30:
            self.thirty.set()
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0)
        self.at_once -= 1
        return self.answer(number)


async def nothing() -> None:
    """Change nothing half-way."""


def ignore(tally: Tally) -> None:
    """Show nothing."""


async def test_every_message_is_sent_once():
    """All messages arrive, each once, without an id, and no more at a time than there are connections."""
    service = Service()
    tally = await Driver(service.client, MESSAGES, nothing, ignore, connections=4).run()
    assert Counter(str(body) for body in service.bodies) == Counter(
        str({"input": message.input, "expected": "ham"}) for message in MESSAGES
    )
    assert service.most_at_once == 4
    assert (tally.done, tally.right) == (40, 40)


async def test_the_change_comes_half_way_while_others_go_on():
    """The change happens once, in the middle, and executions are told apart by it."""
    service = Service()
    seen: list[int] = []

    async def halfway() -> None:
        seen.extend((len(service.bodies), driver.tally.done))
        await service.thirty.wait()  # the others go on meanwhile

    driver = Driver(service.client, MESSAGES, halfway, ignore, connections=4)
    tally = await driver.run()
    sent, answered = seen
    assert sent == pytest.approx(20, abs=4)
    assert sent > answered == tally.phases[Phase.BEFORE]  # what was under way then ran neither before nor after
    assert tally.phases[Phase.AFTER] > 0
    assert tally.phases.total() == 40


class Listening:
    """A course that notes what it hears."""

    def __init__(self) -> None:
        self.before_index: list[int] = []
        self.heard: list[str] = []

    async def before(self, index: int) -> None:
        self.before_index.append(index)

    def seen(self, execution: Execution) -> None:
        self.heard.append(execution.id)


async def test_the_course_is_asked_before_and_told_after_every_message():
    """It hears every index once, in order, and every execution."""
    course = Listening()
    await Driver(Service().client, MESSAGES, nothing, ignore, connections=4, course=course).run()
    assert course.before_index == list(range(40))
    assert sorted(course.heard) == sorted(f"e{number}" for number in range(1, 41))


async def test_a_single_message_has_its_change_too():
    """The shortest file is changed before its only message."""
    tally = await Driver(Service().client, MESSAGES[:1], nothing, ignore).run()
    assert tally.phases == {Phase.AFTER: 1}


async def test_refusals_do_not_stop_the_run():
    """Rejected inputs and problem documents are counted, and the rest is sent."""
    service = Service()
    problem = httpx2.Response(422, json={"title": "Input rejected", "code": "input-rejected"})
    service.answer = lambda number: problem if number == 3 else httpx2.Response(503)  # type: ignore[method-assign]
    tally = await Driver(service.client, MESSAGES, nothing, ignore).run()
    assert tally.statuses == {"rejected": 1}
    assert tally.failures == {"503 Service Unavailable": 39}


async def test_an_answer_that_is_no_execution_ends_the_run():
    """Something else than a host answers: the message says so."""
    service = Service()
    service.answer = lambda number: httpx2.Response(200, json={"hello": "world"})  # type: ignore[method-assign]
    with pytest.raises(DemoFailed, match="not an execution"):
        await Driver(service.client, MESSAGES, nothing, ignore).run()


async def test_a_server_that_goes_away_ends_the_run():
    """The first transport error comes out as it is."""

    def refuse(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("gone", request=request)

    client = httpx2.AsyncClient(base_url="http://host", transport=httpx2.MockTransport(refuse))
    with pytest.raises(httpx2.ConnectError):
        await Driver(client, MESSAGES, nothing, ignore).run()


async def test_the_swap_disables_one_plugin_and_moves_another():
    """It calls the management API as documented and reports both priorities."""
    service = Service()
    swap = await swap_plugins(service.client)
    assert (swap.priority_before, swap.priority_after) == (50, 200)
    assert service.managed == [
        ("POST", "/api/plugins/time-based-sampler/disable", b""),
        ("GET", "/api/plugins/link-and-prize", b""),
        ("PUT", "/api/plugins/link-and-prize/priority", b'{"priority":200}'),
    ]


async def test_a_refused_change_is_explained():
    """The problem's title is in the message."""
    transport = httpx2.MockTransport(
        lambda request: httpx2.Response(404, json={"title": "Unknown plugin", "detail": "No such."})
    )
    async with httpx2.AsyncClient(base_url="http://host", transport=transport) as client:
        with pytest.raises(DemoFailed, match=r"disable was refused: 404 Unknown plugin\. No such\."):
            await swap_plugins(client)
