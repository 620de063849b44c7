"""What every plugin is: metadata, a typed configuration, and hooks that are all optional, sync or async.

Imports only `context`, `records`, `values` and `errors`, so that a plugin's author needs to know no more.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Mapping
from inspect import isclass, isfunction
from typing import TYPE_CHECKING, Any, ClassVar, Generic, cast, get_args, get_origin

from pydantic import BaseModel, ConfigDict, model_validator
from typing_extensions import TypeVar

from hotplane.errors import InvalidMetadata
from hotplane.plugins.context import PluginContext
from hotplane.records import Health, PluginMetadata
from hotplane.values import Json

__all__ = ["HOOKS", "Config", "ConfigT", "Plugin", "kind_name", "kind_of"]


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
                    # In the place of a model, what is none is taken, too: `check_plugin_class` refuses it by name.
                    if argument is Any or not isclass(argument):
                        continue
                    if issubclass(argument, BaseModel) or _takes_a_model(base):
                        cls.Config = cast("type[BaseModel]", argument)
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


def _takes_a_model(base: object) -> bool:
    """Tell whether a generic base has the configuration as its only parameter."""
    parameters: tuple[object, ...] = getattr(get_origin(base), "__parameters__", ())
    return [getattr(each, "__bound__", None) for each in parameters] == [BaseModel]


HOOKS = frozenset({"start", "stop", "check_health", "reconfigure", "stats", "export_state", "import_state"})
"""The names of the optional hooks."""


def kind_of(plugin: type[Plugin[Any]]) -> type[Plugin[Any]]:
    """Return the kind of a plugin class: the class in its ancestry that subclasses `Plugin` directly."""
    for base in plugin.__mro__:
        if Plugin in base.__bases__:
            return base
    raise InvalidMetadata(plugin.__qualname__, "it is `Plugin` itself; subclass a kind such as `Validator`")


def kind_name(kind: type[Plugin[Any]]) -> str:
    """Return a kind's name in kebab case: ``webhook-handler`` for `WebhookHandler`."""
    return _kebab(kind.__name__)


def _kebab(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", name).lower()


def _field_name(key: str, fields: Mapping[str, object]) -> str:
    if key in fields:
        return key
    snake = _kebab(key).replace("-", "_")
    return snake if snake in fields else key
