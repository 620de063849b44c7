"""What Slack, Teams and mailboxes get: within their limits, and with nothing forged."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hotplane.builtin.webhooks.email_settings import EmailConfig
from hotplane.builtin.webhooks.mail import mail_of
from hotplane.builtin.webhooks.slack import SlackConfig, SlackWebhookHandler
from hotplane.builtin.webhooks.teams import TeamsConfig, TeamsWebhookHandler
from hotplane.builtin.webhooks.wording import clip
from hotplane.records import Event, EventType, Severity

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
EVENT = Event(id="e-1", type=EventType.PLUGIN_FAILED, time=NOW, task_id="spam", payload={"why": "it <broke> & `fell`"})
SLACK = SlackWebhookHandler(SlackConfig.model_validate({"slack_webhook_url": "https://hooks.slack.com/services/x"}))
TEAMS = TeamsWebhookHandler(TeamsConfig.model_validate({"teams_webhook_url": "https://example.com/x"}))
MAIL = EmailConfig(
    host="mail.example.com", sender="hotplane@example.com", recipients=("a@example.com", "b@example.com")
)

LONG = st.text(min_size=0, max_size=400) | st.sampled_from(["&" * 9_000, "<>" * 3_000, "`" * 9_000, "\x01é" * 5_000])
EVENTS = st.builds(
    Event,
    id=st.text(min_size=1),
    type=st.sampled_from(EventType),
    time=st.just(NOW),
    severity=st.sampled_from(Severity),
    source=LONG,
    task_id=st.none() | LONG,
    execution_id=st.none() | LONG,
    program=st.none() | LONG,
    payload=st.dictionaries(st.text(), LONG, max_size=3),
)


def slack(event: Event, text: str | None = None) -> Any:
    """Return Slack's message as it is sent."""
    return json.loads(msgspec.json.encode(SLACK.message(event, text)))


def teams(event: Event, text: str | None = None) -> Any:
    """Return the card of Teams' message as it is sent."""
    return json.loads(msgspec.json.encode(TEAMS.message(event, text)))["attachments"][0]["content"]


def mail(event: Event, subject: str | None = None, text: str | None = None) -> Any:
    """Return the mail as a mailbox parses it."""
    return message_from_bytes(bytes(mail_of(event, MAIL, subject=subject, text=text, now=NOW)), policy=default)


def texts_of(value: Any) -> list[str]:
    """Return every text in a message, under whatever key."""
    if isinstance(value, dict):
        return [found for each in value.values() for found in texts_of(each)]
    if isinstance(value, list):
        return [found for each in value for found in texts_of(each)]
    return [value] if isinstance(value, str) else []


def test_slack_shows_headline_facts_and_payload() -> None:
    """Blocks beside a coloured bar, and a text for notifications; what the event says is escaped."""
    message = slack(EVENT)
    attachment = message["attachments"][0]
    assert message["text"] == attachment["fallback"] == "INFO plugin.failed: spam"
    assert attachment["blocks"][0]["text"]["text"] == "INFO plugin.failed: spam"
    assert {"type": "mrkdwn", "text": "*Task*\n`spam`"} in attachment["blocks"][1]["fields"]
    assert attachment["blocks"][2]["text"]["text"] == '```{\n  "why": "it &lt;broke&gt; &amp; ˋfellˋ"\n}```'


def test_a_template_replaces_facts_and_payload() -> None:
    """The headline stays; white space is no text."""
    assert slack(EVENT, "*mine*")["attachments"][0]["blocks"][1:] == [
        {"type": "section", "text": {"type": "mrkdwn", "text": "*mine*"}}
    ]
    assert slack(EVENT, " \n") == slack(EVENT)
    assert teams(EVENT, "**mine**")["body"][1:] == [{"type": "TextBlock", "text": "**mine**", "wrap": True}]


def test_severities_have_their_colours() -> None:
    """Four in Slack; a card has three."""
    events = [replace(EVENT, severity=severity) for severity in Severity]
    assert len({slack(event)["attachments"][0]["color"] for event in events}) == 4
    assert [teams(event)["body"][0]["style"] for event in events] == ["accent", "warning", "attention", "attention"]


@given(EVENTS, st.none() | LONG)
def test_slack_would_take_every_message(event: Event, text: str | None) -> None:
    """Within the limits of Block Kit, and no entity is cut in two."""
    attachment = slack(event, text)["attachments"][0]
    header, *sections = attachment["blocks"]
    assert 0 < len(header["text"]["text"]) <= 150
    for section in sections:
        assert len(section.get("fields", ())) <= 10
        assert all(0 < len(field["text"]) <= 2_000 for field in section.get("fields", ()))
        assert 0 < len(section.get("text", {"text": "-"})["text"]) <= 3_000
    if text is None:
        written = "".join(texts_of(attachment))
        rest = written.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "")
        assert not {"&", "<", ">"} & set(rest)


