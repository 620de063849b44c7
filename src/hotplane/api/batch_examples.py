"""Examples of batches and streams in the API's description, which work against the example project, too."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["BATCH_EXAMPLES", "LINES", "RESULT_EVENT_LINES", "RESULT_LINES", "STREAM_EVENT_LINES"]

_ID = "0190a5c1-7b1e-7c3a-9f2b-2f6d5a4c3b21"
_TIME = "2026-01-15T09:30:00Z"
_ITEMS: list[dict[str, Any]] = [
    {"id": "first", "input": {"text": "You have won a prize! Call now to claim it."}, "expected": "spam"},
    {"id": "second", "input": {"text": "See you at eight."}},
]
_BATCH: dict[str, Any] = {
    "id": _ID,
    "task_id": "spam-detector",
    "kind": "batch",
    "state": "completed",
    "truncated": False,
    "items": 2,
    "done": 2,
    "counts": {
        "succeeded": 2,
        "failed": 0,
        "timed_out": 0,
        "cancelled": 0,
        "rejected": 0,
        "interrupted": 0,
        "sampled": 1,
        "valid": 1,
        "invalid": 0,
    },
    "max_concurrency": 64,
    "stop_on_first_error": False,
    "item_timeout_ms": None,
    "priority": 0,
    "created_at": _TIME,
    "started_at": _TIME,
    "finished_at": _TIME,
    "rate_per_second": 2400.0,
    "seconds_left": None,
    "last_sequence": 42,
    "problem": None,
}
_RESULT: dict[str, Any] = {
    "sequence": 42,
    "position": 1,
    "item_id": "first",
    "correlation_id": None,
    "status": "success",
    "output": "spam",
    "error": None,
    "latency_ms": 0.42,
    "execution_id": _ID,
    "sampled": True,
    "valid": True,
}


def _line(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


LINES = "".join(f"{_line(item)}\n" for item in _ITEMS)
"""Items as an upload in lines."""
RESULT_LINES = f"{_line(_RESULT)}\n"
RESULT_EVENT_LINES = (
    f"retry: 1000\n\nid: 42\nevent: result\ndata: {_line(_RESULT)}\n\nid: end-42\nevent: end\ndata: {_line(_BATCH)}\n\n"
)
STREAM_EVENT_LINES = RESULT_EVENT_LINES.replace("\n\n", f"\n\nevent: stream\ndata: {_line({'id': _ID})}\n\n", 1)

BATCH_EXAMPLES: dict[str, Any] = {
    "BatchBody": {"task_id": "spam-detector", "max_concurrency": 8, "items": _ITEMS},
    "ValidateBody": {
        "task_id": "spam-detector",
        "items": [{"id": "first", "output": "spam", "input": _ITEMS[0]["input"], "expected": "spam"}],
    },
    "batch": _BATCH,
    "stream": {**_BATCH, "kind": "stream"},
    "batches": {"items": [_BATCH], "next_cursor": None},
    "batch-answer": {"batch": _BATCH, "results": [_RESULT]},
}
"""By the name of a request's struct, or of an answer."""
