"""Putting secrets back where a changed configuration still has the asterisks that were shown in their place.

Imports only `errors`, `values` and this room.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import cast

from pydantic import BaseModel, SecretStr

from hotplane.builtin.webhooks.secrets import MASK, SecretSource
from hotplane.errors import ConfigurationError, Problem
from hotplane.values import Json, pointer

__all__ = ["restored"]

_AMBIGUOUS = (
    f"`{MASK}` stands for a secret that was there before, and it is not clear for which: there are {{secrets}} of them "
    f"and {{masks}} such marks. Keep every one of them, or write all secrets out."
)


def restored(given: Mapping[str, Json], known: BaseModel) -> tuple[dict[str, Json], tuple[str, ...]]:
    """Return a configuration in which `********` is the secret that it was shown for, and where it was put back.

    Args:
        given: What came, perhaps with asterisks.
        known: The configuration that was shown.

    Raises:
        ConfigurationError: A list has other secrets than before, and the asterisks in it could mean any.
    """
    back: list[str] = []
    found = _restored(given, known, (), back)
    return cast("dict[str, Json]", found), tuple(back)


def _restored(given: Json, known: object, path: tuple[str | int, ...], back: list[str]) -> Json:
    if isinstance(known, SecretSource | SecretStr):
        secret = _secret(given, known)
        if secret is None:
            return given
        back.append(pointer(*path))
        return secret
    if isinstance(given, Mapping):
        return {key: _restored(each, _part(known, key), (*path, key), back) for key, each in given.items()}
    if isinstance(given, list | tuple):
        items = cast("Sequence[Json]", given)
        pairs = zip(items, _counterparts(items, known, path), strict=True)
        return [_restored(each, other, (*path, index), back) for index, (each, other) in enumerate(pairs)]
    return given


def _secret(given: Json, known: SecretSource | SecretStr) -> str | None:
    """Return the secret that `given` is shown for."""
    if not isinstance(given, str) or MASK not in given:
        return None
    if isinstance(known, SecretStr):
        return known.get_secret_value() if given == str(known) else None
    shown = cast("object", known.model_dump())
    return known.value.get_secret_value() if known.value is not None and given == shown else None


def _part(known: object, key: str) -> object:
    if isinstance(known, BaseModel):
        return getattr(known, key, None) if key in type(known).model_fields else None
    return cast("Mapping[str, object]", known).get(key) if isinstance(known, Mapping) else None


def _counterparts(given: Sequence[Json], known: object, path: tuple[str | int, ...]) -> Iterator[object]:
    """Yield what each item may be shown for: asterisks mean the secrets that were there, in their order."""
    before = cast("Sequence[object]", known) if isinstance(known, list | tuple) else ()
    hidden = [each for each in before if _is_hidden(each)]
    masks = sum(isinstance(each, str) and MASK in each for each in given)
    if masks and masks != len(hidden):
        raise ConfigurationError([Problem(_AMBIGUOUS.format(secrets=len(hidden), masks=masks), pointer(*path))])
    waiting = iter(hidden)
    for index, each in enumerate(given):
        if isinstance(each, str) and MASK in each:
            yield next(waiting)
        else:
            yield before[index] if index < len(before) and not _is_hidden(before[index]) else None


def _is_hidden(known: object) -> bool:
    return isinstance(known, SecretStr) or (isinstance(known, SecretSource) and known.value is not None)
