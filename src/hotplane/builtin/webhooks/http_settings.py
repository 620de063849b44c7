"""What can be set about `http-webhook-handler`. Imports only `plugins`, `values` and this room."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, field_validator

from hotplane.builtin.webhooks.choosing import ChosenEvents
from hotplane.builtin.webhooks.keys import InvalidKey, SigningKey, signing_key
from hotplane.builtin.webhooks.secrets import SecretSource
from hotplane.builtin.webhooks.urls import UrlSource
from hotplane.plugins import Config, Logger
from hotplane.values import pointer

__all__ = ["HeaderSource", "HttpWebhookConfig", "KeySource", "Timeout"]

RESERVED = frozenset(
    {"accept-encoding", "connection", "content-encoding", "content-length", "content-type", "expect", "host"}
    | {"keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "user-agent"}
)
"""Headers that belong to the transport; beside them every ``webhook-…`` and ``proxy-…``."""

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
"""RFC 9110, section 5.1."""
_VALUE = re.compile(r"[\t -~]{1,4096}")

Timeout = Annotated[float, Field(gt=0.0, le=60.0, allow_inf_nan=False)]


class KeySource(SecretSource):
    """A signing key: ``whsec_…`` or ``whsk_…``, written down, in an environment variable or in a file."""

    def _check(self, text: str) -> None:
        super()._check(text)
        try:
            signing_key(text.strip())
        except InvalidKey as error:
            raise ValueError(error.reason) from None

    def key(self, what: str, log: Logger | None = None) -> SigningKey:
        """Read the key.

        Raises:
            PluginMisconfigured: It is not there, or is none.
        """
        return signing_key(self.read(what, log=log))


class HeaderSource(SecretSource):
    """The value of a header, which may be a secret."""

    def _check(self, text: str) -> None:
        super()._check(text)
        if _VALUE.fullmatch(text.strip()) is None:
            raise ValueError("a header's value is one line of at most 4096 ASCII characters")


class HttpWebhookConfig(Config):
    """Settings of `http-webhook-handler`."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    events: ChosenEvents = ("*",)
    """Event types that it takes, and groups of them such as `plugin.*`."""
    url: UrlSource
    """Where to post; only scheme, host and port are ever shown."""
    secrets: Annotated[tuple[KeySource, ...], Field(min_length=1, max_length=5)]
    """Signing keys, the newest first; there is a signature for each, so that receivers can change theirs in peace."""
    format: Literal["standard", "cloudevents"] = "standard"
    """The body: of Standard Webhooks, or a CloudEvent in JSON."""
    headers: Annotated[dict[str, HeaderSource], Field(max_length=20)] = Field(default_factory=dict)
    """Further headers, such as `Authorization`; their values are secrets."""
    timeout_seconds: Timeout = 15.0
    """Time for a request and its answer."""

    @field_validator("headers")
    @classmethod
    def _free_names(cls, headers: dict[str, HeaderSource]) -> dict[str, HeaderSource]:
        names = [name.lower() for name in headers]
        for name in names:
            if _NAME.fullmatch(name) is None:
                raise ValueError(f"{name[:100]!r} cannot be the name of a header")
            if name in RESERVED or name.startswith(("webhook-", "proxy-")):
                raise ValueError(f"the header `{name}` is set by Hotplane itself")
            if names.count(name) > 1:
                raise ValueError(f"the header `{name}` is there twice")
        return headers

    def sources(self) -> dict[str, SecretSource]:
        """Return everything that may be read from elsewhere, by JSON Pointer."""
        return {
            "/url": self.url,
            **{pointer("secrets", index): source for index, source in enumerate(self.secrets)},
            **{pointer("headers", name): source for name, source in self.headers.items()},
        }
