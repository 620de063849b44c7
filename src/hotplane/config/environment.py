"""Settings from environment variables. Imports only `errors`, `values`, `shape` and `yaml_reader`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from hotplane.config.shape import Origins
from hotplane.config.yaml_reader import plain_scalar, read_yaml
from hotplane.errors import ConfigurationError
from hotplane.values import Json, pointer

__all__ = ["PREFIX", "apply_environment", "put"]

PREFIX = "HOTPLANE_"
_MAX_PARTS = 8


def apply_environment(
    mapping: Mapping[str, Json], environ: Mapping[str, str], origins: Origins | None = None
) -> dict[str, Json]:
    """Return `mapping` with the settings of the environment laid over it.

    ``HOTPLANE_<SECTION>__<KEY>`` sets one key: ``HOTPLANE_SERVER__PORT=4000`` sets ``server.port``, and a further
    ``__`` goes one level deeper. The value is read as a plain YAML scalar (``4000``, ``true``, ``null``, otherwise
    text, whatever characters it has); one that begins with ``[`` as a YAML list. Variables without ``__`` are not
    settings and are left alone, and so are keys below something that is not a mapping, such as a list.

    Args:
        mapping: The shaped configuration; it is not changed.
        environ: The environment.
        origins: Told that these settings came from ``environment``.
    """
    result = dict(mapping)
    for variable, text in sorted(environ.items()):
        path = [part.lower() for part in variable.removeprefix(PREFIX).split("__")]
        usable = variable.startswith(PREFIX) and 2 <= len(path) <= _MAX_PARTS and all(path)
        if usable and put(result, path, _value(text)) and origins is not None:
            origins.came_from(pointer(*path), "environment")
    return result


def put(mapping: dict[str, Json], path: list[str], value: Json) -> bool:
    """Set the value at `path`, making mappings on the way; tell whether it could be set.

    Mappings on the way are copied, so that only `mapping` itself is changed.
    """
    key, *rest = path
    if not rest:
        mapping[key] = value
        return True
    below = mapping.get(key)
    if below is not None and not isinstance(below, Mapping):
        return False
    copied = dict(cast("Mapping[str, Json]", below or {}))
    mapping[key] = copied
    return put(copied, rest, value)


def _value(text: str) -> Json:
    if not text.startswith("["):
        return plain_scalar(text)
    try:
        return read_yaml(text).value
    except ConfigurationError:
        return text
