"""Whether a class is a plugin that a host can use. Imports only `base`, `records` and `errors`."""

from __future__ import annotations

import re
from inspect import isclass
from typing import Any, cast

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version
from pydantic import BaseModel

from hotplane.errors import InvalidMetadata
from hotplane.plugins.base import Plugin, kind_name, kind_of
from hotplane.records import PluginMetadata

__all__ = ["check_metadata", "check_plugin_class"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")


def check_plugin_class(plugin: object) -> type[Plugin[Any]]:
    """Return `plugin` when it is a class that a host can use.

    Raises:
        InvalidMetadata: It is not a plugin class, or has no metadata; its configuration is no model; or its name,
            version or a specifier is wrong.
    """
    name = getattr(plugin, "__qualname__", repr(plugin))
    if not isclass(plugin) or not issubclass(plugin, Plugin):
        raise InvalidMetadata(name, "it is not a class derived from `hotplane.Plugin`")
    checked = cast("type[Plugin[Any]]", plugin)
    kind = kind_of(checked)
    metadata = getattr(checked, "metadata", None)
    if not isinstance(metadata, PluginMetadata):
        raise InvalidMetadata(name, "it has no `metadata = PluginMetadata(name=…, version=…)`")
    if kind.method and not callable(getattr(checked, kind.method, None)):
        raise InvalidMetadata(name, f"it has no method `{kind.method}`, which a {kind_name(kind)} needs")
    if checked is not kind and kind.method and getattr(checked, kind.method) is getattr(kind, kind.method):
        raise InvalidMetadata(name, f"it does not define `{kind.method}`, which a {kind_name(kind)} needs")
    model: object = getattr(checked, "Config", None)
    if not isclass(model) or not issubclass(model, BaseModel):
        named = getattr(model, "__qualname__", repr(model))
        raise InvalidMetadata(
            name, f"its configuration `{named}` is no pydantic model; derive it from `hotplane.Config`"
        )
    check_metadata(metadata, name)
    return checked


def check_metadata(metadata: PluginMetadata, plugin: str) -> None:
    """Check names, versions and specifiers.

    Raises:
        InvalidMetadata: One of them is wrong; the message says which.
    """
    if _NAME.fullmatch(metadata.name) is None:
        raise InvalidMetadata(plugin, f"its name {metadata.name!r} is not made of letters, digits and `. _ : -`")
    try:
        Version(metadata.version)
    except InvalidVersion:
        raise InvalidMetadata(plugin, f"its version {metadata.version!r} is not a PEP 440 version") from None
    try:
        SpecifierSet(metadata.requires_host)
    except InvalidSpecifier:
        raise InvalidMetadata(
            plugin, f"`requires_host` {metadata.requires_host!r} is not a PEP 440 specifier"
        ) from None
