"""The four plugins of the guide keep their contracts, and do what the guide says of them."""

from __future__ import annotations

from typing import Any

import pytest

from examples.plugins.anomaly import UnusualScores, UnusualScoresConfig
from examples.plugins.business_rules import InvoiceRules
from examples.plugins.error_rate import FailingTasks, FailingTasksConfig
from examples.plugins.slack import SlackAlerts, SlackAlertsConfig
from hotplane.plugins import DeliveryFailed
from hotplane.records import ExecutionStatus, Severity
from hotplane.testing import (
    FakeAnswer,
    FakeKeyValue,
    FakeLog,
    FakeOutbound,
    a_sampling_context,
    a_validation_context,
    a_webhook_context,
    an_event,
    an_execution,
    assert_plugin_contract,
    make_context,
)

SECRET = "https://hooks.example.com/services/T0/B0/very-secret"
LINES = [{"price": 10, "quantity": 2}, {"price": "0.5", "quantity": 4}]
INVOICE = {"total": 22, "currency": "EUR", "lines": LINES}


@pytest.mark.parametrize(
    ("cls", "configurations"),
    [
        (InvoiceRules, [{}, {"currencies": ["CHF"], "MaxDiscount": 0}]),
        (FailingTasks, [{}, {"at_least": 1}]),
        (SlackAlerts, [{"webhook_url": SECRET}]),
        (UnusualScores, [{}, {"at_least": 3, "window": 10}]),
    ],
)
def test_it_keeps_the_contract(cls: Any, configurations: list[Any]):
    """Each is a plugin as an author would ship it."""
    assert_plugin_contract(cls, configurations=configurations, executions=[an_execution(output=INVOICE)])


@pytest.mark.parametrize(
    ("changes", "codes"),
    [
        ({}, []),
        ({"total": 22.004}, []),
        ({"total": 22.01}, ["invoice-total"]),
        ({"discount": 0.5, "total": 11}, ["invoice-discount"]),
        ({"discount": 0.1, "total": 19.8}, []),
        ({"currency": "XXX", "total": 1}, ["invoice-currency", "invoice-total"]),
    ],
)
def test_every_broken_rule_of_an_invoice_is_named(changes: dict[str, Any], codes: list[str]):
    """Each with its code, exactly at the limit too."""
    plugin, execution = InvoiceRules(), an_execution(output={**INVOICE, **changes})
    found = plugin.validate(execution, a_validation_context(plugin, execution))
    assert (found.valid, [each.code for each in found.errors]) == (not codes, codes)


def test_what_is_no_invoice_is_not_judged():
    """Neither right nor wrong; a failed execution is left out."""
    plugin = InvoiceRules()
    for fields, applies in (({"output": "?"}, True), ({"status": ExecutionStatus.ERROR}, False)):
        execution = an_execution(**fields)
        found = plugin.validate(execution, a_validation_context(plugin, execution))
        assert (found.valid, found.applies) == (None, applies)


def ask(sampler: Any, *, task: str = "t", **fields: Any) -> bool:
    """Ask a sampler about one execution."""
    execution = an_execution(task_id=task, **fields)
    return sampler.should_sample(execution, a_sampling_context(sampler, execution)).sampled


def test_a_failing_task_is_picked_until_it_recovers():
    """Above the threshold every execution of that task, and of no other one."""
    sampler = FailingTasks(FailingTasksConfig(threshold=0.2, window=10, at_least=5))
    answers = [
        ask(sampler, status=ExecutionStatus.ERROR if number < 2 else ExecutionStatus.SUCCESS) for number in range(12)
    ]
    assert answers == [False] * 4 + [True] * 5 + [False] * 3
    assert not ask(sampler, task="other")


def test_a_window_survives_a_reload():
    """The next generation goes on from it, and forgets what does not fit its own configuration."""
    old, new = FailingTasks(FailingTasksConfig(at_least=1)), FailingTasks(FailingTasksConfig(at_least=1, window=2))
    ask(old, status=ExecutionStatus.ERROR)
    new.import_state(old.export_state())
    assert ask(new)
    assert not any([ask(new), ask(new)])


