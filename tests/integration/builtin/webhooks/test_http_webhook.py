"""`http-webhook-handler` beside a real receiver that verifies with the published package."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from aiohttp import web
from cloudevents.core.bindings.http import HTTPMessage, from_http_event
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import ValidationError
from standardwebhooks import Webhook

from hotplane.builtin.webhooks.http import HttpWebhookConfig, HttpWebhookHandler
from hotplane.builtin.webhooks.posting import retry_after
from hotplane.errors import PluginMisconfigured
from hotplane.plugins import DeliveryFailed
from hotplane.records import Event, EventType

OLD, NEW = ("whsec_" + b64encode(letter * 32).decode() for letter in (b"o", b"n"))
TOKEN = "a-token-of-some-length"
EVENT = Event(
    id="0199b2c0-7f3a-7c51-9d0e-2f6b8a1c4e77",
    type=EventType.PROGRAM_EXECUTION_FAILED,
    time=datetime(2026, 3, 1, 12, tzinfo=UTC),
    task_id="spam",
    payload={"text": "für", "number": 1.5},
)


def configured(url: Any, **settings: Any) -> HttpWebhookHandler:
    """Return a handler that is not started."""
    return HttpWebhookHandler(HttpWebhookConfig.model_validate({"url": url, "secrets": [NEW], **settings}))


@pytest.fixture
def started(stage: Any, receiver: Any) -> Any:
    """Give what starts a handler for the receiver."""

    async def start(path: str = "/hooks", **settings: Any) -> HttpWebhookHandler:
        return await stage.started(configured(receiver.url + path, **settings), receiver.url)

    return start


@pytest.mark.parametrize("secret", [NEW, OLD])
async def test_the_published_package_verifies_what_arrives(
    started: Any, stage: Any, receiver: Any, secret: str
) -> None:
    """Headers and body as they came over the wire, whichever secret of a rotation the receiver has."""
    receipt = await stage.deliver(await started(secrets=[NEW, OLD]), EVENT)
    headers, body = receiver.requests[0]
    data = Webhook(secret).verify(body, headers)
    assert (data["type"], data["data"]["payload"]) == (EVENT.type, EVENT.payload)
    assert headers["content-type"] == "application/json"
    assert (receipt.status, receipt.response) == (200, "ok")


async def test_an_event_has_one_id_and_each_attempt_its_time(started: Any, stage: Any, receiver: Any) -> None:
    """A receiver can tell a repetition, and an old signature is of no use."""
    handler = await started()
    await stage.deliver(handler, EVENT)
    stage.clock.shift = 60.0
    await stage.deliver(handler, EVENT)
    (first, _), (second, body) = receiver.requests
    assert first["webhook-id"] == second["webhook-id"] == EVENT.id
    assert 59 <= int(second["webhook-timestamp"]) - int(first["webhook-timestamp"]) <= 61
    assert first["webhook-signature"] != second["webhook-signature"]
    assert Webhook(NEW).verify(body, second)


async def test_ed25519_signs_what_arrives(started: Any, stage: Any, receiver: Any) -> None:
    """Verified by `cryptography`."""
    key = Ed25519PrivateKey.generate()
    await stage.deliver(await started(secrets=["whsk_" + b64encode(key.private_bytes_raw()).decode()]), EVENT)
    headers, body = receiver.requests[0]
    version, _, signature = headers["webhook-signature"].partition(",")
    assert version == "v1a"
    content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    assert signature == b64encode(key.sign(content)).decode()


async def test_the_cloudevents_sdk_parses_what_arrives(started: Any, stage: Any, receiver: Any) -> None:
    """The structured form, signed all the same."""
    await stage.deliver(await started(format="cloudevents"), EVENT)
    headers, body = receiver.requests[0]
    event = from_http_event(HTTPMessage(headers=headers, body=body))
    assert (event.get_id(), event.get_type(), event.get_subject()) == (EVENT.id, EVENT.type, "spam")
    assert Webhook(NEW).verify(body, headers)


async def test_headers_are_sent_and_their_values_concealed(started: Any, stage: Any, receiver: Any) -> None:
    """A receiver that repeats what it got does not put a secret into the records."""

    async def echo(request: web.Request) -> web.Response:
        return web.Response(status=401, text=f"{request.headers['Authorization']} for {request.path} is wrong")

    receiver.answer = echo
    handler = await started("/hooks/0123456789abcdef0123", headers={"Authorization": f"Bearer {TOKEN}"})
    with pytest.raises(DeliveryFailed) as caught:
        await stage.deliver(handler, EVENT)
    assert receiver.requests[0][0]["authorization"] == f"Bearer {TOKEN}"
    assert caught.value.response == "******** for /******** is wrong"
    assert TOKEN not in repr(handler.config) + handler.config.model_dump_json() + repr(vars(handler))


@pytest.mark.parametrize(
    ("status", "headers", "expected"),
    [
        (500, {}, (500, None, False)),
        (400, {"Retry_After": "soon"}, (400, None, False)),
        (429, {"Retry_After": "7"}, (429, 7.0, False)),
        (503, {"Retry_After": "1.5"}, (503, 1.5, False)),
        (410, {}, (410, None, True)),
        (301, {"Location": "http://10.0.0.1/"}, (301, None, False)),
    ],
)
async def test_any_answer_but_2xx_is_a_failure(
    started: Any, stage: Any, receiver: Any, *, status: int, headers: dict[str, str], expected: tuple[Any, ...]
) -> None:
    """With status, answer, the wait that was asked for, and whether the receiver is gone; one request each."""
    receiver.answers(status, "because", **headers)
    with pytest.raises(DeliveryFailed, match=f"answered {status}") as caught:
        await stage.deliver(await started(), EVENT)
    failure = caught.value
    assert (failure.status, failure.retry_after, failure.gone) == expected
    assert failure.response == "because"
    assert len(receiver.requests) == 1


async def test_the_beginning_of_a_long_answer_is_kept(started: Any, stage: Any, receiver: Any) -> None:
    """Two thousand characters; bytes that are no text do no harm."""
    receiver.answers(202, "é" * 50_000)
    assert (await stage.deliver(await started(), EVENT)).response == "é" * 2_048


async def test_a_receiver_that_is_silent_is_a_failure(started: Any, stage: Any, receiver: Any) -> None:
    """After the configured time."""

    async def silent(request: web.Request) -> web.Response:
        await asyncio.sleep(5)
        return web.Response()

    receiver.answer = silent
    with pytest.raises(DeliveryFailed, match=r"did not answer within 0\.2 s") as caught:
        await stage.deliver(await started("/hooks?key=" + TOKEN, timeout_seconds=0.2), EVENT)
    assert TOKEN not in str(caught.value)


async def test_a_receiver_that_is_down_is_a_failure(stage: Any, unused_port: int) -> None:
    """The message names the server, and not what of its URL is secret."""
    url = f"http://127.0.0.1:{unused_port}/{TOKEN}"
    handler = await stage.started(configured(url), url)
    with pytest.raises(DeliveryFailed, match=rf"No connection to http://127\.0\.0\.1:{unused_port}") as caught:
        await stage.deliver(handler, EVENT)
    assert TOKEN not in str(caught.value)


async def test_what_the_guard_refuses_is_not_asked(stage: Any, receiver: Any) -> None:
    """The handler has no other way out than the host's."""
    handler = await stage.started(configured(receiver.url), "http://127.0.0.2:1")
    with pytest.raises(DeliveryFailed, match="not allowed"):
        await stage.deliver(handler, EVENT)
    assert receiver.requests == []


