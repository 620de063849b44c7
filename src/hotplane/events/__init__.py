"""Telling the world: every stored event comes to the handlers that support it, at least once."""

from hotplane.events.happenings import Happenings
from hotplane.events.operating import Replayed
from hotplane.events.outbox import HandlerStatus, Outbox
from hotplane.events.settings import DeliverySettings, EventsSettings

__all__ = ["DeliverySettings", "EventsSettings", "HandlerStatus", "Happenings", "Outbox", "Replayed"]
