"""The contract that plugin authors read: one short file per kind."""

from hotplane.plugins.base import Config, Plugin, kind_name, kind_of
from hotplane.plugins.call import CURRENT_CALL, Call
from hotplane.plugins.context import Clock, HttpAnswer, KeyValue, Logger, Outbound, PluginContext
from hotplane.plugins.runner import NotExecuted, ProgramFailed, ProgramOverran, Runner, TransportFailed
from hotplane.plugins.sampler import Sample, Sampler, SamplingContext
from hotplane.plugins.validator import ValidationContext, Validator
from hotplane.plugins.webhook import ALL_EVENTS, DeliveryFailed, Receipt, WebhookContext, WebhookHandler

__all__ = [
    "ALL_EVENTS",
    "CURRENT_CALL",
    "Call",
    "Clock",
    "Config",
    "DeliveryFailed",
    "HttpAnswer",
    "KeyValue",
    "Logger",
    "NotExecuted",
    "Outbound",
    "Plugin",
    "PluginContext",
    "ProgramFailed",
    "ProgramOverran",
    "Receipt",
    "Runner",
    "Sample",
    "Sampler",
    "SamplingContext",
    "TransportFailed",
    "ValidationContext",
    "Validator",
    "WebhookContext",
    "WebhookHandler",
    "kind_name",
    "kind_of",
]
