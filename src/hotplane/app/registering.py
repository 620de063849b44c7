"""What an embedding program registers by hand, before its host starts. Imports `resources`, `config` and `host`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeVar, overload

from hotplane.app.resources import Resources
from hotplane.config import HotplaneConfig
from hotplane.events import DeliverySettings
from hotplane.host import PluginSpec
from hotplane.plugins import Plugin
from hotplane.values import Json

__all__ = ["Registering"]

C = TypeVar("C", bound="type[Plugin[Any]]")


class Registering:
    """The part of a host that takes plugins in by hand.

    Args:
        config: The host's configuration.
        resources: Told what is written about each plugin.
    """

    def __init__(self, config: HotplaneConfig, resources: Resources) -> None:
        self._resources = resources
        self._registered: list[PluginSpec] = []
        self._deliveries: dict[str, DeliverySettings] = {
            entry.name: entry.delivery for _, entry in config.plugins.entries() if entry.delivery is not None
        }

    def register(
        self,
        plugin: Plugin[Any] | type[Plugin[Any]],
        *,
        id: str | None = None,
        enabled: bool = True,
        priority: int | None = None,
        configuration: Mapping[str, Json] | None = None,
        required: bool = False,
        on_fail: Literal["record", "reject", "fix"] | None = None,
        delivery: DeliverySettings | None = None,
    ) -> None:
        """Have a plugin loaded when the host starts; for a running host see `load`.

        Args:
            plugin: A class, which the host instantiates with `configuration`, or an instance.
            id: Unique over all kinds; its type's name by default.
            enabled: Whether it is loaded and in its kind's chain.
            priority: Higher runs earlier; its class's own by default.
            configuration: For a class; an instance brings its own.
            required: Whether the host must not start without it.
            on_fail: What follows when it objects, if it is a validator; a record by default.
            delivery: How events are delivered to it, if it is a webhook handler; as configured for all by default.
        """
        cls, instance = (plugin, None) if isinstance(plugin, type) else (type(plugin), plugin)
        name = cls.metadata.name
        spec = PluginSpec(
            id=id or name,
            type=name,
            enabled=enabled,
            priority=priority,
            configuration=configuration or {},
            required=required,
            on_fail=on_fail,
            source="hand",
            cls=cls,
            instance=instance,
        )
        self._registered.append(spec)
        if delivery is not None:
            self._deliveries[spec.id] = delivery
        self._resources.write(spec.id, spec.configuration if instance is None else instance.config.model_dump())

    @overload
    def plugin(self, cls: C, /) -> C: ...
    @overload
    def plugin(
        self, /, *, id: str | None = None, priority: int | None = None, configuration: Mapping[str, Json] | None = None
    ) -> Callable[[C], C]: ...
    def plugin(
        self,
        cls: C | None = None,
        /,
        *,
        id: str | None = None,
        priority: int | None = None,
        configuration: Mapping[str, Json] | None = None,
    ) -> C | Callable[[C], C]:
        """Register the class below: ``@host.plugin`` or ``@host.plugin(priority=5)``."""

        def decorate(decorated: C) -> C:
            self.register(decorated, id=id, priority=priority, configuration=configuration)
            return decorated

        return decorate if cls is None else decorate(cls)
