"""What a change of a webhook handler comes to: a configuration, a spec, overrides.

Imports `host`, `plugins`, `errors` and its own room.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from msgspec.structs import replace
from pydantic import BaseModel

from hotplane.errors import ConfigurationError, NotReloadable, Problem
from hotplane.host import PluginSpec
from hotplane.host.switchboard import Wanted
from hotplane.plugins import Plugin
from hotplane.values import Json
from hotplane.webhooks.checking import with_events, with_secrets
from hotplane.webhooks.values import BY_API, WebhookChange

__all__ = ["revised", "wanted_configuration"]


def wanted_configuration(cls: type[Plugin[Any]], before: Wanted, wanted: WebhookChange) -> Mapping[str, Any]:
    """Return the configuration that is wanted now: the very one that there is, when it means the same."""
    spec = before.spec
    if wanted.type not in (None, spec.type):
        raise ConfigurationError([Problem(f"a handler keeps its type, here {spec.type!r}; make another one", "/type")])
    configuration, known = with_events(cls, wanted.configuration, wanted.events), _known(cls, before)
    if known is not None:
        configuration = with_secrets(cls, configuration, known)
        if _means(cls, configuration, known):
            return before.configuration
    if spec.instance is not None and before.plugin is None:
        raise NotReloadable(spec.id, "the program gave this very object")
    return configuration


def _known(cls: type[Plugin[Any]], before: Wanted) -> BaseModel | None:
    if before.plugin is not None:
        return before.plugin.config
    try:
        return cls.Config.model_validate(before.configuration)
    except ValueError:  # then nothing of it can be taken over
        return None


def _means(cls: type[Plugin[Any]], configuration: Mapping[str, Any], known: BaseModel) -> bool:
    try:
        return cls.Config.model_validate(configuration) == known
    except ValueError:  # what is wrong with it is told when it is tried
        return False


def revised(
    spec: PluginSpec, wanted: WebhookChange, configuration: Mapping[str, Any]
) -> tuple[PluginSpec, dict[str, Json]]:
    """Return the spec and the overrides that make a handler what is wanted."""
    if spec.source == BY_API:
        changed = replace(spec, enabled=wanted.enabled, priority=wanted.priority, configuration=configuration)
        return changed, {}
    overrides: dict[str, Json] = {}
    if wanted.enabled != spec.enabled:
        overrides["enabled"] = wanted.enabled
    if wanted.priority is not None and wanted.priority != spec.priority:
        overrides["priority"] = wanted.priority
    if configuration != spec.configuration:
        overrides["configuration"] = cast("Json", dict(configuration))
    if wanted.delivery is not None:
        overrides["delivery"] = dict(wanted.delivery)
    return spec, overrides
