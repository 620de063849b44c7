"""A plugin class by reference: ``package.module:Class``, from the modules that the operator allows.

Imports only `errors` and `plugins`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from importlib import import_module
from typing import Any

from hotplane.errors import InvalidMetadata, ReferenceNotAllowed
from hotplane.plugins import Plugin
from hotplane.plugins.checking import check_plugin_class

__all__ = ["is_reference", "load_reference", "module_allowed"]

_REFERENCE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


def is_reference(name: str) -> bool:
    """Tell whether a type's name is written ``package.module:Class``."""
    return _REFERENCE.fullmatch(name) is not None


def load_reference(reference: str, allowed: Sequence[str]) -> type[Plugin[Any]]:
    """Import a plugin class.

    Args:
        reference: ``package.module:Class``.
        allowed: Patterns over module names; a name without a wildcard allows what is below it, too.

    Raises:
        ReferenceNotAllowed: No pattern matches; nothing was imported.
        InvalidMetadata: The import failed, or what it found is not a plugin class.
    """
    module_name, _, class_name = reference.partition(":")
    if not module_allowed(module_name, allowed):
        raise ReferenceNotAllowed(reference, allowed)
    try:
        module = import_module(module_name)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        raise InvalidMetadata(reference, f"its module cannot be imported: {type(error).__name__}: {error}") from error
    found: object = getattr(module, class_name, None)
    if found is None:
        raise InvalidMetadata(reference, f"the module {module_name!r} has no {class_name!r}")
    return check_plugin_class(found)


def module_allowed(module: str, patterns: Sequence[str]) -> bool:
    """Tell whether a pattern allows a module; one without a wildcard allows what is below it, too."""
    return any(
        fnmatchcase(module, pattern) or module == pattern or module.startswith(pattern + ".") for pattern in patterns
    )
