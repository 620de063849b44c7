"""What may be asked of events and deliveries. Imports only lower rooms."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from hotplane.api.instants import Instant
from hotplane.builtin.webhooks.choosing import chosen_types
from hotplane.records import EventType, Severity
from hotplane.storage import DeliveryFilter, DeliveryState, EventFilter

__all__ = ["DeliveryQuery", "EventQuery", "HandlerDeliveryQuery"]

MAX_LIMIT = 1000


def _known(types: list[str]) -> list[str]:
    chosen_types(types)
    return types


Types = Annotated[
    list[str],
    AfterValidator(_known),
    Field(max_length=100, description="Event types, or groups of them such as `plugin.*`; may be repeated."),
]
Since = Annotated[
    Instant | None,
    Field(description="Taken in by the host at or after this instant (RFC 3339, with its offset)."),
]
Until = Annotated[
    Instant | None, Field(description="Taken in by the host before this instant (RFC 3339, with its offset).")
]
Limit = Annotated[int, Field(ge=1, le=MAX_LIMIT, description="The most items of one answer.")]
Cursor = Annotated[str | None, Field(max_length=200, description="`next_cursor` of the page before.")]


class EventQuery(BaseModel):
    """Which events, how many, in which form."""

    model_config = ConfigDict(extra="forbid")

    type: Types = []
    severity: Annotated[list[Severity], Field(description="How much they matter; may be repeated.")] = []
    task: Annotated[str | None, Field(description="Id of the task that they are about.")] = None
    execution: Annotated[str | None, Field(description="Id of the execution that they are about.")] = None
    since: Since = None
    until: Until = None
    after: Annotated[
        int | None,
        Field(
            ge=0,
            le=2**63 - 1,
            description="A place in the log, such as the `sequence` of an event or `next_after`: what comes behind it, "
            "oldest first. 0 begins at the oldest. Left away: newest first, or for a stream from now on.",
        ),
    ] = None
    cursor: Cursor = None
    limit: Limit = 50
    format: Annotated[
        Literal["hotplane", "cloudevents", "standard"],
        Field(description="As a record, as CloudEvents 1.0, or as bodies of Standard Webhooks."),
    ] = "hotplane"

    def to_filter(self) -> EventFilter:
        """Return what the store is asked for."""
        return EventFilter(
            types=_chosen(self.type),
            severities=frozenset(self.severity),
            task_id=self.task,
            execution_id=self.execution,
            came_from=self.since,
            came_to=self.until,
        )


class HandlerDeliveryQuery(BaseModel):
    """Which deliveries, and how many."""

    model_config = ConfigDict(extra="forbid")

    state: Annotated[list[DeliveryState], Field(description="Where they are; may be repeated.")] = []
    type: Types = []
    event: Annotated[int | None, Field(ge=1, le=2**63 - 1, description="The event's place in the log.")] = None
    since: Since = None
    until: Until = None
    limit: Limit = 50
    cursor: Cursor = None

    def to_filter(self) -> DeliveryFilter:
        """Return what the store is asked for."""
        return DeliveryFilter(
            states=frozenset(self.state),
            types=_chosen(self.type),
            sequence=self.event,
            came_from=self.since,
            came_to=self.until,
        )


class DeliveryQuery(HandlerDeliveryQuery):
    """Which deliveries, and how many."""

    handler: Annotated[str | None, Field(description="Name of the webhook handler.")] = None


def _chosen(types: list[str]) -> frozenset[EventType]:
    return chosen_types(types) if types else frozenset()
