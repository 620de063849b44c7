"""The forms in which events leave the host: Standard Webhooks 1.0 and CloudEvents 1.0.

Imports only `records` and `values`.

Both carry the same `data`: an object with the event's id, source, severity, task_id, execution_id, program, payload and
metadata, so that whoever reads one form needs to learn nothing for the other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import quote

import msgspec
from msgspec import Struct

from hotplane.records import Event, Severity
from hotplane.values import Json

__all__ = ["CLOUDEVENTS_TYPE", "cloudevent", "standard_body", "timestamp"]

CLOUDEVENTS_TYPE = "application/cloudevents+json"
"""The media type of an event in the structured form of CloudEvents."""

_UNFIT = re.compile("[\x00-\x1f\x7f-\x9f\ufdd0-\ufdef\ufffe\uffff]")
"""What an attribute must not have (CloudEvents 1.0.2, type system)."""

_URI = "!#$%&'()*+,/:;=?@[]~"
"""What may stand in a URI reference beside letters, digits and ``_.-`` (RFC 3986)."""


class _Data(Struct, gc=False):
    id: str
    source: str
    severity: Severity
    task_id: str | None
    execution_id: str | None
    program: str | None
    payload: Mapping[str, Json]
    metadata: Mapping[str, Json]


class _Standard(Struct, gc=False):
    type: str
    timestamp: str
    data: _Data


_encode = msgspec.json.Encoder().encode


def standard_body(event: Event) -> bytes:
    """Return `event` as the JSON body of a Standard Webhook: ``{"type", "timestamp", "data"}``."""
    return _encode(_Standard(event.type, timestamp(event.time), _data(event)))


def cloudevent(event: Event) -> bytes:
    """Return `event` as a CloudEvent, version 1.0, in its structured JSON form.

    `subject` is the execution, or else the task; `severity` is an extension attribute.
    """
    attributes: dict[str, Json] = {
        "specversion": "1.0",
        "id": _text(event.id),
        "source": quote(event.source, safe=_URI) or "hotplane",
        "type": event.type,
        "time": timestamp(event.time),
        "datacontenttype": "application/json",
        "severity": event.severity,
    }
    subject = event.execution_id or event.task_id
    if subject:
        attributes["subject"] = _text(subject)
    return _encode({**attributes, "data": _data(event)})


def timestamp(time: datetime) -> str:
    """Return an instant as RFC 3339 in UTC, to the microsecond."""
    utc = time if time.tzinfo is UTC else time.astimezone(UTC)
    return f"{utc.isoformat(timespec='microseconds')[:-6]}Z"  # for ``+00:00``


def _data(event: Event) -> _Data:
    return _Data(
        event.id,
        event.source,
        event.severity,
        event.task_id,
        event.execution_id,
        event.program,
        event.payload,
        event.metadata,
    )


def _text(text: str) -> str:
    return _UNFIT.sub("\ufffd", text)
