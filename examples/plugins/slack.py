"""A handler for Slack: events as messages in a channel, through an incoming webhook."""

from __future__ import annotations

from typing import Annotated

import msgspec
from pydantic import AfterValidator, Field, SecretStr

from hotplane import Config, Event, PluginMetadata, WebhookHandler
from hotplane.errors import Problem
from hotplane.plugins import DeliveryFailed, PluginContext, Receipt, WebhookContext
from hotplane.records import EventType, Severity

_MARKS = {Severity.INFO: "ℹ️", Severity.WARNING: "⚠️", Severity.ERROR: "🛑", Severity.CRITICAL: "🔥"}
_MAX_CHARACTERS = 3_000
"""Of a section's text (Slack's Block Kit)."""


def _http_url(url: SecretStr) -> SecretStr:
    if not url.get_secret_value().startswith(("https://", "http://")):
        raise ValueError("an incoming webhook's address begins with https://")
    return url


class SlackAlertsConfig(Config):
    """Where messages go, and what they say."""

    webhook_url: Annotated[SecretStr, AfterValidator(_http_url)]
    """The incoming webhook's address. Whoever has it can post, so it is never shown."""
    mention: Annotated[str, Field(pattern=r"^(<!here>|<!channel>|<@[A-Z0-9]+>)?$")] = ""
    """Who is called when something is critical, such as `<!here>`."""
    timeout_seconds: Annotated[float, Field(gt=0, le=60)] = 10.0
    """Time for one message."""


class SlackAlerts(WebhookHandler[SlackAlertsConfig]):
    """Tells a Slack channel what went wrong."""

    metadata = PluginMetadata(
        name="slack-alerts",
        version="1.0.0",
        description="Tells a Slack channel what went wrong.",
        author="The Hotplane developers",
        requires_host=">=0.1",
    )
    supported_events = frozenset(
        {
            EventType.PROGRAM_EXECUTION_FAILED,
            EventType.VALIDATION_FAILED,
            EventType.ACCURACY_THRESHOLD_BREACHED,
            EventType.PLUGIN_FAILED,
        }
    )

    def start(self, context: PluginContext) -> None:
        """Keep the guarded way out; the host closes it."""
        self.http = context.http

    def destination(self) -> str:
        """Return the server alone: one breaker guards it, and the rest of the address is a secret."""
        scheme, _, rest = self.config.webhook_url.get_secret_value().partition("://")
        return f"{scheme}://{rest.partition('/')[0]}"

    def validate_configuration(self, configuration: SlackAlertsConfig) -> tuple[Problem, ...]:
        """Return what the model alone cannot tell; nothing is sent."""
        _, _, rest = configuration.webhook_url.get_secret_value().partition("://")
        if "/" not in rest:
            return (Problem("The address has no path; copy the whole of it from Slack.", "/webhook_url"),)
        return ()

    async def handle(self, event: Event, context: WebhookContext) -> Receipt:
        """Post one message; an error says whether, and when, it makes sense to try again."""
        body = msgspec.json.encode({"text": self._text(event)})
        if context.dry_run:
            return Receipt(response=f"{len(body)} bytes were not sent")
        answer = await self.http.request(
            "POST",
            self.config.webhook_url.get_secret_value(),
            headers={"Content-Type": "application/json"},
            body=body,
            timeout=self.config.timeout_seconds,
        )
        if answer.status == 200:
            return Receipt(status=answer.status)
        wait = answer.headers.get("retry-after", "")
        raise DeliveryFailed(
            f"Slack answered {answer.status}",
            status=answer.status,
            retry_after=float(wait) if wait.isdecimal() else None,
            gone=answer.status in {404, 410},
        )

    def _text(self, event: Event) -> str:
        call = f"{self.config.mention} " if event.severity is Severity.CRITICAL and self.config.mention else ""
        head = f"{_MARKS[event.severity]} {call}*{event.type}*"
        facts = [f"task `{_escaped(event.task_id)}`"] if event.task_id else []
        facts += [f"execution `{_escaped(event.execution_id)}`"] if event.execution_id else []
        payload = _escaped(msgspec.json.encode(event.payload).decode()) if event.payload else ""
        lines = [head, ", ".join(facts), f"```{payload}```" if payload else ""]
        return "\n".join(line for line in lines if line)[:_MAX_CHARACTERS]


def _escaped(text: str) -> str:
    """Return `text` so that Slack shows it and obeys nothing in it: it may come from anybody."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("`", "ˋ")
