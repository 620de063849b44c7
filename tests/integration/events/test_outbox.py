"""The outbox in a whole host, on both kinds of store, with handlers of the test's own."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any, ClassVar

import pytest

from hotplane import Hotplane
from hotplane.errors import DeliveryUnderWay, HandlerNotServing, UnknownDelivery
from hotplane.events import DeliverySettings, attempts, lane, queues
from hotplane.host.exposition import Family
from hotplane.plugins import DeliveryFailed, Receipt, WebhookContext, WebhookHandler
from hotplane.records import Event, EventType, PluginMetadata, now
from hotplane.storage import DeliveryFilter, DeliveryState, EventFilter, EventRange
from tests.integration.events.scene import BREAKER, emit, quick, until

KIND = EventType.TASK_CREATED


class Recorder(WebhookHandler[Any]):
    """Notes what it takes; fails, waits and counts as the test says."""

    metadata = PluginMetadata(name="recorder", version="1.0")
    supported_events = frozenset({KIND, EventType.TASK_UPDATED})

    def __init__(self, config: Any = None) -> None:
        super().__init__(config)
        self.taken: list[Event] = []
        self.contexts: list[WebhookContext] = []
        self.failure: Exception | None = None
        self.open = asyncio.Event()
        self.open.set()
        self.busy: Counter[str | None] = Counter()
        self.together: Counter[str | None] = Counter()

    async def handle(self, event: Event, context: WebhookContext) -> Receipt:
        """Take an event."""
        self.contexts.append(context)
        if context.dry_run:
            return Receipt(response="would")
        self.busy[event.task_id] += 1
        self.together[event.task_id] = max(self.together[event.task_id], self.busy[event.task_id])
        try:
            await asyncio.sleep(0)
            await self.open.wait()
        finally:
            self.busy[event.task_id] -= 1
        if self.failure is not None:
            raise self.failure
        self.taken.append(event)
        return Receipt(status=200, response="ok" * 5_000)


class Other(Recorder):
    metadata = PluginMetadata(name="other", version="1.0")


def make(url: str, handler: Recorder, *, keep: dict[str, Any] | None = None, **delivery: Any) -> Hotplane:
    """Return a host with one handler."""
    host = Hotplane.from_config({"storage": {"url": url}, "events": {"breaker": dict(BREAKER), **(keep or {})}})
    host.register(handler, delivery=quick(**delivery))
    return host


@pytest.fixture
async def handler() -> AsyncIterator[Recorder]:
    """The handler of the test."""
    made = Recorder()
    yield made
    made.open.set()


async def only(host: Hotplane, name: str = "recorder") -> Any:
    """Return the newest delivery."""
    return (await host.outbox.list(name)).items[0]


async def state_is(host: Hotplane, state: DeliveryState) -> bool:
    """Tell whether the newest delivery is in a state."""
    return (await only(host)).state is state


async def test_a_delivery_keeps_what_the_receiver_said(url: str, handler: Recorder) -> None:
    """Status and the first two kilobytes of the answer, with the time that it took."""
    async with make(url, handler) as host:
        (sent,) = await emit(host, 1)
        await until(lambda: state_is(host, DeliveryState.DELIVERED))
        delivery = await only(host)
        assert [event.id for event in handler.taken] == [sent] == [delivery.event_id]
        (attempt,) = delivery.history
        assert (attempt.ok, attempt.status, len(attempt.response), delivery.due_at) == (True, 200, 2_048, None)
        assert handler.contexts[0].max_retries == 60


async def test_a_schedule_that_is_used_up_ends_in_a_dead_letter_that_can_be_replayed(
    url: str, handler: Recorder
) -> None:
    """Every attempt is in the history, and a replay begins anew."""
    handler.failure = DeliveryFailed("no", status=400, response="bad")
    async with make(url, handler, schedule_seconds=[0.01, 0.01]) as host:
        await emit(host, 1)
        await until(lambda: state_is(host, DeliveryState.DEAD))
        dead = await only(host)
        assert (dead.attempts, [each.error for each in dead.history]) == (3, ["no"] * 3)
        assert [context.retry_attempt for context in handler.contexts] == [0, 1, 2]
        handler.failure = None
        again = await host.outbox.replay_range("recorder")
        assert (again.deliveries, again.next_after) == (1, None)
        await until(lambda: state_is(host, DeliveryState.DELIVERED))
        assert len((await only(host)).history) == 4


async def test_a_manual_retry_leaves_the_schedule_alone(url: str, handler: Recorder) -> None:
    """A failed one is noted beside; a good one closes the delivery."""
    handler.failure = DeliveryFailed("no", status=400)
    async with make(url, handler, schedule_seconds=[3_600]) as host:
        await emit(host, 1)
        await until(lambda: state_is(host, DeliveryState.FAILED))
        before = await only(host)
        after = await host.outbox.retry("recorder", before.sequence)
        assert (after.attempts, after.due_at, after.state) == (before.attempts, before.due_at, DeliveryState.FAILED)
        assert [each.by_hand for each in after.history] == [False, True]
        handler.failure = None
        assert (await host.outbox.retry("recorder", before.sequence)).state is DeliveryState.DELIVERED
        with pytest.raises(UnknownDelivery):
            await host.outbox.retry("recorder", 10**6)


async def test_what_is_under_way_is_not_retried_by_hand(url: str, handler: Recorder) -> None:
    """Somebody has a lease on it."""
    handler.open.clear()
    async with make(url, handler) as host:
        await emit(host, 1)
        await until(lambda: handler.contexts)
        with pytest.raises(DeliveryUnderWay):
            await host.outbox.retry("recorder", (await only(host)).sequence)
        handler.open.set()


async def test_a_dry_run_stores_nothing(url: str, handler: Recorder) -> None:
    """The handler is called with `dry_run`, and nobody else hears of it."""
    async with make(url, handler) as host:
        event = Event(id="try", type=KIND, time=now())
        attempt = await host.outbox.try_out("recorder", event)
        assert (attempt.ok, attempt.response, handler.taken) == (True, "would", [])
        assert (await host.outbox.list("recorder")).items == ()
        with pytest.raises(HandlerNotServing, match="takes no events of this type"):
            await host.outbox.try_out("recorder", Event(id="try", type=EventType.TASK_DELETED, time=now()))


async def test_a_handler_added_later_gets_none_of_the_past_unless_asked(url: str, handler: Recorder) -> None:
    """Replay makes the deliveries that never were, page by page, and only of types that it takes."""
    async with make(url, handler) as host:
        sent = await emit(host, 5)
        await emit(host, 2, EventType.TASK_DELETED)
        await until(lambda: len(handler.taken) == 5)
        other = Other()
        await host.load(other)
        await asyncio.sleep(0.1)
        assert other.taken == []
        page = await host.outbox.replay_range("other", dead_only=False, limit=3)
        assert page.deliveries == 3
        assert page.next_after is not None
        rest = await host.outbox.replay_range("other", dead_only=False, limit=3, after=page.next_after)
        assert (rest.deliveries, rest.next_after) == (2, None)
        await until(lambda: len(other.taken) == 5)
        assert [event.id for event in other.taken] == sent


async def test_a_replay_by_time_takes_what_came_in_then(url: str, handler: Recorder) -> None:
    """The range is of the store's own time."""
    async with make(url, handler) as host:
        await emit(host, 2)
        await until(lambda: len(handler.taken) == 2)
        between = now()
        await asyncio.sleep(0.005)
        await emit(host, 1)
        await until(lambda: len(handler.taken) == 3)
        await until(lambda: _settled(host))
        wanted = EventRange(came_from=between, came_to=now() + timedelta(seconds=5))
        assert (await host.outbox.replay_range("recorder", wanted, dead_only=False)).deliveries == 1
        await until(lambda: len(handler.taken) == 4)


