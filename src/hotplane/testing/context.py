"""What a host gives a plugin at its start, with fakes in it. Imports `plugins`, `version` and this room."""

from __future__ import annotations

from typing import Any, cast

from pydantic import BaseModel

from hotplane.plugins import Clock, KeyValue, Logger, Outbound, Plugin, PluginContext
from hotplane.testing.clock import FakeClock
from hotplane.testing.key_value import FakeKeyValue
from hotplane.testing.log import FakeLog
from hotplane.testing.outbound import FakeOutbound
from hotplane.version import __version__

__all__ = ["make_context"]


def make_context(
    plugin: Plugin[Any] | type[Plugin[Any]],
    *,
    config: BaseModel | None = None,
    clock: Clock | None = None,
    storage: KeyValue | None = None,
    http: Outbound | None = None,
    log: Logger | None = None,
    network: bool = True,
) -> PluginContext:
    """Return a context for `plugin`; keep hold of a fake that you give, to turn or read it.

    Args:
        plugin: An instance, or a class.
        config: Its configuration; an instance's own, or the class's defaults, where it is left away.
        clock: A `FakeClock` that stands still by default.
        storage: An empty `FakeKeyValue` by default.
        http: By default a `FakeOutbound`, which answers 200 to everything and sends nothing.
        log: A `FakeLog` by default.
        network: Whether it may use the network; false: as on a host that was built without one.

    Raises:
        pydantic.ValidationError: There is no `config`, and the class has settings without a default.
    """
    own = config
    if own is None:
        own = plugin.Config() if isinstance(plugin, type) else cast("BaseModel", plugin.config)
    return PluginContext(
        plugin_id=("" if isinstance(plugin, type) else plugin.id) or plugin.metadata.name,
        config=own,
        log=log or FakeLog(),
        clock=clock or FakeClock(),
        storage=storage or FakeKeyValue(),
        http=(http or FakeOutbound()) if network else None,
        host_version=__version__,
    )
