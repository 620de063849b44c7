"""What every plugin is: metadata, a typed configuration, and hooks that are all optional, sync or async.

Imports only `records`, `values` and `errors`, so that a plugin's author needs to know no more.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Awaitable, Mapping
from datetime import datetime
from inspect import isclass, isfunction
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, cast, get_args

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version
from pydantic import BaseModel, ConfigDict, model_validator
from typing_extensions import TypeVar

from hotplane.errors import InvalidMetadata, PluginMisconfigured
from hotplane.records import Health, PluginMetadata
from hotplane.values import Json

__all__ = [
    "HOOKS",
    "Clock",
    "Config",
    "HttpAnswer",
    "KeyValue",
    "Logger",
    "Outbound",
    "Plugin",
    "PluginContext",
    "check_plugin_class",
    "kind_name",
    "kind_of",
]


class Config(BaseModel):
    """Base of a plugin's configuration: unknown keys are refused, and PascalCase keys are accepted."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _accept_pascal_case(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        fields = cls.model_fields
        entries = cast("dict[object, object]", data)
        return {_field_name(key, fields) if isinstance(key, str) else key: value for key, value in entries.items()}


_NoConfig = Config
ConfigT = TypeVar("ConfigT", bound=BaseModel, default=Config)


class Logger(Protocol):
    """What plugins may do with `context.log`: a structured logger, bound to the plugin's id."""

    def debug(self, event: str, **values: object) -> object: ...
    def info(self, event: str, **values: object) -> object: ...
    def warning(self, event: str, **values: object) -> object: ...
    def error(self, event: str, **values: object) -> object: ...
    def exception(self, event: str, **values: object) -> object: ...


class Clock(Protocol):
    """Time, so that tests can turn it."""

    def now(self) -> datetime:
        """Return the present instant, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds on a clock that never goes back."""
        ...


class KeyValue(Protocol):
    """Storage of one plugin: JSON values by key, kept over restarts and reloads."""

    async def get(self, key: str) -> Json: ...
    async def set(self, key: str, value: Json) -> None: ...
    async def delete(self, key: str) -> None: ...


class HttpAnswer(Protocol):
    """What a server answered, whatever the status."""

    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]:
        """By name in lower case; of a repeated header the last."""
        ...

    @property
    def body(self) -> bytes: ...


class Outbound(Protocol):
    """The guarded way out: limits, no redirects, no private addresses unless the operator allowed them."""

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        timeout: float | None = None,
    ) -> HttpAnswer:
        """Send one request and read the answer to its end; `timeout` in seconds.

        Raises:
            HotplaneError: There is no answer; `hotplane.network` lists the reasons.
        """
        ...

    async def connect(self, host: str, port: int, *, timeout: float | None = None) -> socket.socket:
        """Return a connected, non-blocking socket, for protocols other than HTTP; `timeout` in seconds.

        Raises:
            HotplaneError: There is no connection, or the address is not allowed.
        """
        ...


class PluginContext:
    """What the host gives a plugin when it starts."""

    __slots__ = ("_http", "clock", "config", "host_version", "log", "plugin_id", "storage")

    def __init__(
        self,
        *,
        plugin_id: str,
        config: BaseModel,
        log: Logger,
        clock: Clock,
        storage: KeyValue,
        host_version: str,
        http: Outbound | None = None,
    ) -> None:
        self.plugin_id = plugin_id
        self.config = config
        self.log = log
        self.clock = clock
        self.storage = storage
        self.host_version = host_version
        self._http = http

    @property
    def http(self) -> Outbound:
        """The guarded way out of this host.

        Raises:
            PluginMisconfigured: This host lets plugins make no requests.
        """
        if self._http is None:
            raise PluginMisconfigured("This host lets plugins make no requests: it was built without a network.")
        return self._http


