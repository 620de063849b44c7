"""The contract that plugin authors read: one short file per kind."""

from hotplane.plugins.base import Clock, Config, KeyValue, Logger, Plugin, PluginContext, kind_name, kind_of
from hotplane.plugins.runner import ProgramFailed, Runner
from hotplane.plugins.sampler import Sample, Sampler, SamplingContext
from hotplane.plugins.validator import ValidationContext, Validator
from hotplane.plugins.webhook import ALL_EVENTS, WebhookContext, WebhookHandler

__all__ = [
    "ALL_EVENTS",
    "Clock",
    "Config",
    "KeyValue",
    "Logger",
    "Plugin",
    "PluginContext",
    "ProgramFailed",
    "Runner",
    "Sample",
    "Sampler",
    "SamplingContext",
    "ValidationContext",
    "Validator",
    "WebhookContext",
    "WebhookHandler",
    "kind_name",
    "kind_of",
]
