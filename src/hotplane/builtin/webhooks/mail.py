"""Events as mails: headers that cannot be forged, and text. Imports only `records` and this room."""

from __future__ import annotations

import re
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from hashlib import blake2b

from hotplane.builtin.webhooks.email_settings import EmailConfig
from hotplane.builtin.webhooks.wording import clip, facts, headline, payload_text
from hotplane.records import Event, Severity

__all__ = ["mail_of"]

_SUBJECT = 200
_TEXT = 100_000
_BLANKS = re.compile(r"\s+")
_FIT = re.compile(r"[A-Za-z0-9_-]{1,100}")


def mail_of(event: Event, config: EmailConfig, *, subject: str | None, text: str | None, now: datetime) -> EmailMessage:
    """Return the mail for `event`.

    `Message-ID` comes from the event's id, so that a mailbox can tell a repetition.

    Args:
        event: What happened.
        config: Whom it is from, and whom it is for.
        subject: The template's; its own words by default.
        text: The template's; its own words by default.
        now: The date of the mail.
    """
    mail = EmailMessage(policy=SMTP)
    domain = config.sender.rpartition("@")[2]
    mail["From"] = Address(config.sender_name, addr_spec=config.sender)
    mail["To"] = [Address(addr_spec=recipient) for recipient in config.recipients]
    mail["Subject"] = _one_line(subject or "") or _one_line(headline(event))
    mail["Date"] = format_datetime(now)
    mail["Message-ID"] = f"<{_name_of(event.id)}@{domain}>"
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's holiday notice is an answer to this
    mail["X-Hotplane-Event"] = event.type.value
    if event.severity in {Severity.ERROR, Severity.CRITICAL}:
        mail["Importance"] = "high"
    mail.set_content(clip(text, _TEXT) if text is not None and text.strip() else _own_text(event))
    return mail


def _name_of(event_id: str) -> str:
    """Return an id as it may stand in a header; two that differ never become the same."""
    return (
        event_id
        if _FIT.fullmatch(event_id)
        else blake2b(event_id.encode(errors="surrogatepass"), digest_size=16).hexdigest()
    )


def _own_text(event: Event) -> str:
    lines = [headline(event), "", *(f"{label + ':':<11}{text}" for label, text in facts(event, 500))]
    payload = payload_text(event, _TEXT)
    return "\n".join([*lines, "", payload, ""] if payload else [*lines, ""])


def _one_line(text: str) -> str:
    return clip(_BLANKS.sub(" ", text).strip(), _SUBJECT)
