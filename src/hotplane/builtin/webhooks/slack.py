"""`slack-webhook-handler`: events in a Slack channel. Imports only `plugins`, `records` and this room.

Limits are those of Slack's Block Kit: a header has 150 characters, a section 3 000, a field 2 000.
"""

from __future__ import annotations

from collections.abc import Mapping

from hotplane.builtin.webhooks.chat import ChatConfig, ChatHandler
from hotplane.builtin.webhooks.urls import UrlSource
from hotplane.builtin.webhooks.wording import facts, headline, payload_text
from hotplane.records import Event, PluginMetadata, Severity
from hotplane.values import Json

__all__ = ["SlackConfig", "SlackWebhookHandler"]

_COLOURS: Mapping[Severity, str] = {
    Severity.INFO: "#2e86c1",
    Severity.WARNING: "#e6a700",
    Severity.ERROR: "#d1242f",
    Severity.CRITICAL: "#7b0018",
}
_ENTITIES: Mapping[str, str] = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_HEADER, _SECTION, _FIELD = 150, 3_000, 2_000


class SlackConfig(ChatConfig):
    """Settings of `slack-webhook-handler`."""

    slack_webhook_url: UrlSource
    """The incoming webhook's URL; it is a secret."""


class SlackWebhookHandler(ChatHandler[SlackConfig]):
    """Posts events to Slack as blocks beside a bar in the colour of their severity."""

    metadata = PluginMetadata(
        name="slack-webhook-handler",
        version="0.1.0",
        description="Posts events to a Slack channel.",
        author="The Hotplane developers",
    )
    url_field = "slack_webhook_url"

    @staticmethod
    def escape(text: str) -> str:
        """Return `text` with the three characters escaped that mean something to Slack."""
        return "".join(_ENTITIES.get(character, character) for character in text)

    def message(self, event: Event, text: str | None) -> Mapping[str, Json]:
        """Return blocks in an attachment, which is what Slack colours; the headline is for notifications."""
        title = _escaped(headline(event), _HEADER)
        blocks: list[Json] = [{"type": "header", "text": {"type": "plain_text", "text": title, "emoji": False}}]
        blocks += _written(text) if text is not None and text.strip() else _own(event)
        attachment: Json = {"color": _COLOURS[event.severity], "fallback": title, "blocks": blocks}
        return {"text": title, "attachments": [attachment]}


def _written(text: str) -> list[Json]:
    return [{"type": "section", "text": {"type": "mrkdwn", "text": _cut(text, _SECTION)}}]


def _own(event: Event) -> list[Json]:
    fields: list[Json] = [
        {"type": "mrkdwn", "text": f"*{label}*\n`{_escaped(_plain(text), _FIELD - 40)}`"}
        for label, text in facts(event)
    ]
    blocks: list[Json] = [{"type": "section", "fields": fields}]
    payload = payload_text(event, _SECTION)
    if payload:
        text = f"```{_escaped(_plain(payload), _SECTION - 6)}```"
        blocks.append({"type": "section", "text": {"type": "mrkdwn", "text": text}})
    return blocks


def _plain(text: str) -> str:
    """Return `text` without the character that ends code."""
    return text.replace("`", "ˋ")


def _escaped(text: str, limit: int) -> str:
    """Escape `text` so that the result has at most `limit` characters and no entity is cut."""
    parts: list[str] = []
    left = limit
    for character in text:
        part = _ENTITIES.get(character, character)
        left -= len(part)
        if left < 0:
            return _cut("".join(parts) + "…", limit)
        parts.append(part)
    return "".join(parts)


def _cut(text: str, limit: int) -> str:
    """Cut what is escaped already, not within an entity."""
    if len(text) <= limit:
        return text
    kept = text[: limit - 1]
    begun = kept.rfind("&", len(kept) - 5)
    if begun >= 0 and ";" not in kept[begun:]:
        kept = kept[:begun]
    return kept.removesuffix("…") + "…"
