"""`slack-webhook-handler` and `teams-webhook-handler` beside a real receiver."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from hotplane.builtin.webhooks.slack import SlackWebhookHandler
from hotplane.builtin.webhooks.teams import TeamsWebhookHandler
from hotplane.errors import PluginMisconfigured
from hotplane.plugins import DeliveryFailed
from hotplane.records import Event, EventType, Severity

TOKEN = "B0123456789abcdefghij"
EVENT = Event(
    id="e-1",
    type=EventType.PLUGIN_FAILED,
    time=datetime(2026, 3, 1, tzinfo=UTC),
    severity=Severity.ERROR,
    payload={"why": "it <broke>"},
)
CHATS = [(SlackWebhookHandler, "slack_webhook_url"), (TeamsWebhookHandler, "teams_webhook_url")]


@pytest.fixture(params=CHATS, ids=["slack", "teams"])
def chat(request: pytest.FixtureRequest) -> Any:
    """Give class and field of each chat in turn."""
    return request.param


def configured(chat: Any, url: Any, **settings: Any) -> Any:
    """Return a handler that is not started."""
    kind, field = chat
    return kind(kind.Config.model_validate({field: url, **settings}))


async def test_a_message_arrives(chat: Any, stage: Any, receiver: Any) -> None:
    """As JSON, at the configured path, with the headline in it."""
    handler = await stage.started(configured(chat, f"{receiver.url}/services/{TOKEN}"), receiver.url)
    receipt = await stage.deliver(handler, EVENT)
    headers, body = receiver.requests[0]
    assert headers["content-type"] == "application/json"
    assert "ERROR plugin.failed" in json.dumps(json.loads(body))
    assert (receipt.status, receipt.response) == (200, "ok")


async def test_a_template_writes_the_message(chat: Any, stage: Any, receiver: Any) -> None:
    """What the event says in it is escaped."""
    templates = {"plugin.failed": "Hey: {{ payload.why }}"}
    await stage.deliver(await stage.started(configured(chat, receiver.url, templates=templates), receiver.url), EVENT)
    text = receiver.requests[0][1].decode()
    assert "Hey: it " in text
    assert "it <broke>" not in text


async def test_a_template_that_fails_does_not_keep_the_event(chat: Any, stage: Any, receiver: Any) -> None:
    """The handler's own words go out, and the log names the template's fault."""
    handler = configured(chat, receiver.url, templates={"*": "{{ payload.nothing }}"})
    await stage.deliver(await stage.started(handler, receiver.url), EVENT)
    assert b"broke" in receiver.requests[0][1]
    assert stage.log.said[0][0] == "webhook.template-failed"


async def test_a_refusal_is_a_failure_that_hides_the_url(chat: Any, stage: Any, receiver: Any) -> None:
    """Also where the chat repeats it."""
    receiver.answers(404, f"no_service: /services/{TOKEN}", Retry_After="3")
    handler = await stage.started(configured(chat, f"{receiver.url}/services/{TOKEN}"), receiver.url)
    with pytest.raises(DeliveryFailed, match="answered 404") as caught:
        await stage.deliver(handler, EVENT)
    assert (caught.value.retry_after, caught.value.response) == (3.0, "no_service: /********")
    shown = repr(handler.config) + str(handler.config.model_dump()) + handler.destination() + str(caught.value)
    assert TOKEN not in shown


async def test_teams_says_in_a_good_answer_that_it_failed(stage: Any, receiver: Any) -> None:
    """Its connectors answer 200 then."""
    receiver.answers(200, "Webhook message delivery failed with error: 429")
    handler = await stage.started(configured(CHATS[1], receiver.url), receiver.url)
    with pytest.raises(DeliveryFailed, match="the delivery failed"):
        await stage.deliver(handler, EVENT)


async def test_a_dry_run_sends_nothing(chat: Any, stage: Any, receiver: Any) -> None:
    """It says what it would have done."""
    handler = await stage.started(configured(chat, receiver.url), receiver.url)
    assert (await stage.deliver(handler, EVENT, dry_run=True)).response.startswith("Dry run: ")
    assert receiver.requests == []


async def test_a_url_may_come_from_the_environment(
    chat: Any, stage: Any, receiver: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it is not set, the handler is refused before anything is enabled."""
    handler = configured(chat, {"env": "CHAT_URL"})
    monkeypatch.delenv("CHAT_URL", raising=False)
    assert [problem.pointer for problem in handler.validate_configuration(handler.config)] == [f"/{chat[1]}"]
    with pytest.raises(PluginMisconfigured, match="'CHAT_URL' is not set"):
        await stage.started(handler, receiver.url)
    monkeypatch.setenv("CHAT_URL", receiver.url)
    assert handler.validate_configuration(handler.config) == ()
    assert (await stage.deliver(await stage.started(handler, receiver.url), EVENT)).status == 200


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"templates": {"plugin.faild": "x"}}, "did you mean 'plugin.failed'"),
        ({"templates": {"plugin.failed": "a\n{% if %}"}}, "`plugin.failed` does not compile: line 2"),
        ({"channel": "#x"}, "Extra inputs"),
    ],
)
def test_a_configuration_that_cannot_work_is_refused(chat: Any, settings: Any, message: str) -> None:
    """With the reason."""
    with pytest.raises(ValidationError, match=message):
        configured(chat, "https://example.com", **settings)


def test_the_name_of_the_field_is_taken_in_pascal_case() -> None:
    """As in `examples/appsettings.json`."""
    config = SlackWebhookHandler.Config.model_validate({"SlackWebhookUrl": "https://hooks.slack.com/..."})
    assert SlackWebhookHandler(config).destination() == "https://hooks.slack.com:443"  # pyright: ignore[reportArgumentType]
