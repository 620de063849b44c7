"""What the host gives a plugin when it starts: log, clock, storage, and the guarded way out.

Imports only `values` and `errors`.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from pydantic import BaseModel

from hotplane.errors import PluginMisconfigured
from hotplane.values import Json

__all__ = ["Clock", "HttpAnswer", "KeyValue", "Logger", "Outbound", "PluginContext"]


class Logger(Protocol):
    """What plugins may do with `context.log`: a structured logger, bound to the plugin's id."""

    def debug(self, event: str, **values: object) -> object: ...
    def info(self, event: str, **values: object) -> object: ...
    def warning(self, event: str, **values: object) -> object: ...
    def error(self, event: str, **values: object) -> object: ...
    def exception(self, event: str, **values: object) -> object: ...


class Clock(Protocol):
    """Time, so that tests can turn it."""

    def now(self) -> datetime:
        """Return the present instant, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds on a clock that never goes back."""
        ...


class KeyValue(Protocol):
    """Storage of one plugin: JSON values by key, kept over restarts and reloads."""

    async def get(self, key: str) -> Json: ...
    async def set(self, key: str, value: Json) -> None: ...
    async def delete(self, key: str) -> None: ...


class HttpAnswer(Protocol):
    """What a server answered, whatever the status."""

    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]:
        """By name in lower case; of a repeated header the last."""
        ...

    @property
    def body(self) -> bytes: ...


class Outbound(Protocol):
    """The guarded way out: limits, no redirects, no private addresses unless the operator allowed them."""

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        timeout: float | None = None,
    ) -> HttpAnswer:
        """Send one request and read the answer to its end; `timeout` in seconds.

        Raises:
            HotplaneError: There is no answer; `hotplane.network` lists the reasons.
        """
        ...

    async def connect(self, host: str, port: int, *, timeout: float | None = None) -> socket.socket:
        """Return a connected, non-blocking socket, for protocols other than HTTP; `timeout` in seconds.

        Raises:
            HotplaneError: There is no connection, or the address is not allowed.
        """
        ...


class PluginContext:
    """What the host gives a plugin when it starts."""

    __slots__ = ("_http", "clock", "config", "host_version", "log", "plugin_id", "storage")

    def __init__(
        self,
        *,
        plugin_id: str,
        config: BaseModel,
        log: Logger,
        clock: Clock,
        storage: KeyValue,
        host_version: str,
        http: Outbound | None = None,
    ) -> None:
        self.plugin_id = plugin_id
        self.config = config
        self.log = log
        self.clock = clock
        self.storage = storage
        self.host_version = host_version
        self._http = http

    @property
    def http(self) -> Outbound:
        """The guarded way out of this host.

        Raises:
            PluginMisconfigured: This host lets plugins make no requests.
        """
        if self._http is None:
            raise PluginMisconfigured("This host lets plugins make no requests: it was built without a network.")
        return self._http
