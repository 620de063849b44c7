"""`console-webhook-handler`: readable for people, harmless for terminals."""

import io
import json
import sys
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hotplane.builtin.webhooks.console import ConsoleConfig, ConsoleWebhookHandler
from hotplane.plugins import ALL_EVENTS, WebhookContext
from hotplane.records import Event, EventType, Severity


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self):
        return True


def event(**changes: Any) -> Event:
    """Return an event."""
    plain = Event(id="1", type=EventType.VALIDATION_FAILED, time=datetime(2026, 3, 1, 12, tzinfo=UTC))
    return replace(plain, **changes)


def written(monkeypatch, what, *, stream=None, dry_run=False, **config):
    """Return what the handler writes to standard error."""
    target = io.StringIO() if stream is None else stream
    monkeypatch.setattr(sys, "stderr", target)
    handler = ConsoleWebhookHandler(ConsoleConfig(**config))
    handler.handle(what, WebhookContext(configuration=handler.config, dry_run=dry_run))
    return target.getvalue()


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")


def test_an_event_is_a_line_with_its_payload_below(monkeypatch):
    """Time, severity, type and what it concerns, then indented JSON."""
    what = event(severity=Severity.WARNING, task_id="spam", execution_id="e1", payload={"valid": False, "n": [1]})
    assert written(monkeypatch, what) == (
        "2026-03-01T12:00:00.000+00:00 WARNING validation.failed task=spam execution=e1 source=hotplane\n"
        '  {\n    "valid": false,\n    "n": [\n      1\n    ]\n  }\n'
    )


def test_without_pretty_the_payload_stands_on_the_line(monkeypatch):
    """One event, one line."""
    text = written(monkeypatch, event(payload={"a": {"b": 1}}), pretty=False)
    assert text.endswith('source=hotplane {"a":{"b":1}}\n')


def test_an_event_without_payload_is_one_line(monkeypatch):
    """Nothing is shown for nothing."""
    assert written(monkeypatch, event()).count("\n") == 1


def test_every_event_type_is_taken(monkeypatch):
    """The handler supports all of them, and can write each."""
    assert ConsoleWebhookHandler.supported_events == ALL_EVENTS
    for kind in EventType:
        assert kind.value in written(monkeypatch, event(type=kind))


def test_severities_have_different_colours(monkeypatch):
    """Four severities, four colours, each switched off at the end of its line."""
    texts = [written(monkeypatch, event(severity=severity), colour="always") for severity in Severity]
    assert len({text.split("m", 1)[0] for text in texts}) == 4
    assert all(text.startswith("\x1b[") and text.endswith("\x1b[0m\n") for text in texts)


@pytest.mark.parametrize(
    ("colour", "terminal", "environment", "coloured"),
    [
        ("auto", True, {}, True),
        ("auto", False, {}, False),
        ("auto", True, {"NO_COLOR": "1"}, False),
        ("auto", True, {"NO_COLOR": ""}, True),
        ("auto", True, {"TERM": "dumb"}, False),
        ("always", False, {"NO_COLOR": "1"}, True),
        ("never", True, {}, False),
    ],
)
def test_colour_follows_configuration_terminal_and_environment(monkeypatch, colour, terminal, environment, coloured):
    """What the operator configured wins; else a terminal gets colour unless the environment declines."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    stream = Terminal() if terminal else io.StringIO()
    assert ("\x1b[" in written(monkeypatch, event(), stream=stream, colour=colour)) is coloured


def test_a_dry_run_writes_nothing(monkeypatch):
    """Everything is done but what can be seen."""
    assert written(monkeypatch, event(payload={"a": 1}), dry_run=True) == ""


def test_the_stream_is_configured(monkeypatch, capsys):
    """Standard output on demand, standard error by default."""
    for stream in ("stdout", "stderr"):
        handler = ConsoleWebhookHandler(ConsoleConfig(stream=stream))
        handler.handle(event(source=stream), WebhookContext(configuration=handler.config))
    assert [("source=stdout" in text, "source=stderr" in text) for text in capsys.readouterr()] == [
        (True, False),
        (False, True),
    ]


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b[2J", "\\u001b[2J"),
        ("\x9b31m", "\\u009b31m"),
        ("\x7f", "\\u007f"),
        ("\u202eevil", "\\u202eevil"),
        ("\U000e0041", "\\udb40\\udc41"),
    ],
)
def test_a_payload_cannot_drive_the_terminal(monkeypatch, hostile, shown):
    """Control, reordering and invisible characters appear as JSON escapes."""
    text = written(monkeypatch, event(payload={"text": hostile}))
    assert hostile not in text
    assert shown in text


def test_a_name_cannot_forge_a_line(monkeypatch):
    """A line break in an event's source does not begin a line."""
    text = written(monkeypatch, event(source="x\n2026 CRITICAL forged"))
    assert text.count("\n") == 1
    assert "source=x\\u000a2026" in text


def test_a_stream_that_cannot_write_a_character_gets_an_escape(monkeypatch):
    """An ASCII terminal is no reason to lose an event."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    monkeypatch.setattr(sys, "stderr", stream)
    handler = ConsoleWebhookHandler()
    handler.handle(event(payload={"text": "für"}), WebhookContext(configuration=handler.config))
    assert b"f\\xfcr" in raw.getvalue()


@given(st.dictionaries(st.text(), st.text() | st.integers(-(2**63), 2**64 - 1) | st.none(), min_size=1))
def test_what_is_shown_is_still_the_same_json(payload):
    """Escaping changes the spelling, not the value."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        text = written(monkeypatch, event(payload=payload))
    head, _, body = text.partition("\n")
    assert head.endswith("source=hotplane")
    assert json.loads(body) == payload
    assert not any(character < " " or "\x7f" <= character <= "\x9f" for character in text.replace("\n", ""))
