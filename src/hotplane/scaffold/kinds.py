"""What differs between the kinds of plugins that can be begun. Imports nothing."""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType

__all__ = ["CHECK_OPTIONS", "CONFIGURATIONS", "GROUPS", "SUMMARIES", "NewKind"]


class NewKind(StrEnum):
    """The kinds that `hotplane plugins new` can begin."""

    VALIDATOR = "validator"
    SAMPLER = "sampler"
    WEBHOOK_HANDLER = "webhook-handler"
    RUNNER = "runner"
    CUSTOM = "custom"


GROUPS = MappingProxyType(
    {
        NewKind.VALIDATOR: "validators",
        NewKind.SAMPLER: "samplers",
        NewKind.WEBHOOK_HANDLER: "webhook_handlers",
        NewKind.RUNNER: "runners",
        NewKind.CUSTOM: "others",
    }
)
"""Where in the configuration a plugin is named."""

SUMMARIES = MappingProxyType(
    {
        NewKind.VALIDATOR: "Refuses texts that are too long.",
        NewKind.SAMPLER: "Picks executions that took long.",
        NewKind.WEBHOOK_HANDLER: "Posts events as JSON.",
        NewKind.RUNNER: "Runs programs in this process.",
        NewKind.CUSTOM: "Greets with one word.",
    }
)
"""What the beginning does, in a sentence, until its author says otherwise."""

CONFIGURATIONS = MappingProxyType(
    {
        NewKind.VALIDATOR: "max_characters: 1000",
        NewKind.SAMPLER: "slower_than_ms: 500",
        NewKind.WEBHOOK_HANDLER: "url: https://example.com/hook",
        NewKind.RUNNER: "allow: [jobs]",
        NewKind.CUSTOM: "word: hello",
    }
)
"""An example of its settings."""

CHECK_OPTIONS = MappingProxyType(
    {
        NewKind.WEBHOOK_HANDLER: """ --configuration '{"url": "https://example.com/hook"}'""",
        NewKind.RUNNER: """ --configuration '{"allow": ["hotplane.testing.*"]}'""",
    }
)
"""What `hotplane plugins check` has to be told, where the defaults do not do."""