async def test_a_dry_run_sends_nothing(started: Any, stage: Any, receiver: Any) -> None:
    """It says what it would have done."""
    receipt = await stage.deliver(await started(), EVENT, dry_run=True)
    assert receipt.response.startswith("Dry run: ")
    assert receiver.requests == []


async def test_secrets_may_come_from_elsewhere(
    stage: Any, receiver: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """From the environment and from files; they are read once, at the start."""
    monkeypatch.setenv("HOOK_SECRET", NEW)
    monkeypatch.setenv("HOOK_URL", receiver.url)
    (tmp_path / "old").write_text(OLD)
    secrets = [{"env": "HOOK_SECRET"}, {"file": str(tmp_path / "old")}]
    handler = await stage.started(configured({"env": "HOOK_URL"}, secrets=secrets), receiver.url)
    monkeypatch.delenv("HOOK_SECRET")
    monkeypatch.delenv("HOOK_URL")
    assert handler.destination() == receiver.url
    await stage.deliver(handler, EVENT)
    headers, body = receiver.requests[0]
    assert Webhook(NEW).verify(body, headers)
    assert Webhook(OLD).verify(body, headers)


async def test_a_secret_that_is_not_there_is_found_before_anything_is_sent(
    stage: Any, receiver: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By `validate_configuration` with its place, and by `start`."""
    monkeypatch.setenv("SHORT", "whsec_AAAA")
    handler = configured(receiver.url, secrets=[NEW, {"env": "SHORT"}], headers={"X-Key": {"file": "/nowhere"}})
    problems = handler.validate_configuration(handler.config)
    assert [problem.pointer for problem in problems] == ["/secrets/1", "/headers/X-Key"]
    assert "3 bytes once decoded, and must have 24 to 64" in problems[0].message
    with pytest.raises(PluginMisconfigured, match=r"headers\.X-Key"):
        await stage.started(handler, receiver.url)


async def test_a_handler_that_is_not_started_delivers_nothing(stage: Any) -> None:
    """It says so."""
    with pytest.raises(DeliveryFailed, match="not started"):
        await stage.deliver(configured("https://example.com/hooks"), EVENT)


def test_the_destination_is_the_origin() -> None:
    """A breaker guards each; nothing else of the URL is shown."""
    assert configured(f"https://example.com/{TOKEN}").destination() == "https://example.com:443"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"secrets": []}, "at least 1"),
        ({"secrets": [NEW] * 6}, "at most 5"),
        ({"secrets": ["whsec_c2hvcnQ="]}, "5 bytes once decoded, and must have 24 to 64"),
        ({"secrets": ["whsec_%%%"]}, "not base64"),
        ({"secrets": ["plain"]}, "whsec_"),
        ({"url": "https://u:p@example.com/"}, "credentials"),
        ({"url": "ftp://example.com/"}, "scheme"),
        ({"headers": {"webhook-id": "x"}}, "set by Hotplane itself"),
        ({"headers": {"Content-Length": "1"}}, "set by Hotplane itself"),
        ({"headers": {"X y": "1"}}, "cannot be the name"),
        ({"headers": {"X-A": "1", "x-a": "2"}}, "twice"),
        ({"headers": {"X-A": "a\r\nHost: b"}}, "one line"),
        ({"format": "xml"}, "cloudevents"),
        ({"timeout_seconds": 0}, "greater than 0"),
    ],
)
def test_a_configuration_that_cannot_work_is_refused(changes: dict[str, Any], message: str) -> None:
    """With a reason, and before anything is stored; the reason repeats no secret."""
    with pytest.raises(ValidationError, match=message) as caught:
        configured(**{"url": "https://example.com/", **changes})
    assert "whsec_c2hvcnQ" not in str(caught.value)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("0", 0.0),
        ("120", 120.0),
        ("9" * 20, 1e20),
        ("9" * 5_000, None),
        ("-5", None),
        ("nan", None),
        ("inf", None),
        ("٣", None),
        ("", None),
        (format_datetime(EVENT.time + timedelta(seconds=90), usegmt=True), 90.0),
        (format_datetime(EVENT.time - timedelta(days=1), usegmt=True), 0.0),
        ("Sun, 99 Nov 2026 99:99:99 GMT", None),
        ("Sun, 01 Jan 99999 00:00:00 GMT", None),
    ],
)
def test_the_wait_that_is_asked_for_is_read_with_care(header: str | None, seconds: float | None) -> None:
    """Seconds or a date; anything else is as if it was not there."""
    assert retry_after(header, EVENT.time) == seconds


def test_the_json_schema_shows_no_secret_and_has_no_default_one() -> None:
    """It is served by the API."""
    schema = json.dumps(HttpWebhookConfig.model_json_schema())
    assert '"writeOnly": true' in schema
    assert "whsec_" not in schema.replace("``whsec_…``", "")
