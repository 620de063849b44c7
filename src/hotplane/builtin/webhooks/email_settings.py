"""What can be set about `email-webhook-handler`. Imports only `plugins` and this room."""

from __future__ import annotations

import re
from email.errors import HeaderParseError
from email.headerregistry import Address
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, field_validator, model_validator

from hotplane.builtin.webhooks.choosing import ChosenEvents
from hotplane.builtin.webhooks.secrets import SecretSource
from hotplane.builtin.webhooks.templates import TemplateTexts
from hotplane.plugins import Config

__all__ = ["EmailConfig"]

_PORTS = {"starttls": 587, "tls": 465, "none": 25}
_HOST = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63}){0,20}\.?")
_MAX_ADDRESS = 254
"""RFC 5321, section 4.5.3.1.3, less the angle brackets."""


def _host(text: str) -> str:
    bare = text.strip("[]")
    try:
        return str(ip_address(bare))
    except ValueError:
        if _HOST.fullmatch(text) is None:
            raise ValueError("it is not a host's name or address; write no scheme and no port") from None
    return text.rstrip(".")


def _address(text: str) -> str:
    """Return an address that cannot be more than one, nor anything else."""
    if len(text) > _MAX_ADDRESS or not text.isascii() or not text.isprintable() or set(text) & set(' ,;<>"()\\'):
        raise ValueError("it is not a mail address such as `alerts@example.com`")
    try:
        parsed = Address(addr_spec=text)
    except (HeaderParseError, ValueError, IndexError):
        raise ValueError("it is not a mail address such as `alerts@example.com`") from None
    if not parsed.username or _HOST.fullmatch(parsed.domain) is None:
        raise ValueError("it is not a mail address such as `alerts@example.com`")
    return text


def _name(text: str) -> str:
    if not text.isprintable():
        raise ValueError("it has characters that cannot be shown, such as a line break")
    return text


Host = Annotated[str, AfterValidator(_host)]
MailAddress = Annotated[str, AfterValidator(_address)]
Name = Annotated[str, AfterValidator(_name), Field(max_length=100)]


class EmailConfig(Config):
    """Settings of `email-webhook-handler`."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    events: ChosenEvents = ("*",)
    """Event types that it takes, and groups of them such as `plugin.*`."""
    host: Host
    """The mail server, by name where its certificate is to be verified."""
    port: Annotated[int, Field(ge=1, le=65_535)] | None = None
    """Its port; by default 587 with `starttls`, 465 with `tls`, 25 with `none`."""
    tls: Literal["starttls", "tls", "none"] = "starttls"
    """Encryption: asked for on a plain connection and insisted on, from the first byte, or none."""
    ca_file: Path | None = None
    """Certificates of a private authority, PEM; by default the system's authorities are trusted."""
    username: Annotated[str, Field(min_length=1, max_length=320)] | None = None
    """Who signs in; nobody by default."""
    password: SecretSource | None = None
    """The password that belongs to the name."""
    sender: MailAddress
    """The address that mails come from."""
    sender_name: Name = "Hotplane"
    """The name beside it."""
    recipients: Annotated[tuple[MailAddress, ...], Field(min_length=1, max_length=50)]
    """Who gets them."""
    helo_name: Host | None = None
    """How this host calls itself; by default the machine's own name."""
    timeout_seconds: Annotated[float, Field(gt=0.0, le=300.0, allow_inf_nan=False)] = 30.0
    """Time for the connection and everything that is said on it."""
    templates: TemplateTexts = Field(default_factory=dict)
    """The text by event type, or `*` for the rest: Jinja2 over the fields of the event."""
    subjects: TemplateTexts = Field(default_factory=dict)
    """The same for subjects, of which the first line counts."""

    @field_validator("username")
    @classmethod
    def _one_line(cls, username: str | None) -> str | None:
        return None if username is None else _name(username)

    @field_validator("recipients")
    @classmethod
    def _once(cls, recipients: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(recipients))

    @model_validator(mode="after")
    def _credentials(self) -> Self:
        if (self.username is None) != (self.password is None):
            raise ValueError("`username` and `password` belong together")
        if self.password is not None and self.tls == "none" and not self._is_loopback:
            raise ValueError("a password is not sent without encryption; set `tls` to `starttls` or `tls`")
        return self

    @property
    def port_number(self) -> int:
        """The port that is connected to."""
        return self.port or _PORTS[self.tls]

    @property
    def server(self) -> str:
        """Scheme, host and port, for messages."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'smtps' if self.tls == 'tls' else 'smtp'}://{host}:{self.port_number}"

    @property
    def _is_loopback(self) -> bool:
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"
