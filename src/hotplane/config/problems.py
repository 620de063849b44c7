"""Saying what is wrong with a configuration in plain words, without showing secrets.

Imports only `errors`, `values` and `shape`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

from pydantic import BaseModel, ValidationError

from hotplane.config.shape import model_of, snake_case
from hotplane.errors import Problem, did_you_mean
from hotplane.values import Json, pointer

__all__ = ["describe", "explain", "unknown_key", "without_credentials"]

_SECRET = re.compile(r"token|secret|passw|credential|webhook_url|(^|_)key(s$|$)|authorization|dsn$")
_CREDENTIALS = re.compile(r"//[^/\s@]+@")
_SHOWN = 60

_WANTED: Mapping[str, str] = {
    "bool_type": "true or false",
    "dict_type": "a mapping",
    "mapping_type": "a mapping",
    "float_type": "a number",
    "int_from_float": "a whole number",
    "int_type": "a whole number",
    "list_type": "a list",
    "model_type": "a mapping",
    "path_type": "text (a path)",
    "string_type": "text",
    "tuple_type": "a list",
}
_PHRASES: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "enum": lambda ctx: f"must be {ctx['expected']}",
    "finite_number": lambda _: "must be a finite number",
    "greater_than": lambda ctx: f"must be more than {ctx['gt']:g}",
    "greater_than_equal": lambda ctx: f"must be at least {ctx['ge']:g}",
    "less_than": lambda ctx: f"must be less than {ctx['lt']:g}",
    "less_than_equal": lambda ctx: f"must be at most {ctx['le']:g}",
    "literal_error": lambda ctx: f"must be {ctx['expected']}",
    "string_pattern_mismatch": lambda ctx: f"must match the pattern {ctx['pattern']}",
    "string_too_long": lambda ctx: f"must have at most {ctx['max_length']} characters",
    "string_too_short": lambda _: "must not be empty",
    "too_long": lambda ctx: f"must have at most {ctx['max_length']} items",
    "too_short": lambda _: "must not be empty",
}


def explain(error: ValidationError, model: type[BaseModel]) -> list[Problem]:
    """Return pydantic's findings in plain words, each with the pointer into the shaped configuration.

    Args:
        error: What validating raised.
        model: The model of the whole, to know the keys of its parts.
    """
    return [_problem(cast("Mapping[str, Any]", details), model) for details in error.errors(include_url=False)]


def describe(value: Json, path: Iterable[str | int] = ()) -> str:
    """Return a value as a person would call it: ``the text 'abc'``, ``a list``, ``nothing``.

    What a key such as `token` or `password` on the path holds is named by its type alone.
    """
    if value is None:
        return "nothing (null)"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    secret = _is_secret(path)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return "a number" if secret else f"the number {value}"
    text = str(value)
    if secret:
        return "a text"
    return f"the text {without_credentials(text if len(text) <= _SHOWN else text[:_SHOWN] + '…')!r}"


def unknown_key(key: str, known: Iterable[str]) -> str:
    """Return the sentence for a key that does not exist, with the one that may be meant."""
    names = sorted(known)
    hint = did_you_mean(snake_case(key), names)
    return f"there is no key `{key[:_SHOWN]}`{hint}" + ("" if hint else f"; known keys: {', '.join(names)}")


def without_credentials(text: str) -> str:
    """Return `text` with the user and password of every URL taken out."""
    return _CREDENTIALS.sub("//***@", text)


def _problem(details: Mapping[str, Any], model: type[BaseModel]) -> Problem:
    path = cast("tuple[str | int, ...]", details["loc"])
    context = cast("Mapping[str, Any]", details.get("ctx") or {})
    at = pointer(*path) + str(context.get("at", ""))
    return Problem(without_credentials(_message(details, context, path, model)), at)


def _message(
    details: Mapping[str, Any], context: Mapping[str, Any], path: tuple[str | int, ...], model: type[BaseModel]
) -> str:
    kind = str(details["type"])
    key = next((part for part in reversed(path) if isinstance(part, str)), "")
    if kind == "wrong":
        return str(context["message"])
    if kind == "extra_forbidden":
        return unknown_key(str(path[-1]), _keys_at(model, path[:-1]))
    if kind == "missing":
        return f"`{key}` is missing"
    subject = f"`{key}`" if path and path[-1] == key else f"each of `{key}`" if key else "the configuration"
    found = describe(cast("Json", details["input"]), path)
    if kind in _WANTED:
        return f"{subject} must be {_WANTED[kind]}, not {found}"
    if kind in _PHRASES:
        return f"{subject} {_PHRASES[kind](context)}, and is {found}{_meant(details, context)}"
    if kind == "value_error":
        return f"{subject}: {context['error']}"
    return f"{subject} cannot be {found}: {str(details['msg'])[:1].lower()}{str(details['msg'])[1:]}"


def _meant(details: Mapping[str, Any], context: Mapping[str, Any]) -> str:
    """Return the one of the listed words that may be meant, as a question."""
    words = re.findall(r"'([^']+)'", str(context.get("expected", "")))
    return did_you_mean(details["input"], words) if isinstance(details["input"], str) else ""


def _keys_at(model: type[BaseModel], path: Iterable[str | int]) -> Iterable[str]:
    inner: type[BaseModel] | None = model
    for part in path:
        if isinstance(part, str) and inner is not None and part in inner.model_fields:
            inner = model_of(inner.model_fields[part].annotation)[0]
    return inner.model_fields if inner is not None else ()


def _is_secret(path: Iterable[str | int]) -> bool:
    return any(isinstance(part, str) and _SECRET.search(snake_case(part).replace("-", "_")) for part in path)
