"""What people see of batches and of their items. Imports only its own room."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from hotplane.cli.fields import Fields, Record, part
from hotplane.cli.tables import Column, moment

__all__ = ["BATCH_COLUMNS", "RESULT_COLUMNS", "accuracy_fields", "batch_fields"]


def _error(error: object) -> str | None:
    if not isinstance(error, Mapping):
        return None
    found = cast("Mapping[str, object]", error)
    return f"{found.get('type')}: {found.get('message')}"


BATCH_COLUMNS = (
    Column("id", "id", whole=True),
    Column("task", "task_id"),
    Column("kind", "kind"),
    Column("state", "state"),
    Column("items", "items", number=True),
    Column("done", "done", number=True),
    Column("failed", "counts.failed", number=True),
    Column("created", "created_at", show=moment),
)

RESULT_COLUMNS = (
    Column("line", "position", number=True),
    Column("item", "item_id"),
    Column("status", "status"),
    Column("error", "error", show=_error),
    Column("output", "output"),
    Column("execution", "execution_id", whole=True),
)


def batch_fields(batch: Record) -> Fields:
    """Return what people see of a batch."""
    counts = part(batch, "counts")
    shown: list[tuple[str, object]] = [
        ("id", batch["id"]),
        ("task", batch["task_id"]),
        ("state", batch["state"]),
        ("items", f"{batch['done']} of {batch['items']} done"),
        *[(name.replace("_", " "), count) for name, count in counts.items() if count],
        ("per second", batch.get("rate_per_second")),
        ("seconds left", batch.get("seconds_left")),
        ("created", moment(batch["created_at"])),
        ("finished", moment(batch["finished_at"]) if batch.get("finished_at") else None),
    ]
    if batch.get("truncated"):
        shown.append(("truncated", "the upload broke off; what had arrived was run"))
    if batch.get("problem"):
        shown.append(("problem", batch["problem"]))
    return shown


def accuracy_fields(accuracy: Record) -> Fields:
    """Return the estimated accuracy, how many could not be judged, and the true accuracy."""
    estimate, quality = accuracy["estimated"], part(accuracy, "quality")
    shown: list[tuple[str, object]] = []
    if estimate is not None:
        share = f"from {quality['judged']} judged of {_population(quality['executions'], accuracy['executions'])}"
        shown.append((f"accuracy, estimated ({quality['confidence'] * 100:g} %)", f"{_interval(estimate)}, {share}"))
    elif quality.get("reason"):
        shown.append(("accuracy, estimated", f"no estimate: {quality['reason']}"))
    if quality.get("not_judged"):
        shown.append(("could not be judged", quality["not_judged"]))
    if accuracy["true"] is not None:
        right = f"{accuracy['correct']} of {accuracy['expected']} as expected"
        shown.append(("accuracy, true", f"{accuracy['true'] * 100:.4g} %, {right}"))
    return shown


def _population(executions: int, own: int) -> str:
    """Say what an estimate is about: a task's quality is known by time, so that others may have a part in it."""
    return f"{executions} executions" + ("" if executions == own else " of the task since the batch began")


def _interval(estimate: Mapping[str, float]) -> str:
    value, low, high = (f"{estimate[name] * 100:.4g}" for name in ("value", "low", "high"))
    return f"{value} % ({low} to {high} %)"
