"""What an operator may set about plugins.

Imports only `section`, `errors`, `identity`, `values`, `builtin` and the host's settings.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, Any, Literal, cast

from pydantic import Field, ValidationInfo, field_validator

from hotplane.builtin import BUILTIN_TYPES
from hotplane.config.section import Section, wrong
from hotplane.errors import InvalidId, did_you_mean
from hotplane.events.settings import DeliverySettings
from hotplane.host.restarts import RestartSettings
from hotplane.identity import check_id
from hotplane.routing import RunnerBreakerSettings
from hotplane.values import Json, pointer

__all__ = ["GROUPS", "KNOWN_TYPES", "RESERVED_IDS", "PluginEntry", "PluginsSettings"]

KNOWN_TYPES: frozenset[str] = frozenset(BUILTIN_TYPES)
"""The types that a configuration may name without telling where they are."""

GROUPS: Mapping[str, str | None] = {
    "validators": "validator",
    "samplers": "sampler",
    "webhook_handlers": "webhook-handler",
    "runners": "runner",
    "others": None,
}
"""The lists of entries, and the kind that each holds; null for any."""

RESERVED_IDS = frozenset({"health", "system", "events"})
"""Ids that the API uses as paths."""

_KINDS = frozenset(kind for kind in GROUPS.values() if kind)
_PLACE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


class PluginEntry(Section):
    """One instance of a plugin type."""

    name: str
    """The instance's id, unique over all plugins of the host."""
    type: Annotated[str | None, Field(validate_default=True)] = None
    """The plugin's type: a built-in name or `module:Class`. Left away, or the name of a kind such as `validator`:
    the type is the `name`."""
    enabled: bool = True
    """Whether it is started with the host."""
    priority: Annotated[int | None, Field(ge=-1_000_000, le=1_000_000)] = None
    """Higher runs earlier, ties by name. Left away: the default of its class."""
    configuration: Mapping[str, Json] = {}
    """The plugin's own settings; their keys are checked by the plugin."""
    metadata: Mapping[str, Json] = {}
    """Anything that the operator wants to note; shown, never interpreted."""
    required: bool = False
    """Whether the host refuses to start without it."""
    timeout_ms: Annotated[int | None, Field(ge=1, le=3_600_000)] = None
    """Time for one call, in milliseconds. Left away: `plugins.call_timeout_ms`."""
    restart: RestartSettings | None = None
    """How often, and how soon, it is started again. Left away: `plugins.restart`."""
    delivery: DeliverySettings | None = None
    """How events are delivered to it, if it is a webhook handler. Left away: `events.delivery`, also key by key."""
    breaker: RunnerBreakerSettings | None = None
    """When it counts as unavailable, if it is a runner. Left away: `fallback.breaker`, also key by key."""
    on_error: Literal["open", "closed"] | None = None
    """What a failed call counts as: `open` as if the plugin had agreed, `closed` as if it had objected. Left away:
    validators are closed, samplers open."""
    on_fail: Literal["record", "reject", "fix"] | None = None
    """What follows when a validator objects: `record` notes it, `reject` refuses the output, so that the caller gets
    422, `fix` takes the validator's correction in its place. `reject` and `fix` run on every execution, `record` on
    the sampled ones. Left away: `record`."""

    @property
    def plugin_type(self) -> str:
        """The type that is meant: `type`, or the name where `type` is absent or the name of a kind."""
        return self.name if self.type is None or self.type in _KINDS else self.type

    @field_validator("name")
    @classmethod
    def _usable_id(cls, name: str) -> str:
        try:
            check_id(name, "a plugin's name")
        except InvalidId as error:
            raise wrong(str(error)) from None
        if name in RESERVED_IDS:
            raise wrong(f"the name {name!r} is reserved, because the API uses it as a path; choose another")
        return name

    @field_validator("type")
    @classmethod
    def _known_type(cls, value: str | None, info: ValidationInfo) -> str | None:
        name = cast("str | None", info.data.get("name"))
        meant = name if value is None or value in _KINDS else value
        if meant is None or _PLACE.fullmatch(meant):
            return value
        if ":" in meant:
            raise wrong(f"{meant!r} does not tell where a class is; write `package.module:Class`")
        known = _known_types(info)
        if meant not in known and not _may_be_found(info):
            hint = did_you_mean(meant, known) or "."
            raise wrong(
                f"there is no plugin type {meant!r}{hint} Known types: {', '.join(sorted(known))}; "
                "your own are written `package.module:Class`"
            )
        return value


