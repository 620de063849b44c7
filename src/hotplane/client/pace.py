"""How long to wait before a server is asked again how something stands. Imports only `results`."""

from __future__ import annotations

from hotplane.client.results import Batch

__all__ = ["OPERATION_PAUSE", "poll_pause"]

OPERATION_PAUSE = 0.2
"""Seconds between two questions after an operation."""

_LEAST, _MOST = 0.05, 2.0


def poll_pause(batch: Batch) -> float:
    """Return the seconds until a batch is worth another look: half of what it says is left, within limits."""
    left = batch.seconds_left
    return _MOST / 8 if left is None else min(_MOST, max(_LEAST, left / 2))