class Plugin(Generic[ConfigT]):
    """Base of every kind.

    A plugin's author subclasses a kind (`Validator`, `Sampler`, `WebhookHandler`, `Runner`, or one of their
    own), gives it `metadata`, and writes the kind's one method. A direct subclass of `Plugin` is a new kind;
    its method is its only public one, or the one that `method` names.

    The configuration is a pydantic model, given as ``Validator[MyConfig]`` or as a nested class ``Config``.
    The host sets `config` before `__init__` runs.

    Hooks, all optional, sync or async: ``start(context)``, ``stop()``, ``check_health() -> Health``,
    ``reconfigure(config)``, ``stats() -> dict``, ``export_state() -> bytes | None``, ``import_state(state)``.
    """

    metadata: ClassVar[PluginMetadata]
    Config: ClassVar[type[BaseModel]] = _NoConfig
    method: ClassVar[str] = ""
    """The name of the kind's method, which chains call."""
    blocking: ClassVar[bool] = False
    """Whether its sync methods may block: then they run in a thread of the host's pool, not on the loop."""

    recovers_itself: ClassVar[bool] = False
    """Whether it mends itself, as one that reconnects does: while it is unhealthy the supervisor leaves it alone."""
    outcomes: ClassVar[tuple[type[BaseException], ...]] = ()
    """Exceptions that are results of the kind's method, not failures of the plugin; they are not counted as such."""

    config: ConfigT
    id: str = ""
    """The instance's id; set by the host."""
    is_enabled: bool = True
    """Switched by the registry alone."""
    priority: int = 0
    """Higher runs earlier. A class may set its default; the registry alone changes it on an instance."""

    def __init__(self, config: ConfigT | None = None) -> None:
        if config is not None:
            self.config = config
        elif not hasattr(self, "config"):
            self.config = cast("ConfigT", type(self).Config())

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "Config" not in cls.__dict__:
            for base in cast("tuple[object, ...]", getattr(cls, "__orig_bases__", ())):
                for argument in get_args(base):
                    if isclass(argument) and issubclass(argument, BaseModel):
                        cls.Config = argument
        if Plugin in cls.__bases__ and not cls.method:
            own = [name for name, value in cls.__dict__.items() if isfunction(value) and not name.startswith("_")]
            candidates = [name for name in own if name not in HOOKS]
            cls.method = candidates[0] if len(candidates) == 1 else ""

    @property
    def name(self) -> str:
        """The name of the plugin's type."""
        return self.metadata.name

    @property
    def version(self) -> str:
        """The plugin's version, PEP 440."""
        return self.metadata.version

    @property
    def description(self) -> str:
        """What the plugin is for, in a sentence."""
        return self.metadata.description

    @property
    def author(self) -> str:
        """Who wrote it."""
        return self.metadata.author

    if TYPE_CHECKING:
        # Hooks are looked up, not inherited: a plugin without one costs nothing. These signatures only tell
        # the type checker what an author may write.
        def start(self, context: PluginContext) -> Awaitable[None] | None: ...
        def stop(self) -> Awaitable[None] | None: ...
        def check_health(self) -> Awaitable[Health] | Health: ...
        def reconfigure(self, config: ConfigT) -> Awaitable[None] | None: ...
        def stats(self) -> Awaitable[Mapping[str, Json]] | Mapping[str, Json]: ...
        def export_state(self) -> Awaitable[bytes | None] | bytes | None: ...
        def import_state(self, state: bytes) -> Awaitable[None] | None: ...


HOOKS = frozenset({"start", "stop", "check_health", "reconfigure", "stats", "export_state", "import_state"})
"""The names of the optional hooks."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")


def kind_of(plugin: type[Plugin[Any]]) -> type[Plugin[Any]]:
    """Return the kind of a plugin class: the class in its ancestry that subclasses `Plugin` directly."""
    for base in plugin.__mro__:
        if Plugin in base.__bases__:
            return base
    raise InvalidMetadata(plugin.__qualname__, "it is `Plugin` itself; subclass a kind such as `Validator`")


def kind_name(kind: type[Plugin[Any]]) -> str:
    """Return a kind's name in kebab case: ``webhook-handler`` for `WebhookHandler`."""
    return _kebab(kind.__name__)


def check_plugin_class(plugin: object) -> type[Plugin[Any]]:
    """Return `plugin` when it is a class that a host can use.

    Raises:
        InvalidMetadata: It is not a plugin class, has no metadata, or its name, version or a specifier is wrong.
    """
    name = getattr(plugin, "__qualname__", repr(plugin))
    if not isclass(plugin) or not issubclass(plugin, Plugin):
        raise InvalidMetadata(name, "it is not a class derived from `hotplane.Plugin`")
    checked = cast("type[Plugin[Any]]", plugin)
    kind = kind_of(checked)
    metadata = getattr(checked, "metadata", None)
    if not isinstance(metadata, PluginMetadata):
        raise InvalidMetadata(name, "it has no `metadata = PluginMetadata(name=…, version=…)`")
    if kind.method and not callable(getattr(checked, kind.method, None)):
        raise InvalidMetadata(name, f"it has no method `{kind.method}`, which a {kind_name(kind)} needs")
    if checked is not kind and kind.method and getattr(checked, kind.method) is getattr(kind, kind.method):
        raise InvalidMetadata(name, f"it does not define `{kind.method}`, which a {kind_name(kind)} needs")
    check_metadata(metadata, name)
    return checked


def check_metadata(metadata: PluginMetadata, plugin: str) -> None:
    """Check names, versions and specifiers.

    Raises:
        InvalidMetadata: One of them is wrong; the message says which.
    """
    if _NAME.fullmatch(metadata.name) is None:
        raise InvalidMetadata(plugin, f"its name {metadata.name!r} is not made of letters, digits and `. _ : -`")
    try:
        Version(metadata.version)
    except InvalidVersion:
        raise InvalidMetadata(plugin, f"its version {metadata.version!r} is not a PEP 440 version") from None
    try:
        SpecifierSet(metadata.requires_host)
    except InvalidSpecifier:
        raise InvalidMetadata(
            plugin, f"`requires_host` {metadata.requires_host!r} is not a PEP 440 specifier"
        ) from None


def _kebab(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", name).lower()


def _field_name(key: str, fields: Mapping[str, object]) -> str:
    if key in fields:
        return key
    snake = _kebab(key).replace("-", "_")
    return snake if snake in fields else key
