"""`teams-webhook-handler`: events in Microsoft Teams as cards. Imports only `plugins`, `records` and this room.

The message is what both a Workflow ("when a Teams webhook request is received") and the older connectors take. Teams
refuses messages of more than 28 KB; the texts are cut so that no card comes near.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from hotplane.builtin.webhooks.chat import ChatConfig, ChatHandler
from hotplane.builtin.webhooks.urls import UrlSource
from hotplane.builtin.webhooks.wording import clip, facts, headline, payload_text
from hotplane.plugins import HttpAnswer
from hotplane.records import Event, PluginMetadata, Severity
from hotplane.values import Json

__all__ = ["TeamsConfig", "TeamsWebhookHandler"]

_STYLES: Mapping[Severity, str] = {
    Severity.INFO: "accent",
    Severity.WARNING: "warning",
    Severity.ERROR: "attention",
    Severity.CRITICAL: "attention",
}
"""Colours that an adaptive card has."""
_MARKDOWN = re.compile(r"([\\`*_\[\]<>~#])")
_TEXT = 3_000


class TeamsConfig(ChatConfig):
    """Settings of `teams-webhook-handler`."""

    teams_webhook_url: UrlSource
    """The webhook's URL; it is a secret."""


class TeamsWebhookHandler(ChatHandler[TeamsConfig]):
    """Posts events to Teams as adaptive cards, titled in the colour of their severity."""

    metadata = PluginMetadata(
        name="teams-webhook-handler",
        version="0.1.0",
        description="Posts events to Microsoft Teams.",
        author="The Hotplane developers",
    )
    url_field = "teams_webhook_url"

    @staticmethod
    def escape(text: str) -> str:
        """Return `text` with the characters of Markdown escaped."""
        return _MARKDOWN.sub(r"\\\1", text)

    def message(self, event: Event, text: str | None) -> Mapping[str, Json]:
        """Return an adaptive card in the envelope of a message."""
        card: Json = {
            "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
            "type": "AdaptiveCard",
            "version": "1.4",
            "fallbackText": headline(event),
            "msteams": {"width": "Full"},
            "body": [_title(event), *(_written(text) if text is not None and text.strip() else _own(event))],
        }
        attachment: Json = {
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": None,
            "content": card,
        }
        return {"type": "message", "attachments": [attachment]}

    def refusal(self, answer: HttpAnswer) -> str | None:
        """Return why the message was not taken: connectors answer 200 and say so in the body."""
        if answer.body.startswith(b"Webhook message delivery failed"):
            return "Teams answered 200, and that the delivery failed"
        return None


def _title(event: Event) -> Json:
    style = _STYLES[event.severity]
    title = _runs(("", headline(event)), color=style, size="Large")
    return {"type": "Container", "style": style, "bleed": True, "items": [title]}


def _written(text: str) -> list[Json]:
    return [{"type": "TextBlock", "text": clip(text, _TEXT), "wrap": True}]


def _own(event: Event) -> list[Json]:
    blocks = [_runs((f"{label}: ", text)) for label, text in facts(event)]
    payload = payload_text(event, _TEXT, indent=False)
    return [*blocks, _runs(("", payload), fontType="Monospace")] if payload else blocks


def _runs(parts: tuple[str, str], **style: str) -> Json:
    """Return a label and a text as runs, in which Teams, unlike in blocks of text, looks for no Markdown."""
    label, text = parts
    runs: list[Json] = [{"type": "TextRun", "text": text, **style}]
    if label:
        runs.insert(0, {"type": "TextRun", "text": label, "weight": "Bolder"})
    return {"type": "RichTextBlock", "inlines": runs}
