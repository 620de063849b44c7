"""The forms in which events leave the host."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from cloudevents.core.bindings.http import HTTPMessage, from_http_event
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hotplane.events.envelope import CLOUDEVENTS_TYPE, cloudevent, standard_body
from hotplane.records import Event, EventType, Severity

EVENT = Event(
    id="0199b2c0-7f3a-7c51-9d0e-2f6b8a1c4e77",
    type=EventType.PROGRAM_EXECUTION_FAILED,
    time=datetime(2026, 3, 1, 12, 30, 0, 5, tzinfo=UTC),
    severity=Severity.ERROR,
    task_id="spam",
    execution_id="e1",
    program="spam:detect",
    payload={"error": {"type": "ValueError"}},
    metadata={"host": "a"},
)
DATA = {
    "id": EVENT.id,
    "source": "hotplane",
    "severity": "error",
    "task_id": "spam",
    "execution_id": "e1",
    "program": "spam:detect",
    "payload": {"error": {"type": "ValueError"}},
    "metadata": {"host": "a"},
}


def parsed(event: Event) -> Any:
    """Return what the CloudEvents SDK reads."""
    return from_http_event(HTTPMessage(headers={"content-type": CLOUDEVENTS_TYPE}, body=cloudevent(event)))


def test_the_standard_body_has_type_timestamp_and_data() -> None:
    """Three members, as Standard Webhooks says."""
    assert json.loads(standard_body(EVENT)) == {
        "type": "program.execution.failed",
        "timestamp": "2026-03-01T12:30:00.000005Z",
        "data": DATA,
    }


def test_a_time_elsewhere_is_written_in_utc() -> None:
    """Whoever reads needs no time zones."""
    there = replace(EVENT, time=EVENT.time.astimezone(timezone(timedelta(hours=9))))
    assert standard_body(there) == standard_body(EVENT)


def test_the_cloudevents_sdk_parses_our_events() -> None:
    """Attributes and data arrive as they were."""
    found = parsed(EVENT)
    assert (found.get_id(), found.get_source(), found.get_type()) == (EVENT.id, "hotplane", EVENT.type)
    assert (found.get_specversion(), found.get_subject(), found.get_time()) == ("1.0", "e1", EVENT.time)
    assert found.get_extension("severity") == "error"
    assert found.get_data() == DATA


@pytest.mark.parametrize(
    ("changes", "subject"), [({"execution_id": None}, "spam"), ({"execution_id": None, "task_id": None}, None)]
)
def test_the_subject_is_the_execution_or_else_the_task(changes: Any, subject: str | None) -> None:
    """An event about neither has none."""
    assert parsed(replace(EVENT, **changes)).get_subject() == subject


@given(st.text(), st.text(min_size=1), st.sampled_from(EventType))
def test_whatever_programs_publish_is_a_valid_cloudevent(source: str, subject: str, kind: EventType) -> None:
    """Sources and subjects from outside cannot make an event that nobody can parse."""
    found = parsed(replace(EVENT, source=source, execution_id=subject, type=kind))
    assert found.get_source().isascii()
    assert found.get_source()
    assert found.get_data()["source"] == source
