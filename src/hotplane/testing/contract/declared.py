"""What a plugin declares: its metadata and its configuration model. Nothing is started.

Imports `plugins`, `registry`'s and `host`'s rules of names and compatibility, and this room.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec
from pydantic import BaseModel, ValidationError

from hotplane.host.compatibility import host_problem, requirement_problem
from hotplane.plugins.base import kind_of
from hotplane.plugins.checking import check_plugin_class
from hotplane.registry.registry import RESERVED_IDS
from hotplane.testing.broken import ContractBroken, require
from hotplane.testing.contract.subject import Subject
from hotplane.version import __version__

__all__ = ["DECLARED"]

_SNAKE = re.compile(r"[a-z]+(_[a-z]+)*")
_UNKNOWN = "no_such_setting_as_this"


async def _metadata(subject: Subject) -> None:
    """Name, version and needs can be read, and this host meets them."""
    metadata = check_plugin_class(subject.cls).metadata
    require(
        metadata.name not in RESERVED_IDS,
        f"its name {metadata.name!r} is reserved, because the API uses it as a path; choose another",
    )
    misfit = host_problem(metadata.requires_host, __version__)
    require(misfit is None, str(misfit))
    for requirement in metadata.requires:
        trouble = requirement_problem(requirement)
        require(trouble is None, f"`requires` has {requirement!r}: {trouble}")
    require(bool(kind_of(subject.cls).method), f"the kind {kind_of(subject.cls).__name__} does not name its `method`")


async def _schema(subject: Subject) -> None:
    """The configuration has a JSON Schema, which the API and the docs show."""
    try:
        msgspec.json.encode(subject.cls.Config.model_json_schema())
    except Exception as error:
        raise ContractBroken(f"its configuration model has no JSON Schema: {error}") from error


async def _unknown_keys(subject: Subject) -> None:
    """A misspelt setting is refused, not ignored."""
    model = subject.cls.Config
    try:
        model.model_validate({**subject.configuration, _UNKNOWN: 1})
    except ValidationError as error:
        named = any(_UNKNOWN in each["loc"] for each in error.errors(include_url=False))
        require(named, f"it does not say that a setting is unknown; {_ADVICE}")
    else:
        raise ContractBroken(f"its configuration takes unknown settings without a word; {_ADVICE}")


async def _pascal_case(subject: Subject) -> None:
    """Settings may be written in PascalCase, too."""
    model = subject.cls.Config
    names = {name: _pascal(name) for name in model.model_fields if _SNAKE.fullmatch(name)}
    written: dict[str, Any] = {names.get(key, key): value for key, value in subject.configuration.items()}
    pascal = _errors(model, {**written, **{names[key]: object() for key in names if names[key] not in written}})
    refused = sorted(key for key in names.values() if (key,) in pascal)
    require(not refused, f"it does not know {', '.join(refused)}; {_ADVICE}")


def _errors(model: type[BaseModel], written: dict[str, Any]) -> set[tuple[Any, ...]]:
    """Return the places of the settings that a model does not know."""
    try:
        model.model_validate(written)
    except ValidationError as error:
        return {each["loc"] for each in error.errors(include_url=False) if each["type"] == "extra_forbidden"}
    except Exception:  # a validator of the author's own may meet what it did not expect: that is not asked here
        return set()
    return set()


def _pascal(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


_ADVICE = "derive its model from `hotplane.Config`"

DECLARED = {
    "metadata can be used": _metadata,
    "configuration has a schema": _schema,
    "unknown settings are refused": _unknown_keys,
    "settings may be in PascalCase": _pascal_case,
}
"""By name."""