async def test_a_slow_handler_delays_nobody_but_itself(url: str, handler: Recorder) -> None:
    """The other one has everything while the first still hangs in its first events."""
    handler.open.clear()
    other = Other()
    host = make(url, handler, concurrency=2)
    host.register(other)
    async with host:
        await emit(host, 200)
        await until(lambda: len(other.taken) == 200)
        await until(lambda: handler.busy.total() == 2)  # its lane may begin after the other one has ended
        assert not handler.taken
        handler.open.set()
        await until(lambda: len(handler.taken) == 200)


async def test_events_of_a_task_come_in_order_and_one_at_a_time(url: str, handler: Recorder) -> None:
    """Two tasks side by side, the events of each one after the other, also when one is refused now and then."""
    async with make(url, handler, order="task", schedule_seconds=[0.01] * 10 + [1.0] * 90) as host:
        sent: dict[str, list[str]] = {"a": [], "b": []}
        for _ in range(30):
            for task in sent:
                sent[task] += await emit(host, 1, task_id=task)
            handler.failure = None if handler.failure else DeliveryFailed("not now", status=400)
        handler.failure = None
        await until(lambda: len(handler.taken) == 60)
        for task, ids in sent.items():
            assert [event.id for event in handler.taken if event.task_id == task] == ids
        assert max(handler.together.values()) == 1