@given(EVENTS, st.none() | LONG)
def test_teams_would_take_every_message(event: Event, text: str | None) -> None:
    """A message has at most 28 KB, and nothing that an event says is read as Markdown."""
    assert len(msgspec.json.encode(TEAMS.message(event, text))) < 28_000
    if text is None or not text.strip():
        assert '"TextBlock"' not in json.dumps(teams(event, text))


def test_a_mail_has_the_headers_that_mailboxes_need() -> None:
    """An id that stays over retries, a date, and the word that no answer is wanted."""
    first = mail(replace(EVENT, severity=Severity.CRITICAL))
    assert first["Message-ID"] == "<e-1@example.com>"
    assert first["From"] == "Hotplane <hotplane@example.com>"
    assert first["To"] == "a@example.com, b@example.com"
    assert first["Subject"] == "CRITICAL plugin.failed: spam"
    assert (first["Auto-Submitted"], first["Importance"], first["X-Hotplane-Event"]) == (
        "auto-generated",
        "high",
        "plugin.failed",
    )
    assert first["Date"].datetime == NOW
    assert '"why": "it <broke> & `fell`"' in first.get_content()


def test_a_subject_cannot_begin_another_header() -> None:
    """A template's line breaks become blanks; an event's id cannot leave its header."""
    forged = mail(replace(EVENT, id="x>\r\nBcc: c@example.com"), subject="a\r\nBcc: c@example.com\n\nbody\x00")
    assert forged["Bcc"] is None
    assert forged["Subject"] == "a Bcc: c@example.com body\ufffd"
    assert re.fullmatch("<[0-9a-f]{32}@example.com>", forged["Message-ID"])


@given(EVENTS, st.none() | st.text(), st.none() | LONG)
def test_every_event_makes_a_mail_with_our_headers_alone(event: Event, subject: str | None, text: str | None) -> None:
    """Whatever programs publish, and whatever a template makes of it."""
    made = mail(event, subject, text)
    assert set(made.keys()) <= {
        *("From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "X-Hotplane-Event", "Importance"),
        *("Content-Type", "Content-Transfer-Encoding", "MIME-Version"),
    }
    assert made["To"] == "a@example.com, b@example.com"
    assert not made.defects


@pytest.mark.parametrize(
    "changes",
    [
        {"sender": "nobody"},
        {"sender": "a@b\r\nBcc: c@d"},
        {"sender": "Name <a@example.com>"},
        {"sender": "a@example.com,b@example.com"},
        {"sender": "ä@example.com"},
        {"sender": "@example.com"},
        {"sender": "a@[127.0.0.1]"},
        {"sender": "a" * 300 + "@example.com"},
        {"sender_name": "x\ny"},
        {"recipients": ()},
        {"recipients": ("a@example.com", "b")},
        {"recipients": tuple(f"a{n}@example.com" for n in range(51))},
        {"host": "smtp://example.com"},
        {"host": "example.com:25"},
        {"host": ""},
        {"host": "a\r\nb"},
        {"port": 0},
        {"tls": "maybe"},
        {"username": "a"},
        {"password": "a"},
        {"username": "a", "password": "b", "tls": "none"},
        {"username": "a\nb", "password": "b"},
        {"subjects": {"plugin.failed": "{{"}},
        {"timeout_seconds": 0},
    ],
)
def test_a_mail_configuration_that_cannot_work_is_refused(changes: dict[str, Any]) -> None:
    """Before anything is stored; a password never goes out in clear."""
    with pytest.raises(ValueError, match="validation error"):
        EmailConfig.model_validate({**MAIL.model_dump(), **changes})


def test_the_port_follows_from_the_encryption() -> None:
    """And a host may be an address."""
    ports = {
        tls: EmailConfig.model_validate({**MAIL.model_dump(), "tls": tls}).port_number
        for tls in ("starttls", "tls", "none")
    }
    assert ports == {"starttls": 587, "tls": 465, "none": 25}
    assert (
        EmailConfig.model_validate({**MAIL.model_dump(), "host": "[::1]", "tls": "tls"}).server == "smtps://[::1]:465"
    )
    assert EmailConfig.model_validate({**MAIL.model_dump(), "recipients": ["a@b.c", "a@b.c"]}).recipients == ("a@b.c",)


def test_clipping_says_that_there_was_more() -> None:
    """An ellipsis at the end, and no character that drives a terminal or turns text around."""
    assert clip("abcdef", 5) == "abcd…"
    assert clip("abcde", 5) == "abcde"
    assert clip("a\x1b\u202eb", 5) == "a\ufffd\ufffdb"
