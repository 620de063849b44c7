"""The URL that a handler posts to, which may itself be a secret. Imports only `errors`, `network` and this room."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

from hotplane.builtin.webhooks.secrets import MASK, SecretSource
from hotplane.errors import PluginMisconfigured
from hotplane.network import InvalidAddress, Origin

__all__ = ["UrlSource", "destination_of", "secret_parts"]

_MAX_CHARACTERS = 4_096
_LONG = 16
"""Shorter segments of a path are words, such as `services`."""


class UrlSource(SecretSource):
    """A URL: ``"https://…"``, ``{"env": "NAME"}`` or ``{"file": "/path"}``.

    Only its scheme, host and port are ever shown: path and query of a webhook's URL are often all that protects it.
    """

    def _check(self, text: str) -> None:
        super()._check(text)
        url = text.strip()
        if len(url) > _MAX_CHARACTERS:
            raise ValueError(f"it is longer than {_MAX_CHARACTERS} characters")
        if not (url.isascii() and url.isprintable()) or " " in url:
            raise ValueError("it has characters that a URL cannot have; write them percent-encoded, or as punycode")
        try:
            Origin.of(url)
            parts = urlsplit(url)
        except InvalidAddress as error:
            raise ValueError(str(error)) from None
        except ValueError:
            raise ValueError("it cannot be read as a URL") from None
        if "@" in parts.netloc:
            raise ValueError("credentials do not belong into a URL; send them in a header")
        if parts.fragment or url.endswith("#"):
            raise ValueError("it has a fragment (`#…`), which no server ever gets")

    def _masked(self, text: str) -> str:
        parts = urlsplit(text.strip())
        if parts.path in {"", "/"} and not parts.query:
            return text
        return f"{parts.scheme}://{parts.netloc}/{MASK}"


def destination_of(source: UrlSource, what: str) -> str | None:
    """Return scheme, host and port; None while the URL cannot be read."""
    try:
        return str(Origin.of(source.read(what)))
    except PluginMisconfigured:
        return None


def secret_parts(url: str) -> frozenset[str]:
    """Return what of a URL must not be shown when a server repeats it: path and query, and what is long in them."""
    parts = urlsplit(url)
    inner = [*parts.path.split("/"), *(value for _, value in parse_qsl(parts.query))]
    return frozenset({parts.path.strip("/"), parts.query, *(each for each in inner if len(each) >= _LONG)})
