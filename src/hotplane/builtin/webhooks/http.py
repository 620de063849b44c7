"""`http-webhook-handler`: signed requests as Standard Webhooks 1.0.

Imports only `plugins`, `events`, `network`, `records`, `errors` and this room.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec import Struct

from hotplane.builtin.webhooks.choosing import narrow
from hotplane.builtin.webhooks.http_settings import HttpWebhookConfig
from hotplane.builtin.webhooks.keys import SigningKey
from hotplane.builtin.webhooks.posting import post
from hotplane.builtin.webhooks.secrets import concealing, problems_of
from hotplane.builtin.webhooks.signing import sign
from hotplane.builtin.webhooks.urls import destination_of, secret_parts
from hotplane.errors import Problem
from hotplane.events.envelope import CLOUDEVENTS_TYPE, cloudevent, standard_body
from hotplane.network import Origin
from hotplane.plugins import Clock, DeliveryFailed, Outbound, PluginContext, Receipt, WebhookContext, WebhookHandler
from hotplane.records import Event, PluginMetadata

__all__ = ["HttpWebhookConfig", "HttpWebhookHandler"]


class _Ready(Struct, frozen=True):
    """What a started handler has; its secrets are read once."""

    http: Outbound
    clock: Clock
    url: str
    keys: tuple[SigningKey, ...]
    headers: Mapping[str, str]
    conceal: Callable[[str], str]

    def __repr__(self) -> str:
        return "<ready>"


class HttpWebhookHandler(WebhookHandler[HttpWebhookConfig]):
    """Posts events with signatures that the published libraries of Standard Webhooks verify.

    `webhook-id` is the event's id, the same at every attempt; timestamp and signatures are new each time.
    """

    metadata = PluginMetadata(
        name="http-webhook-handler",
        version="0.1.0",
        description="Posts events to a URL, signed as Standard Webhooks.",
        author="The Hotplane developers",
    )
    priority = 0

    def __init__(self, config: HttpWebhookConfig | None = None) -> None:
        super().__init__(config)
        narrow(self, self.config.events)
        self._ready: _Ready | None = None
        self._destination: str | None = None  # asked for at every delivery; the URL may be in a file

    def start(self, context: PluginContext) -> None:
        """Read the URL, the keys and the headers.

        Raises:
            PluginMisconfigured: One of them is not there, or cannot be used. The message does not repeat it.
        """
        config, log = self.config, context.log
        url = config.url.read("url", log=log)
        headers = {name: source.read(f"headers.{name}", log=log) for name, source in config.headers.items()}
        self._destination = str(Origin.of(url))
        self._ready = _Ready(
            context.http,
            context.clock,
            url,
            tuple(source.key(f"secrets.{index}", log) for index, source in enumerate(config.secrets)),
            headers,
            concealing((*secret_parts(url), *headers.values())),
        )

    def destination(self) -> str:
        """Return scheme, host and port of the URL."""
        return self._destination or destination_of(self.config.url, "url") or self.id

    def validate_configuration(self, configuration: HttpWebhookConfig) -> tuple[Problem, ...]:
        """Return which secrets are not there, or cannot be used; the receiver is not asked."""
        return problems_of(configuration.sources())

    async def handle(self, event: Event, context: WebhookContext) -> Receipt:
        """Post `event`; in a dry run do everything but that.

        Raises:
            DeliveryFailed: Any answer but 2xx, or none.
        """
        ready = self._ready
        if ready is None:
            raise DeliveryFailed("the handler is not started")
        body, headers = self._signed(event, ready)
        if context.dry_run:
            return Receipt(response=f"Dry run: {len(body)} bytes for {self.destination()} were signed and not sent.")
        return await post(
            ready.http,
            ready.url,
            body,
            headers,
            timeout=self.config.timeout_seconds,
            now=ready.clock.now,
            conceal=ready.conceal,
        )

    def _signed(self, event: Event, ready: _Ready) -> tuple[bytes, dict[str, str]]:
        plain = self.config.format == "standard"
        body = standard_body(event) if plain else cloudevent(event)
        seconds = int(ready.clock.now().timestamp())
        return body, {
            **ready.headers,
            "Content-Type": "application/json" if plain else CLOUDEVENTS_TYPE,
            "webhook-id": event.id,
            "webhook-timestamp": str(seconds),
            "webhook-signature": sign(ready.keys, event.id, seconds, body),
        }