def test_only_so_many_tasks_are_remembered():
    """The least recently used one is forgotten, in both samplers."""
    for sampler, most in ((FailingTasks(), 1_000), (UnusualScores(), 20)):
        for number in range(most + 5):
            ask(sampler, task=f"t{number}", output={"score": 1})
        remembered: dict[str, Any] = vars(sampler).get("_failures") or vars(sampler)["_scores"]
        assert (len(remembered), "t4" in remembered, "t5" in remembered) == (most, False, True)


def test_an_unusual_score_is_picked():
    """Far from the median by the measure that outliers do not move; the usual and what has no score are not."""
    sampler = UnusualScores(UnusualScoresConfig(at_least=10))
    for number in range(30):
        assert not ask(sampler, output={"score": 0.5 + number % 3 / 100})
    assert [ask(sampler, output={"score": score}) for score in (0.52, 0.9, 0.1, 0.5)] == [False, True, True, False]
    assert not any(ask(sampler, output=output) for output in ({}, {"score": True}, "0.9", None))


async def test_what_was_learnt_survives_a_restart():
    """It is stored at the stop; what another version stored is told and left."""
    storage, log = FakeKeyValue(), FakeLog()
    old, new = UnusualScores(UnusualScoresConfig(at_least=3)), UnusualScores(UnusualScoresConfig(at_least=3))
    await old.start(make_context(old, storage=storage))
    for _ in range(5):
        ask(old, output={"score": 1})
    await old.stop()
    await new.start(make_context(new, storage=storage))
    assert ask(new, output={"score": 2})
    await UnusualScores().start(make_context(new, storage=FakeKeyValue({"scores": "garbage"}), log=log))
    assert log.events("warning") == ["scores.unreadable"]


def slack(answer: FakeAnswer, **settings: Any) -> tuple[SlackAlerts, FakeOutbound]:
    """Return a started handler, and what it sends through."""
    handler = SlackAlerts(SlackAlertsConfig(webhook_url=SECRET, **settings))  # type: ignore[arg-type]
    http = FakeOutbound(answer)
    handler.start(make_context(handler, http=http))
    return handler, http


async def test_a_message_says_what_happened_and_obeys_nothing():
    """What others wrote is shown, not obeyed; somebody is called only when it is critical."""
    handler, http = slack(FakeAnswer(), mention="<!here>")
    event = an_event(severity=Severity.CRITICAL, task_id="<!channel>`x`", payload={"text": "<@U1> & co"})
    await handler.handle(event, a_webhook_context(handler))
    text = http.requests[0].body.decode()
    assert "<!here>" in text
    assert "&lt;!channel&gt;ˋxˋ" in text
    assert "&lt;@U1&gt; &amp; co" in text


@pytest.mark.parametrize(
    ("answer", "retry_after", "gone"),
    [
        (FakeAnswer(429, {"retry-after": "30"}), 30.0, False),
        (FakeAnswer(500, {"retry-after": "soon"}), None, False),
        (FakeAnswer(404), None, True),
    ],
)
async def test_a_refusal_says_what_makes_sense(answer: FakeAnswer, retry_after: float | None, gone: bool):
    """When to come again, or not at all; and no message has the address in it."""
    handler, _ = slack(answer)
    with pytest.raises(DeliveryFailed) as raised:
        await handler.handle(an_event(), a_webhook_context(handler))
    assert (raised.value.retry_after, raised.value.gone) == (retry_after, gone)
    assert "very-secret" not in f"{raised.value}{handler.destination()}{handler.config!r}"


def test_half_an_address_is_refused():
    """The model refuses what is no address, the handler what has no path."""
    handler, _ = slack(FakeAnswer())
    assert handler.validate_configuration(handler.config) == ()
    half = SlackAlertsConfig(webhook_url="https://hooks.example.com")  # type: ignore[arg-type]
    assert [each.pointer for each in handler.validate_configuration(half)] == ["/webhook_url"]
    with pytest.raises(ValueError, match="begins with https"):
        SlackAlertsConfig(webhook_url="hooks.example.com/x")  # type: ignore[arg-type]
