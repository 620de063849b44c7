"""Checking what is asked of a webhook handler, before anything is stored or enabled; every problem with its place.

Imports `builtin.webhooks`, `events`, `host`, `plugins` and `errors`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from hotplane.builtin.webhooks.admission import places_of
from hotplane.builtin.webhooks.restoring import restored
from hotplane.errors import (
    ConfigurationError,
    ConfigurationRefused,
    HotplaneError,
    MissingExtra,
    PluginMisconfigured,
    PluginReloadFailed,
    PluginStartFailed,
    PluginTimeout,
    Problem,
)
from hotplane.events import DeliverySettings
from hotplane.host.instances import reason_of
from hotplane.plugins import Plugin
from hotplane.values import Json, pointer

__all__ = ["delivery_of", "explained", "with_events", "with_secrets"]

_CONFIGURATION = "/configuration"


def delivery_of(written: Mapping[str, Json] | None) -> DeliverySettings | None:
    """Return how events are to be delivered.

    Raises:
        ConfigurationError: It does not fit.
    """
    if written is None:
        return None
    try:
        return DeliverySettings.model_validate(written)
    except ValidationError as error:
        problems = [Problem(str(each["msg"]), pointer("delivery", *each["loc"])) for each in error.errors()]
    raise ConfigurationError(problems)


def with_events(
    cls: type[Plugin[Any]], configuration: Mapping[str, Json], events: Sequence[str] | None
) -> Mapping[str, Json]:
    """Return a configuration with the event types that stand beside it.

    Raises:
        ConfigurationError: They stand in it, too, or its type takes every event.
    """
    if events is None:
        return configuration
    if "events" not in cls.Config.model_fields:
        raise ConfigurationError([Problem(f"a {cls.metadata.name} takes every event and has no choice", "/events")])
    if "events" in configuration or "Events" in configuration:
        raise ConfigurationError([Problem("the event types stand in `configuration`, too; write them once", "/events")])
    return {**configuration, "events": list(events)}


def with_secrets(cls: type[Plugin[Any]], configuration: Mapping[str, Json], known: BaseModel) -> dict[str, Json]:
    """Return a configuration with the secrets put back that came as asterisks.

    Raises:
        ConfigurationError: It is not clear which are meant, or events would go elsewhere: whoever may see no secret
            may not have it sent to themselves either.
    """
    try:
        found, back = restored(configuration, known)
    except ConfigurationError as error:
        raise ConfigurationError(_below(error.problems)) from None
    if back:
        _check_place(cls, found, known, back)
    return found


def _check_place(
    cls: type[Plugin[Any]], configuration: Mapping[str, Json], known: BaseModel, back: Iterable[str]
) -> None:
    try:
        after = places_of(cls.Config.model_validate(configuration))
    except ValidationError:
        return  # it is refused anyway, for what is wrong with it
    if set(after.values()) != set(places_of(known).values()):
        reason = "events would go elsewhere than before; write this secret anew"
        raise ConfigurationError(_below(Problem(reason, place) for place in back))


def explained(name: str, error: Exception) -> HotplaneError:
    """Return what a caller is told of a handler that did not come up: where it can, problems with pointers."""
    if isinstance(error, PluginReloadFailed | PluginStartFailed) and isinstance(error.__cause__, Exception):
        return explained(name, error.__cause__)
    if isinstance(error, ConfigurationError | ConfigurationRefused):
        return ConfigurationError(_below(error.problems))
    if isinstance(error, PluginMisconfigured):
        cause = error.__cause__
        problems = cause.problems if isinstance(cause, ConfigurationError) else (Problem(str(error)),)
        return ConfigurationError(_below(problems))
    if isinstance(error, HotplaneError) and not isinstance(error, PluginTimeout | MissingExtra):
        return error
    return error if isinstance(error, MissingExtra) else PluginStartFailed(name, reason_of(error))


def _below(problems: Iterable[Problem]) -> list[Problem]:
    return [Problem(each.message.removeprefix("Value error, "), _CONFIGURATION + each.pointer) for each in problems]
