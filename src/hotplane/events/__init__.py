"""Telling the world: every stored event comes to the handlers that support it, at least once.

The names below are imported when they are first used: a handler needs the envelope, and not the store.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hotplane.events.happenings import Happenings
    from hotplane.events.operating import Replayed
    from hotplane.events.outbox import HandlerStatus, Outbox
    from hotplane.events.settings import DeliverySettings, EventsSettings

__all__ = ["DeliverySettings", "EventsSettings", "HandlerStatus", "Happenings", "Outbox", "Replayed"]

_PLACES = {
    "DeliverySettings": "settings",
    "EventsSettings": "settings",
    "HandlerStatus": "outbox",
    "Happenings": "happenings",
    "Outbox": "outbox",
    "Replayed": "operating",
}


def __getattr__(name: str) -> object:
    file = _PLACES.get(name)
    if file is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{file}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
