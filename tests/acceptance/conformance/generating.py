"""What Schemathesis does not know by itself: lines of JSON, and when a host rightly says that it cannot."""

from __future__ import annotations

import itertools
import json
from typing import Any

import schemathesis
from schemathesis.core.failures import Failure, ServerError

KEY = "Idempotency-Key"
NDJSON = "application/x-ndjson"
STOPPED = {"no-runner-available", "handler-not-serving"}
"""Codes of 503 for what earlier requests stopped: the only answers of the kind that a sound host gives here."""

_calls = itertools.count()


@schemathesis.serializer(NDJSON)
def send_lines(context: schemathesis.SerializationContext, value: Any) -> Any:
    """Send text as it is or as the input of one item, by its length, and anything else as JSON."""
    is_example = isinstance(value, str) and value.startswith("{")
    if isinstance(value, str) and (is_example or len(value) % 2):
        return value.encode("utf-8", "surrogatepass")
    return json.dumps({"input": value}, default=str).encode()


@schemathesis.deserializer(NDJSON)
def read_lines(context: schemathesis.DeserializationContext, response: schemathesis.Response) -> str:
    """Take an answer in lines for text, after a look at each line."""
    for line in response.content.splitlines():
        json.loads(line)
    return response.content.decode()


@schemathesis.hook
def filter_failure(
    context: schemathesis.HookContext, failure: Failure, case: schemathesis.Case[Any], response: schemathesis.Response
) -> bool:
    """Tell whether a failure counts: a runner or handler that a request stopped cannot be called by the next one."""
    return not (isinstance(failure, ServerError) and response.json().get("code") in STOPPED)


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: schemathesis.Case[Any], kwargs: dict[str, Any]) -> None:
    """Give each request a key of its own, and have none wait long for a batch.

    A repeated key rightly gets the answer of a request of long ago; a batch whose runner an earlier request stopped
    rightly waits for it, by default for half a minute.
    """
    if case.operation.path == "/api/batch/execute" and case.headers.get("Prefer") != "respond-async":
        case.headers["Prefer"] = "wait=1"
    key = case.headers.get(KEY)
    if isinstance(key, str) and 0 < len(key) < 200:
        case.headers[KEY] = f"{key}{next(_calls)}"