async def test_while_a_destination_is_down_attempts_are_not_counted(url: str, handler: Recorder) -> None:
    """The breaker opens after a few failures, and what waits has been tried never."""
    handler.failure = DeliveryFailed("no connection")
    async with make(url, handler, schedule_seconds=[30.0]) as host:
        await emit(host, 300)
        await until(lambda: any(each.state == "open" for each in host.outbox.breakers()))
        assert len(handler.contexts) < 30
        page = await host.outbox.list("recorder", DeliveryFilter(states=frozenset({DeliveryState.PENDING})), limit=1)
        assert page.items[0].attempts == 0
        handler.failure = None
        await until(lambda: len(handler.taken) >= 300 - len(handler.contexts) // 2)


async def test_a_handler_that_has_failed_misses_nothing(url: str) -> None:
    """It does not start: its events wait, and come when it does."""

    class Broken(Recorder):
        metadata = PluginMetadata(name="broken", version="1.0")
        works = False
        all_taken: ClassVar[list[str]] = []

        def start(self, context: object) -> None:
            if not Broken.works:
                raise RuntimeError("not yet")

        async def handle(self, event: Event, context: WebhookContext) -> Receipt:
            Broken.all_taken.append(event.id)
            return Receipt()

    by_hand = {"restart": {"type": "temporary"}}
    host = Hotplane.from_config({"storage": {"url": url}, "plugins": by_hand})
    host.register(Broken)
    async with host:
        sent = await emit(host, 3)
        assert host.plugins.get("broken").state == "failed"
        Broken.works = True
        await host.plugins.restart("broken")
        await until(lambda: sorted(Broken.all_taken) == sorted(sent))


async def test_what_an_operator_stopped_or_disabled_gets_nothing(url: str, handler: Recorder) -> None:
    """Neither now nor when it is started again."""
    async with make(url, handler) as host:
        await host.plugins.disable("recorder")
        await emit(host, 2)
        await host.plugins.enable("recorder")
        (sent,) = await emit(host, 1)
        await until(lambda: handler.taken)
        await asyncio.sleep(0.1)
        assert [event.id for event in handler.taken] == [sent]


async def test_a_handler_that_nothing_was_taken_of_for_days_is_disabled_with_an_event(
    url: str, handler: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Days pass quickly here: so many hours without a success, and three dead letters."""
    monkeypatch.setattr(attempts, "_JUDGE_SECONDS", 0.0)  # the three may be written down one after the other
    handler.failure = DeliveryFailed("no", status=400)
    async with make(url, handler, schedule_seconds=[0.01], disable_after_hours=1e-6) as host:
        await emit(host, 3)
        await until(lambda: not host.plugins.get("recorder").enabled)
        (event,) = await host.store.list_events(EventFilter(types=frozenset({EventType.WEBHOOK_DISABLED})))
        assert event.payload["plugin"] == "recorder"
        assert "3 deliveries died" in str(event.payload["reason"])


class Gone(Recorder):
    """Answers 410 to the first two calls, each when it is told to."""

    metadata = PluginMetadata(name="gone", version="1.0")

    def __init__(self, config: Any = None) -> None:
        super().__init__(config)
        self.answers = [asyncio.Event(), asyncio.Event()]

    async def handle(self, event: Event, context: WebhookContext) -> Receipt:
        """Want nothing any more, or again."""
        self.contexts.append(context)
        if len(self.contexts) <= len(self.answers):
            await self.answers[len(self.contexts) - 1].wait()
            raise DeliveryFailed("gone", status=410, gone=True)
        return Receipt()


@pytest.mark.parametrize("again", [False, True], ids=["stays disabled", "enabled again"])
async def test_a_receiver_that_is_gone_is_told_of_once(url: str, again: bool) -> None:
    """A second 410 that was under way is no news, and disables nothing that an operator has enabled since."""
    handler = Gone()
    async with make(url, handler, concurrency=2, timeout_seconds=60.0) as host:
        await emit(host, 2)
        await until(lambda: len(handler.contexts) == 2)
        handler.answers[0].set()
        await until(lambda: not host.plugins.get("gone").enabled)
        if again:
            await host.plugins.enable("gone")
        handler.answers[1].set()
        await until(lambda: _failed_all(host))
        assert len(await host.store.list_events(EventFilter(types=frozenset({EventType.WEBHOOK_DISABLED})))) == 1
        assert host.plugins.get("gone").enabled == again


async def _failed_all(host: Hotplane) -> bool:
    return all(each.history and not each.history[0].ok for each in (await host.outbox.list("gone")).items)


async def test_two_hosts_on_one_store_deliver_each_event_once(url: str) -> None:
    """Two writers and two outboxes: nothing is skipped, nothing comes twice."""
    handlers = [Recorder(), Recorder()]
    async with AsyncExitStack() as stack:
        hosts = [await stack.enter_async_context(make(url, each, concurrency=4)) for each in handlers]
        sent = await asyncio.gather(*(_emit_singly(host, 100) for host in hosts))
        await until(lambda: sum(len(each.taken) for each in handlers) >= 200)
        await asyncio.sleep(0.2)
        came = Counter(event.id for each in handlers for event in each.taken)
        assert came == Counter([*sent[0], *sent[1]])


async def _emit_singly(host: Hotplane, count: int) -> list[str]:
    return [(await emit(host, 1))[0] for _ in range(count)]


async def test_a_stop_gives_leases_back_and_the_next_start_goes_on(
    url: str, handler: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What hangs is cut off at the end of the grace, and nothing is lost or counted."""
    monkeypatch.setattr(lane, "_SETTLE_SECONDS", 60.0)
    handler.open.clear()
    host = make(url, handler)
    async with host:
        sent = await emit(host, 50)
        await until(lambda: handler.busy.total() == 8)
        await host.stop(grace=0.3)
    later = Recorder()
    async with make(url, later) as host:
        await until(lambda: len(later.taken) == 50)
        assert {event.id for event in later.taken} == set(sent)
        assert {context.retry_attempt for context in later.contexts} == {0}


async def test_old_events_are_deleted_when_everything_is_delivered(url: str, handler: Recorder) -> None:
    """Dead letters keep their event longer."""
    handler.failure = DeliveryFailed("no", status=400)
    async with make(url, handler, keep={"keep_days": 1e-9}, schedule_seconds=[]) as host:
        (dead,) = await emit(host, 1)
        await until(lambda: state_is(host, DeliveryState.DEAD))
        handler.failure = None
        await emit(host, 700)
        await until(lambda: len(handler.taken) == 700)
        await until(lambda: _settled(host))
        await host.outbox._pruner.prune()
        tasks = await host.store.list_events(EventFilter(types=frozenset({KIND})), limit=1_000)
        assert [event.id for event in tasks] == [dead]
        assert len((await host.outbox.list("recorder")).items) == 1


async def _settled(host: Hotplane) -> bool:
    backlog = (await host.outbox.status("recorder")).backlog
    return not (backlog.pending or backlog.delivering or backlog.failed)


async def test_settings_can_change_while_the_host_runs(url: str, handler: Recorder) -> None:
    """The order is that of the new settings for what comes from then on."""
    async with make(url, handler) as host:
        host.outbox.set_settings("recorder", DeliverySettings(order="task"))
        await emit(host, 1, task_id="t")
        await until(lambda: handler.taken)
        assert (await only(host)).order_key == "t"


def samples_of(families: Iterable[Family]) -> dict[str, float]:
    """Return the values of the handler's series by name, and by outcome where there are several."""
    return {
        family.name + sample.suffix + sample.labels.get("outcome", ""): sample.value
        for family in families
        for sample in family.samples
        if sample.labels["handler"] == "recorder"
    }


async def test_the_metrics_tell_what_was_tried_and_what_waits(
    url: str, handler: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By outcome, with the length and the age of the queue; the counters go on where the handler is disabled."""
    monkeypatch.setattr(queues, "_PATIENCE_SECONDS", 60.0)
    handler.failure = DeliveryFailed("no", status=400)
    async with make(url, handler, schedule_seconds=[0.01]) as host:
        await emit(host, 1)
        await until(lambda: state_is(host, DeliveryState.DEAD))
        await host.plugins.disable("recorder")
        await host.plugins.enable("recorder")
        handler.failure = None
        handler.open.clear()
        await emit(host, 3)
        await until(lambda: len(handler.contexts) == 5)
        found = samples_of(await host.outbox.families(["recorder"]))
        attempts = "hotplane_delivery_attempts_total"
        assert {outcome: found[attempts + outcome] for outcome in ("delivered", "failed", "dead")} == {
            "delivered": 0, "failed": 1, "dead": 1
        }  # fmt: skip
        assert found["hotplane_delivery_attempt_duration_seconds_count"] == 2
        assert (found["hotplane_deliveries_pending"], found["hotplane_deliveries_dead"]) == (3, 1)
        assert found["hotplane_deliveries_oldest_seconds"] > 0
        handler.open.set()
        await until(lambda: _settled(host))
        assert samples_of(await host.outbox.families(["recorder"]))[attempts + "delivered"] == 3


async def test_attempts_by_hand_are_counted(url: str, handler: Recorder) -> None:
    """What an operator sends again is an attempt as any other."""
    handler.failure = DeliveryFailed("no", status=400)
    async with make(url, handler, schedule_seconds=[3_600]) as host:
        await emit(host, 1)
        await until(lambda: state_is(host, DeliveryState.FAILED))
        await host.outbox.retry("recorder", (await only(host)).sequence)
        assert samples_of(await host.outbox.families(["recorder"]))["hotplane_delivery_attempts_totalfailed"] == 2
