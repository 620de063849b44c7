"""The plugins that ship with Hotplane, imported one by one when they are asked for.

Imports only `plugins`, `records`, `errors`, `values`, `identity`, `programs`, `network`, `valkyrie` and `events`.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Any

from hotplane.errors import UnknownType
from hotplane.plugins import Plugin

__all__ = ["BUILTIN_TYPES", "load_builtin"]

BUILTIN_TYPES: Mapping[str, str] = MappingProxyType(
    {
        "local": "hotplane.builtin.runners.local:LocalRunner",
        "http": "hotplane.builtin.runners.http:HttpRunner",
        "valkyrie": "hotplane.builtin.runners.valkyrie:ValkyrieRunner",
        "json-schema-validator": "hotplane.builtin.validators.json_schema:JsonSchemaValidator",
        "expression-validator": "hotplane.builtin.validators.expression:ExpressionValidator",
        "expected-output": "hotplane.builtin.validators.expected_output:ExpectedOutputValidator",
        "latency-budget": "hotplane.builtin.validators.latency_budget:LatencyBudgetValidator",
        "percentage-sampler": "hotplane.builtin.samplers.percentage:PercentageSampler",
        "time-based-sampler": "hotplane.builtin.samplers.time_based:TimeBasedSampler",
        "error-rate-sampler": "hotplane.builtin.samplers.error_rate:ErrorRateSampler",
        "anomaly-sampler": "hotplane.builtin.samplers.anomaly:AnomalySampler",
        "always-on-failure": "hotplane.builtin.samplers.always_on_failure:AlwaysOnFailureSampler",
        "rate-limited": "hotplane.builtin.samplers.rate_limited:RateLimitedSampler",
        "budget": "hotplane.builtin.samplers.budget:BudgetSampler",
        "console-webhook-handler": "hotplane.builtin.webhooks.console:ConsoleWebhookHandler",
        "email-webhook-handler": "hotplane.builtin.webhooks.email:EmailWebhookHandler",
        "file-webhook-handler": "hotplane.builtin.webhooks.file:FileWebhookHandler",
        "http-webhook-handler": "hotplane.builtin.webhooks.http:HttpWebhookHandler",
        "slack-webhook-handler": "hotplane.builtin.webhooks.slack:SlackWebhookHandler",
        "teams-webhook-handler": "hotplane.builtin.webhooks.teams:TeamsWebhookHandler",
    }
)
"""Where the class of each built-in type is, ``module:Class`` by the type's name."""


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
