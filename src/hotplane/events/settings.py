"""What can be set about deliveries, with the source of each default. Imports only `routing`'s settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, field_validator

from hotplane.routing import BreakerSettings

__all__ = ["DeliverySettings", "EventsSettings"]

Seconds = Annotated[float, Field(ge=0.0, le=30 * 86_400.0)]

_BREAKER = BreakerSettings(
    window_calls=20, minimum_calls=5, open_seconds=5.0, open_max_seconds=60.0, half_open_permits=1
)
_SVIX = (5.0, 300.0, 1_800.0, 7_200.0, 18_000.0, 36_000.0, 36_000.0)


class DeliverySettings(BaseModel):
    """How events are delivered to one handler."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    schedule_seconds: Annotated[tuple[Seconds, ...], Field(max_length=100)] = _SVIX
    """How long after each failed attempt the next one follows; after the last one the delivery is dead (Svix: 5 s,
    5 min, 30 min, 2 h, 5 h, 10 h, 10 h)."""
    jitter: float = Field(default=0.2, ge=0.0, lt=1.0)
    """Each of these times is spread by this share up and down (Svix: ±20 %)."""
    throttle_seconds: Seconds = 60.0
    """The least time after a 429 or a time-out, unless the receiver named one itself (Svix: 60 s)."""
    max_retry_after_seconds: Seconds = 3_600.0
    """A receiver's `Retry-After` is obeyed up to this, and never shortens the schedule."""
    concurrency: int = Field(default=8, ge=1, le=256)
    """Deliveries to this handler under way at once."""
    timeout_seconds: float = Field(default=30.0, gt=0.0, le=600.0)
    """How long one attempt may take (Standard Webhooks: 15 to 30 s)."""
    order: Literal["none", "task", "execution"] = "none"
    """`task` or `execution`: of the events of one task, or one execution, each waits until the one before is delivered
    or dead."""
    disable_after_hours: float = Field(default=120.0, ge=0.0, le=8_760.0)
    """The handler is disabled when nothing was taken for so long and `disable_after_dead` deliveries died (Svix: 120
    hours); 0 for never."""
    disable_after_dead: int = Field(default=3, ge=1, le=1_000_000)
    """How many deliveries have to die before that, so that a rare event alone disables nothing."""

    def over(self, defaults: DeliverySettings) -> DeliverySettings:
        """Return `defaults` with what is set here."""
        return defaults.model_copy(update={name: getattr(self, name) for name in self.model_fields_set})


class EventsSettings(BaseModel):
    """Events and their way to webhook handlers."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    delivery: DeliverySettings = DeliverySettings()
    """For every handler; `delivery` of a handler's own entry wins, key by key."""
    breaker: BreakerSettings = _BREAKER
    """One for each destination: while it is open, deliveries wait without an attempt being counted."""
    source_prefix: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9._/-]{0,99}$")] = "external"
    """What the `source` of events begins with that programs outside publish: `external`, or `external/billing` where
    one says that it is `billing`."""
    max_event_bytes: int = Field(default=65_536, ge=256, le=1_048_576)
    """Size of payload and metadata, as JSON, of an event that is published from outside."""
    keep_days: float = Field(default=30.0, gt=0.0, le=36_500.0)
    """Events older than this are deleted, with their deliveries, once all of these are delivered."""
    keep_dead_days: float = Field(default=90.0, gt=0.0, le=36_500.0)
    """Events older than this are deleted whatever became of their deliveries."""

    @field_validator("breaker", mode="before")
    @classmethod
    def _over_its_own_defaults(cls, given: object) -> object:
        """Have one key that is set change that key alone, and not bring in another room's defaults for the rest."""
        return {**_BREAKER.model_dump(), **cast("Mapping[str, object]", given)} if isinstance(given, Mapping) else given
