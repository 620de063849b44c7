"""A webhook handler as it may be shown. Imports `builtin`, `host`, `events`, `plugins` and its own values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hotplane.builtin import BUILTIN_TYPES, load_builtin
from hotplane.events import DeliverySettings
from hotplane.events.addressing import supported_by
from hotplane.host import PluginStatus
from hotplane.host.showing import HIDDEN, shown_configuration
from hotplane.host.switchboard import Wanted
from hotplane.plugins import Plugin, WebhookHandler
from hotplane.records import EventType
from hotplane.values import Json
from hotplane.webhooks.values import Webhook

__all__ = ["shown_webhook"]


def shown_webhook(
    status: PluginStatus, wanted: Wanted, delivery: DeliverySettings, own: Mapping[str, Json] | None
) -> Webhook:
    """Return what can be seen of a handler.

    Args:
        status: The plugin's.
        wanted: What is wanted of it, secrets included.
        delivery: How events are delivered to it, all in all.
        own: What of that is its own.
    """
    return Webhook(
        name=status.id,
        type=status.type,
        source="file" if wanted.spec.declared_in else status.source,
        overridden=bool(wanted.overrides),
        enabled=status.enabled,
        priority=status.priority,
        state=status.state,
        disabled=status.disabled,
        reason=status.reason if status.disabled is None else status.disabled.reason,
        retry_at=status.retry_at,
        destination=_destination(wanted.plugin),
        configuration=_configuration(wanted),
        events=_events(wanted),
        delivery=delivery.model_dump(mode="json"),
        own_delivery=own,
    )


def _configuration(wanted: Wanted) -> Mapping[str, Json]:
    if wanted.plugin is None:
        return shown_configuration(_class_of(wanted), wanted.configuration, defaults=True)
    try:
        return wanted.plugin.config.model_dump(mode="json")
    except Exception:  # an author's model may do anything
        return dict.fromkeys(map(str, wanted.configuration), HIDDEN)


def _class_of(wanted: Wanted) -> type[Plugin[Any]] | None:
    """Return the class of one that is not loaded: looking at a handler runs no code but what ships with the host."""
    if wanted.cls is None and wanted.spec.type in BUILTIN_TYPES:
        return load_builtin(wanted.spec.type)
    return wanted.cls


def _events(wanted: Wanted) -> tuple[EventType, ...]:
    known = wanted.plugin if wanted.plugin is not None else _class_of(wanted)
    return tuple(sorted(supported_by(known))) if known is not None else ()


def _destination(plugin: Plugin[Any] | None) -> str | None:
    if not isinstance(plugin, WebhookHandler):
        return None
    try:
        return str(plugin.destination())
    except Exception:  # who delivers logs it
        return None
