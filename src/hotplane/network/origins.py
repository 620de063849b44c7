"""Which servers an operator named in a plugin's configuration. Imports only `addresses` and `failures` of this room.

A URL may be named by reference, too: ``{"env": "NAME"}`` or ``{"file": "/path"}``, the form that secrets have.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import cast

from pydantic import AnyUrl, SecretStr

from hotplane.network.addresses import Origin
from hotplane.network.failures import InvalidAddress

__all__ = ["origins_in"]

_PORTS: Mapping[str, tuple[int, ...]] = {"http": (80,), "https": (443,), "smtp": (25, 587), "smtps": (465,)}
"""The ports that a URL without one may mean."""
_MAIL_PORTS = (25, 465, 587)
"""The ports that a host without one may mean: relay, submission with TLS, submission (RFC 8314)."""
_HOST_KEYS = frozenset({"host", "smtphost"})
_PORT_KEYS = frozenset({"port", "smtpport"})
_MAX_BYTES = 16 * 1024
"""No longer file holds a URL."""


def origins_in(configuration: Mapping[str, object]) -> frozenset[tuple[str, int]]:
    """Return host and port of every server that a configuration names, at any depth.

    These are the texts that are a URL with the scheme http, https, smtp or smtps as a whole, and the mappings with
    `host` or `smtp_host`, and `port` or `smtp_port`, in snake_case, camelCase or PascalCase. A host without a port is
    taken for a mail server, on the three ports that those have. Of a mapping that is `env` or `file` alone, what the
    variable or the file holds counts as if it stood there.

    Args:
        configuration: As it stands in the file. Never one that came by the API: what this returns may lead anywhere.
    """
    found = set[tuple[str, int]]()
    waiting: list[object] = [configuration]
    while waiting:
        value = waiting.pop()
        if isinstance(value, Mapping):
            mapping = cast("Mapping[object, object]", value)
            found.update(_pairs(mapping))
            found.update(_of_url(_referred(mapping)))
            waiting.extend(mapping.values())
        elif isinstance(value, list | tuple | set | frozenset):
            waiting.extend(cast("list[object]", value))
        else:
            found.update(_of_url(_text(value)))
    return frozenset(found)


def _referred(mapping: Mapping[object, object]) -> str:
    """Return what an environment variable or a file holds; nothing where that cannot be read."""
    if len(mapping) != 1:
        return ""
    name, path = mapping.get("env"), mapping.get("file")
    if isinstance(name, str):
        return os.environ.get(name, "").strip()
    if not isinstance(path, str | Path) or not Path(path).is_absolute():
        return ""
    try:
        # Opening must not wait for the writer of a pipe.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor has no path
            if stat.S_ISREG(os.fstat(descriptor).st_mode):
                return file.read(_MAX_BYTES).decode().strip()
    except (OSError, ValueError):
        return ""  # the plugin that needs it says so
    return ""


def _text(value: object) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return str(value) if isinstance(value, str | AnyUrl) else ""


def _of_url(text: str) -> Iterator[tuple[str, int]]:
    scheme = text.partition("://")[0].lower()
    ports = _PORTS.get(scheme)
    if ports is None:
        return
    for port in ports:
        try:
            origin = Origin.of(text, schemes=_PORTS, port=port)
        except InvalidAddress:
            return
        yield origin.host, origin.port


def _pairs(mapping: Mapping[object, object]) -> Iterator[tuple[str, int]]:
    hosts = [value for value in _values(mapping, _HOST_KEYS) if isinstance(value, str)]
    ports = [_port(value) for value in _values(mapping, _PORT_KEYS)] or list(_MAIL_PORTS)
    for host in hosts:
        for port in ports:
            try:
                origin = Origin.at(host, port)
            except InvalidAddress:
                continue
            yield origin.host, origin.port


def _values(mapping: Mapping[object, object], keys: frozenset[str]) -> list[object]:
    """Return what stands under one of `keys`; null counts as absent."""
    return [
        value
        for key, value in mapping.items()
        if value is not None and isinstance(key, str) and key.replace("_", "").lower() in keys
    ]


def _port(value: object) -> int:
    """Return a port; 0, which is none, for anything else."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 5:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
