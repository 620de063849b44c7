"""`email-webhook-handler`: events as mails. Imports only `plugins`, `records`, `errors` and this room."""

from __future__ import annotations

import asyncio
import ssl
from collections import OrderedDict
from pathlib import Path

from msgspec import Struct

from hotplane.builtin.webhooks.choosing import narrow
from hotplane.builtin.webhooks.email_settings import EmailConfig
from hotplane.builtin.webhooks.mail import mail_of
from hotplane.builtin.webhooks.smtp import MailRefused, conversation, require_library
from hotplane.builtin.webhooks.templates import Templates
from hotplane.errors import HotplaneError, PluginMisconfigured, Problem
from hotplane.plugins import DeliveryFailed, Logger, PluginContext, Receipt, WebhookContext, WebhookHandler
from hotplane.records import Event, PluginMetadata

__all__ = ["EmailConfig", "EmailWebhookHandler"]

_REMEMBERED = 1_000
"""Events whose mails went to some of the recipients only."""


class _Means(Struct, frozen=True):
    """What a configuration needs beside itself; a password is in it."""

    tls: ssl.SSLContext | None
    password: str | None

    def __repr__(self) -> str:
        return "<means>"


class EmailWebhookHandler(WebhookHandler[EmailConfig]):
    """Sends a mail per event, to everybody at once.

    When a server takes it for some recipients only, the delivery fails, and the next attempt goes to the others.
    """

    metadata = PluginMetadata(
        name="email-webhook-handler",
        version="0.1.0",
        description="Sends events by e-mail.",
        author="The Hotplane developers",
    )
    priority = 0

    def __init__(self, config: EmailConfig | None = None) -> None:
        super().__init__(config)
        narrow(self, self.config.events)
        self._texts = Templates(self.config.templates)
        self._subjects = Templates(self.config.subjects)
        self._context: PluginContext | None = None
        self._means: _Means | None = None
        self._taken: OrderedDict[str, frozenset[str]] = OrderedDict()

    async def start(self, context: PluginContext) -> None:
        """Read password and certificates; the server is asked when there is a mail.

        Raises:
            PluginMisconfigured: One of them is not there, or cannot be used. The message does not repeat it.
            MissingExtra: The library is missing.
        """
        require_library()
        _ = context.http  # a host without a network refuses the handler now, not its first event
        self._means = await _means(self.config, context.log)
        self._context = context

    def destination(self) -> str:
        """Return scheme, host and port of the mail server."""
        return self.config.server

    async def validate_configuration(self, configuration: EmailConfig) -> tuple[Problem, ...]:
        """Connect, encrypt and sign in, and return what went wrong; no mail is sent. Needs a started handler."""
        try:
            means = await _means(configuration)
            if self._context is None:
                raise MailRefused(configuration.server, "it can only be asked once the plugin is started")
            async with conversation(self._context.http, configuration, tls=means.tls, password=means.password):
                return ()
        except MailRefused as error:
            return (Problem(str(error), f"/{error.field}"),)
        except HotplaneError as error:
            return (Problem(str(error)),)

    async def handle(self, event: Event, context: WebhookContext) -> Receipt:
        """Send a mail for `event`; in a dry run do everything but that.

        Raises:
            DeliveryFailed: The server does not take it for everybody.
        """
        host, means = self._context, self._means
        if host is None or means is None:
            raise DeliveryFailed("the handler is not started")
        mail = mail_of(
            event,
            self.config,
            subject=self._subjects.render(event, host.log),
            text=self._texts.render(event, host.log),
            now=host.clock.now(),
        )
        if context.dry_run:
            return Receipt(response=f"Dry run: a mail of {len(bytes(mail))} bytes was written and not sent.")
        before = self._taken.get(event.id, frozenset[str]())
        waiting = [each for each in self.config.recipients if each not in before]
        try:
            async with conversation(host.http, self.config, tls=means.tls, password=means.password) as client:
                refused, said = await client.send_message(mail, sender=self.config.sender, recipients=waiting)
        except MailRefused as error:
            raise DeliveryFailed(str(error).rstrip(".")) from error
        self._remember(event.id, before | (set(waiting) - set(refused)), complete=not refused)
        if refused:
            why = "; ".join(f"{each}: {answer.code} {answer.message}" for each, answer in refused.items())
            raise DeliveryFailed("the mail server refuses some of the recipients", response=why[:2_048])
        return Receipt(response=said[:2_048])

    def _remember(self, event_id: str, taken: frozenset[str], *, complete: bool) -> None:
        self._taken.pop(event_id, None)
        if not complete:
            self._taken[event_id] = taken
            if len(self._taken) > _REMEMBERED:
                self._taken.popitem(last=False)


async def _means(config: EmailConfig, log: Logger | None = None) -> _Means:
    password = None if config.password is None else config.password.read("password", log=log)
    # Reading the authorities takes tens of milliseconds.
    tls = None if config.tls == "none" else await asyncio.to_thread(_tls_context, config.ca_file)
    return _Means(tls, password)


def _tls_context(ca_file: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        reason = error.strerror or type(error).__name__
        raise PluginMisconfigured(f"`ca_file` cannot be used: {reason}.") from None
