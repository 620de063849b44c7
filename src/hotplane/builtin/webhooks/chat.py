"""What handlers for chats share: a URL that is a secret, templates, one message per event.

Imports only `plugins`, `network`, `records`, `errors`, `values` and this room.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar, cast

import msgspec
from pydantic import ConfigDict, Field
from typing_extensions import TypeVar

from hotplane.builtin.webhooks.choosing import ChosenEvents, narrow
from hotplane.builtin.webhooks.http_settings import Timeout
from hotplane.builtin.webhooks.posting import post
from hotplane.builtin.webhooks.secrets import concealing, problems_of
from hotplane.builtin.webhooks.templates import Templates, TemplateTexts
from hotplane.builtin.webhooks.urls import UrlSource, destination_of, secret_parts
from hotplane.errors import Problem
from hotplane.network import Origin
from hotplane.plugins import (
    Config,
    DeliveryFailed,
    HttpAnswer,
    PluginContext,
    Receipt,
    WebhookContext,
    WebhookHandler,
)
from hotplane.records import Event
from hotplane.values import Json

__all__ = ["ChatConfig", "ChatHandler"]


class ChatConfig(Config):
    """Settings that every chat has."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    events: ChosenEvents = ("*",)
    """Event types that it takes, and groups of them such as `plugin.*`."""
    timeout_seconds: Timeout = 15.0
    """Time for a request and its answer."""
    templates: TemplateTexts = Field(default_factory=dict)
    """The message's text by event type, or `*` for the rest: Jinja2 over the fields of the event."""


ChatConfigT = TypeVar("ChatConfigT", bound=ChatConfig)


class ChatHandler(WebhookHandler[ChatConfigT]):
    """Posts a message per event to an incoming webhook of a chat.

    A subclass names the field that holds the URL, and writes `message`.
    """

    url_field: ClassVar[str] = ""
    priority = 0

    def __init__(self, config: ChatConfigT | None = None) -> None:
        super().__init__(config)
        narrow(self, self.config.events)
        self._templates = Templates(self.config.templates, escape=self.escape)
        self._context: PluginContext | None = None
        self._url = ""
        self._conceal: Callable[[str], str] = str
        self._destination: str | None = None  # asked for at every delivery; the URL may be in a file

    @staticmethod
    def escape(text: str) -> str:
        """Return `text` so that the chat shows it and obeys nothing in it."""
        raise NotImplementedError

    def message(self, event: Event, text: str | None) -> Mapping[str, Json]:
        """Return the message for `event`, with the template's `text` where there is one."""
        raise NotImplementedError

    def refusal(self, answer: HttpAnswer) -> str | None:
        """Return why an answer of 2xx is no success."""
        del answer
        return None

    def start(self, context: PluginContext) -> None:
        """Read the URL.

        Raises:
            PluginMisconfigured: It is not there, or cannot be used. The message does not repeat it.
        """
        self._url = self._source(self.config).read(self.url_field, log=context.log)
        self._conceal = concealing(secret_parts(self._url))
        self._destination = str(Origin.of(self._url))
        _ = context.http  # a host without a network refuses the handler now, not its first event
        self._context = context

    def destination(self) -> str:
        """Return scheme, host and port of the URL."""
        return self._destination or destination_of(self._source(self.config), self.url_field) or self.id

    def validate_configuration(self, configuration: ChatConfigT) -> tuple[Problem, ...]:
        """Return why the URL cannot be read; the chat is not asked."""
        return problems_of({f"/{self.url_field}": self._source(configuration)})

    async def handle(self, event: Event, context: WebhookContext) -> Receipt:
        """Post a message for `event`; in a dry run do everything but that.

        Raises:
            DeliveryFailed: The chat does not take it.
        """
        host = self._context
        if host is None:
            raise DeliveryFailed("the handler is not started")
        body = msgspec.json.encode(self.message(event, self._templates.render(event, host.log)))
        if context.dry_run:
            return Receipt(response=f"Dry run: {len(body)} bytes for {self.destination()} were written and not sent.")
        return await post(
            host.http,
            self._url,
            body,
            {"Content-Type": "application/json"},
            timeout=self.config.timeout_seconds,
            now=host.clock.now,
            conceal=self._conceal,
            refusal=self.refusal,
        )

    def _source(self, configuration: ChatConfigT) -> UrlSource:
        return cast("UrlSource", getattr(configuration, self.url_field))
