"""What can be set about the HTTP runner, and its credentials. Imports only `errors`, `network` and `plugins`."""

from __future__ import annotations

import os
import re
import ssl
import stat
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import ConfigDict, Field, field_validator, model_validator

from hotplane.errors import PluginMisconfigured
from hotplane.network import InvalidAddress, Origin, OutboundSettings
from hotplane.plugins import Config, Logger

__all__ = ["ANSWER_GRACE_SECONDS", "HttpRunnerConfig", "read_token", "tls_context"]

ANSWER_GRACE_SECONDS = 0.03
"""How much longer than the program the answer may take, so that a worker can still say that the program overran."""

_MAX_TOKEN_BYTES = 8_192
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")
"""RFC 6750, section 2.1."""

Milliseconds = Annotated[int, Field(ge=1, le=3_600_000)]


class HttpRunnerConfig(Config):
    """Settings of the HTTP runner."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    base_url: str
    """The worker's address, `http://host:port` or `https://host:port`, with a path where it has one."""
    timeout_ms: Milliseconds = 30_000
    """Time for one execution, in milliseconds, where the task's deadline is not sooner; retries included."""
    connect_timeout_ms: Milliseconds = 5_000
    """Time for a connection, in milliseconds, waiting for a free one included."""
    max_connections: Annotated[int, Field(ge=1, le=10_000)] = 100
    """Connections at a time."""
    max_answer_bytes: Annotated[int, Field(ge=1, le=1024**3)] = 10 * 1024 * 1024
    """Size of an answer, unpacked."""
    compress_above_bytes: Annotated[int | None, Field(ge=0)] = 16_384
    """Requests longer than this are packed with gzip, if the worker takes that; null for never."""
    retries: Annotated[int, Field(ge=0, le=10)] = 2
    """How often a request is repeated where that is safe."""
    max_retry_wait_ms: Annotated[int, Field(ge=0, le=60_000)] = 1_000
    """The longest wait before a repetition, in milliseconds; a worker that asks for more is given up at once."""
    token_env: str | None = None
    """The environment variable that holds the bearer token."""
    token_file: str | None = None
    """The file that holds the bearer token; nobody else should be able to read it."""
    ca_file: str | None = None
    """Certificates of a private authority, PEM; by default the system's authorities are trusted."""
    health_path: Annotated[str, Field(pattern=r"^/[!-~]*$", max_length=200)] = "/readyz"
    """What is asked to find out whether the worker is ready."""

    @field_validator("base_url")
    @classmethod
    def _is_a_server(cls, url: str) -> str:
        try:
            Origin.of(url)
        except InvalidAddress as error:
            raise ValueError(str(error)) from None
        parts = urlsplit(url)
        if parts.username is not None or parts.password is not None:
            raise ValueError("credentials do not belong into the address; use `token_env` or `token_file`")
        if parts.query or parts.fragment:
            raise ValueError("it has a query or a fragment; write only scheme, host, port and path")
        return url.rstrip("/")

    @model_validator(mode="after")
    def _one_token(self) -> Self:
        if self.token_env is not None and self.token_file is not None:
            raise ValueError("`token_env` and `token_file` exclude each other")
        return self

    def outbound(self) -> OutboundSettings:
        """Return the limits of the client."""
        return OutboundSettings(
            connect_timeout_seconds=self.connect_timeout_ms / 1e3,
            timeout_seconds=min(self.timeout_ms / 1e3 + ANSWER_GRACE_SECONDS, 3_600.0),
            max_answer_bytes=self.max_answer_bytes,
            max_connections=self.max_connections,
        )


def tls_context(config: HttpRunnerConfig) -> ssl.SSLContext | None:
    """Return what trusts the configured authority; None for the system's.

    Raises:
        PluginMisconfigured: The file cannot be used.
    """
    if config.ca_file is None:
        return None
    try:
        return ssl.create_default_context(cafile=config.ca_file)
    except (OSError, ssl.SSLError) as error:
        reason = error.strerror or type(error).__name__
        raise PluginMisconfigured(f"`ca_file` cannot be used: {reason}.") from None


def read_token(config: HttpRunnerConfig, log: Logger) -> str | None:
    """Return the bearer token; None when none is configured.

    Raises:
        PluginMisconfigured: It is not there, or is no token. The message does not repeat it.
    """
    if config.token_env is not None:
        where, text = f"The environment variable {config.token_env!r}", os.environ.get(config.token_env, "")
    elif config.token_file is not None:
        where, text = "`token_file`", _read_file(Path(config.token_file), log)
    else:
        return None
    token = text.strip()
    if _TOKEN.fullmatch(token) is None:
        raise PluginMisconfigured(f"{where} holds no bearer token: it is empty, or has characters no token has.")
    return token


def _read_file(path: Path, log: Logger) -> str:
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                log.warning("http.token-readable-by-others", file=str(path), mend=f"chmod 600 {path}")
            return file.read(_MAX_TOKEN_BYTES).decode("ascii", errors="replace")
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise PluginMisconfigured(f"`token_file` cannot be read: {reason}.") from None
