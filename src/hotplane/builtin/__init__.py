"""The plugins that ship with Hotplane, imported one by one when they are asked for.

Imports only `plugins`, `records`, `errors`, `values`, `identity`, `programs`, `network` and `valkyrie`.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Any

from hotplane.errors import UnknownType
from hotplane.plugins import Plugin

__all__ = ["BUILTIN_TYPES", "LATER_TYPES", "load_builtin"]

BUILTIN_TYPES: Mapping[str, str] = MappingProxyType(
    {
        "local": "hotplane.builtin.runners.local:LocalRunner",
        "http": "hotplane.builtin.runners.http:HttpRunner",
        "valkyrie": "hotplane.builtin.runners.valkyrie:ValkyrieRunner",
        "json-schema-validator": "hotplane.builtin.validators.json_schema:JsonSchemaValidator",
        "percentage-sampler": "hotplane.builtin.samplers.percentage:PercentageSampler",
        "time-based-sampler": "hotplane.builtin.samplers.time_based:TimeBasedSampler",
        "console-webhook-handler": "hotplane.builtin.webhooks.console:ConsoleWebhookHandler",
    }
)
"""Where the class of each built-in type is, ``module:Class`` by the type's name."""

LATER_TYPES = frozenset(
    {
        "anomaly-sampler",
        "email-webhook-handler",
        "error-rate-sampler",
        "expected-output",
        "expression-validator",
        "file-webhook-handler",
        "http-webhook-handler",
        "latency-budget",
        "slack-webhook-handler",
        "teams-webhook-handler",
    }
)
"""Types that a configuration may name already and that a later version ships."""


def load_builtin(name: str) -> type[Plugin[Any]]:
    """Import the class of a built-in type.

    Raises:
        UnknownType: There is no built-in type of that name in this version.
    """
    place = BUILTIN_TYPES.get(name)
    if place is None:
        raise UnknownType(name, BUILTIN_TYPES)
    module, _, attribute = place.partition(":")
    return getattr(import_module(module), attribute)
