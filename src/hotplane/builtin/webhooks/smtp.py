"""A conversation with a mail server over a connection that the network guard made.

Imports only `plugins`, `errors` and this room; `aiosmtplib` when there is something to say.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING, cast

from hotplane.builtin.webhooks.email_settings import EmailConfig
from hotplane.builtin.webhooks.secrets import conceal
from hotplane.errors import HotplaneError, MissingExtra
from hotplane.plugins import Outbound

if TYPE_CHECKING:
    import aiosmtplib

__all__ = ["MailRefused", "conversation", "require_library"]

_SHOWN = 500
_GOODBYE_SECONDS = 1.0
_NAME = re.compile(r"[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63}){0,20}")


class MailRefused(HotplaneError):
    """The mail server {server} cannot be used: {reason}."""

    code = "mail-refused"

    def __init__(self, server: str, reason: str, field: str = "host") -> None:
        self.server = server
        self.reason = reason
        self.field = field
        """The setting that is the likeliest reason."""
        super().__init__()


class _Refusal(Exception):
    """Carries a reason of our own to where all reasons are put into words."""

    def __init__(self, reason: str, field: str) -> None:
        self.reason = reason
        self.field = field
        super().__init__(reason)


def require_library() -> None:
    """Make sure that mails can be sent.

    Raises:
        MissingExtra: The library is missing.
    """
    if find_spec("aiosmtplib") is None:
        raise MissingExtra("E-mail", "webhooks")


@asynccontextmanager
async def conversation(
    http: Outbound, config: EmailConfig, *, tls: ssl.SSLContext | None, password: str | None
) -> AsyncGenerator[aiosmtplib.SMTP]:
    """Connect, encrypt and sign in; say goodbye in the end. All but the goodbye within `timeout_seconds`.

    Raises:
        MailRefused: Any of it failed, also what was said within; the message shows no password.
    """
    import aiosmtplib

    client = aiosmtplib.SMTP(
        hostname=config.host,
        local_hostname=config.helo_name or _own_name(),
        timeout=config.timeout_seconds,
        use_tls=config.tls == "tls",
        start_tls=False,
        tls_context=tls,
    )
    try:
        async with asyncio.timeout(config.timeout_seconds):
            connection = await http.connect(config.host, config.port_number, timeout=config.timeout_seconds)
            await _greet(client, connection, config, password)
            yield client
        # What there was to say is said and answered: a server that is slow to say goodbye has taken the mail.
        with suppress(aiosmtplib.SMTPException, OSError, TimeoutError):
            async with asyncio.timeout(_GOODBYE_SECONDS):
                await client.quit()
    except (HotplaneError, aiosmtplib.SMTPException, OSError, TimeoutError, _Refusal) as error:
        reason, field = _reason(error)
        secrets = () if password is None else (password,)
        raise MailRefused(config.server, conceal(reason, secrets)[:_SHOWN].rstrip("."), field) from None
    finally:
        if client.transport is not None:
            # Closing a TLS connection waits for the other side, which may be why this ends.
            cast("asyncio.WriteTransport", client.transport).abort()
        client.close()


async def _greet(client: aiosmtplib.SMTP, connection: socket.socket, config: EmailConfig, password: str | None) -> None:
    await client.connect(sock=connection)
    await client.ehlo()
    if config.tls == "starttls":
        if not client.supports_extension("starttls"):
            raise _Refusal(
                "it does not offer STARTTLS; set `tls` to `tls` or, where the network is trusted, `none`", "tls"
            )
        await client.starttls()
        await client.ehlo()
    if config.username is not None:
        if not client.supported_auth_methods:
            raise _Refusal("it offers no way to sign in that is known here", "username")
        await client.login(config.username, password or "")


def _reason(error: Exception) -> tuple[str, str]:
    """Return what went wrong in words, and the setting that is the likeliest reason."""
    import aiosmtplib

    cause = error.__cause__ if isinstance(error.__cause__, ssl.SSLError) else error
    match cause:
        case _Refusal():
            return cause.reason, cause.field
        case ssl.SSLCertVerificationError():
            return f"its certificate is not trusted: {cause.verify_message}", "ca_file"
        case ssl.SSLError():
            return "the TLS handshake failed", "tls"
        case aiosmtplib.SMTPAuthenticationError():
            return f"it refuses the user name or the password: {cause.code} {_line(cause.message)}", "password"
        case aiosmtplib.SMTPRecipientsRefused():
            first = cause.recipients[0]
            return f"it refuses every recipient: {first.code} {_line(first.message)}", "recipients"
        case aiosmtplib.SMTPSenderRefused():
            return f"it refuses the sender: {cause.code} {_line(cause.message)}", "sender"
        case aiosmtplib.SMTPResponseException():
            return f"it answers {cause.code} {_line(cause.message)}", "host"
        case HotplaneError():
            return str(cause), "host"
        case TimeoutError():
            return "it did not answer in time", "host"
        case aiosmtplib.SMTPServerDisconnected() | ConnectionError():
            return "it closed the connection", "host"
        case _:
            return _line(str(cause)) or type(cause).__name__, "host"


def _line(text: str) -> str:
    return " ".join(text.split())


def _own_name() -> str:
    name = socket.gethostname()
    # RFC 5321, section 4.1.4: an address literal where there is no name.
    return name if _NAME.fullmatch(name) else "[127.0.0.1]"