class PluginsSettings(Section):
    """The plugins.

    Any key that is none of these is short for one entry: its name is the key, which has to be a known type, and its
    mapping is the configuration, with `enabled`, `priority` and `on_fail` taken out.
    """

    enabled: bool = True
    """`false` loads no plugin at all; the host still executes, with its own local runner."""
    validators: tuple[PluginEntry, ...] = ()
    """Plugins that judge executions."""
    samplers: tuple[PluginEntry, ...] = ()
    """Plugins that pick the executions worth checking."""
    webhook_handlers: tuple[PluginEntry, ...] = ()
    """Plugins that tell the world."""
    runners: tuple[PluginEntry, ...] = ()
    """Plugins that do the work."""
    others: tuple[PluginEntry, ...] = ()
    """Plugins of any kind, also of your own ones; the short form ends here."""
    paths: Annotated[tuple[str, ...], Field(max_length=1000)] = ()
    """Patterns over the modules and folders that plugins may be loaded from, such as `mycompany.plugins.*`; empty
    allows only what ships with Hotplane."""
    directories: Annotated[tuple[str, ...], Field(max_length=100)] = ()
    """Folders of plugins: each file `*.py` and each package in them is one, loaded under the name in its metadata, or
    as an entry says whose `type` is that name. Relative to the current folder. None unless named here."""
    watch: Literal[True, False, "polling"] = True
    """Whether plugins of `directories` are reloaded when their files change; `polling` looks instead of being told,
    for network file systems."""
    watch_debounce_ms: Annotated[int, Field(ge=1, le=1_000)] = 50
    """Milliseconds without a further change before a change counts."""
    installed: bool = False
    """Whether plugins of installed distributions are loaded where no entry names their type; they are always listed."""
    restart: RestartSettings = RestartSettings()
    """How often, and how soon, plugins without a `restart` of their own are started again."""
    import_timeout_seconds: Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)] = 10.0
    """Time for the import of one plugin, in seconds."""
    health_timeout_seconds: Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)] = 5.0
    """Time for a new generation's health check before it serves, and for each hook that carries its state over."""
    drain_timeout_seconds: Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)] = 30.0
    """Time for the calls that are still on an old generation after a reload, in seconds; then its stop is forced."""
    start_timeout_seconds: Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)] = 10.0
    """Time for the start of one plugin, in seconds."""
    stop_timeout_seconds: Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)] = 5.0
    """Time for the stop of one plugin, in seconds; then it is forced."""
    call_timeout_ms: Annotated[int, Field(ge=1, le=3_600_000)] = 1000
    """Time for one call of a plugin, in milliseconds, where its entry gives none."""

    def entries(self) -> Iterator[tuple[str, PluginEntry]]:
        """Yield every entry of all groups with its JSON Pointer, such as ``/plugins/samplers/0``."""
        for group in GROUPS:
            for index, entry in enumerate(cast("tuple[PluginEntry, ...]", getattr(self, group))):
                yield pointer("plugins", group, index), entry

    @field_validator("validators", "samplers", "webhook_handlers", "runners")
    @classmethod
    def _kind_fits(cls, entries: tuple[PluginEntry, ...], info: ValidationInfo) -> tuple[PluginEntry, ...]:
        for index, entry in enumerate(entries):
            if entry.type in _KINDS and entry.type != GROUPS[str(info.field_name)]:
                raise wrong(f"a {entry.type} does not belong under `{info.field_name}`", f"/{index}/type")
            if entry.on_fail is not None and info.field_name != "validators":
                raise wrong("`on_fail` is for validators: other plugins have no verdict", f"/{index}/on_fail")
            if entry.breaker is not None and info.field_name != "runners":
                raise wrong("`breaker` is for runners: other plugins are in no route", f"/{index}/breaker")
        return entries


def _known_types(info: ValidationInfo) -> Collection[str]:
    context = cast("Mapping[str, Any] | None", info.context)
    return KNOWN_TYPES if context is None else context["known_types"]


def _may_be_found(info: ValidationInfo) -> bool:
    """Tell whether there are sources whose types are known only when the host looks at them."""
    context = cast("Mapping[str, object] | None", info.context)
    return context is not None and bool(context.get("open"))
