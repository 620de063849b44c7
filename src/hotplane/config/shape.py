"""Bringing what a file holds into the one shape that the models read, and remembering where it came from.

PascalCase keys become snake_case, a section ``Loopai`` becomes the whole, a mapping of tasks becomes a list,
and a short plugin entry a full one. Imports only `errors`, `values`, `document` and the models it is given.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import UnionType
from typing import Any, Union, cast, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from hotplane.config.document import nearest
from hotplane.errors import Problem
from hotplane.values import Json, pointer

__all__ = ["Origins", "Shaper", "model_of", "shape", "snake_case"]

_DOTNET_SECTION = "Loopai"


class Origins:
    """Where each value of the shaped configuration came from."""

    def __init__(self) -> None:
        self._pointers: dict[str, str] = {}
        self._sources: dict[str, str] = {}

    def moved(self, now: str, before: str) -> None:
        """Note that the value at the pointer `now` stood at `before`, and all below it too."""
        if now != before or nearest(now, self._pointers) is not None:
            self._pointers[now] = before

    def came_from(self, pointer: str, source: str) -> None:
        """Note that the value at `pointer` is not of the file but of `source`."""
        self._sources[pointer] = source

    def of(self, pointer: str) -> str:
        """Return the pointer into the file for a pointer into the shaped configuration."""
        place = nearest(pointer, self._pointers)
        return pointer if place is None else self._pointers[place] + pointer[len(place) :]

    def source_of(self, pointer: str) -> str | None:
        """Return the name of the source that gave the value, null for the file."""
        place = nearest(pointer, self._sources)
        return None if place is None else self._sources[place]

    def source_below(self, pointer: str) -> str | None:
        """Return the name of a source that gave something below `pointer`, null where only the file did."""
        return next((source for place, source in self._sources.items() if place.startswith(f"{pointer}/")), None)


def snake_case(key: str) -> str:
    """Return ``webhook_handlers`` for ``WebhookHandlers`` and ``webhookHandlers``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", key).lower()


def model_of(annotation: object) -> tuple[type[BaseModel] | None, bool]:
    """Return the model that an annotation holds, if any, and whether it holds a sequence of them."""
    if isinstance(annotation, type) and get_origin(annotation) is None:
        return (annotation, False) if issubclass(annotation, BaseModel) else (None, False)
    if get_origin(annotation) in {tuple, list}:
        return model_of(get_args(annotation)[0])[0], True
    if get_origin(annotation) in {Union, UnionType}:
        found = (model_of(part) for part in get_args(annotation))
        return next((model for model in found if model[0] is not None), (None, False))
    return None, False


def shape(value: Json, model: type[BaseModel], origins: Origins) -> tuple[dict[str, Json] | None, list[Problem]]:
    """Return the keys of `value` in the spelling of `model`, at every depth that models describe.

    Returns:
        The mapping, null where `value` is none, and what could not be spelt: a key that is given in two ways.
    """
    if not isinstance(value, Mapping):
        return None, []
    if isinstance(value.get(_DOTNET_SECTION), Mapping):
        origins.moved("", pointer(_DOTNET_SECTION))
        value = cast("Mapping[str, Json]", value[_DOTNET_SECTION])
    shaper = Shaper(origins)
    return shaper.mapping(value, model, ""), shaper.problems


class Shaper:
    """Walks a value and the model beside it."""

    def __init__(self, origins: Origins) -> None:
        self.origins = origins
        self.problems: list[Problem] = []

    def mapping(self, value: Mapping[str, Json], model: type[BaseModel], at: str) -> dict[str, Json]:
        """Return `value` with its keys spelt as the fields of `model`; other keys and what is below them stay."""
        before = self.origins.of(at)
        shaped: dict[str, Json] = {}
        for key, item in value.items():
            name = self._field_name(key, model)
            here = at + pointer(name)
            if name in shaped:
                self.problems.append(Problem(f"`{name}` is given in two spellings", here))
                continue
            self.origins.moved(here, before + pointer(key))
            field = model.model_fields.get(name)
            if field is None:
                shaped[name] = item
            elif item is not None or _allows_none(field):
                shaped[name] = self._item(item, field, here)
        return shaped

    def _item(self, item: Json, field: FieldInfo, at: str) -> Json:
        model, many = model_of(field.annotation)
        if model is None:
            return item
        if not many:
            return self.mapping(item, model, at) if isinstance(item, Mapping) else item
        if isinstance(item, Mapping) and "id" in model.model_fields:
            item = self._list_of(item, at)
        if not isinstance(item, list):
            return item
        return [
            self.mapping(cast("Mapping[str, Json]", entry), model, at + pointer(index))
            if isinstance(entry, Mapping)
            else entry
            for index, entry in enumerate(item)
        ]

    def _list_of(self, items: Mapping[str, Json], at: str) -> list[Json]:
        """Return ``{a: {…}}`` as ``[{id: a, …}]``."""
        entries: list[Json] = []
        before = self.origins.of(at)
        for index, (key, rest) in enumerate(items.items()):
            self.origins.moved(at + pointer(index), before + pointer(key))
            entries.append(self._with_id(key, rest or {}, at + pointer(index)) if _is_entry(rest) else rest)
        return entries

    def _with_id(self, key: str, rest: Json, at: str) -> Json:
        given = {snake_case(name): item for name, item in cast("Mapping[str, Json]", rest).items()}.get("id", key)
        if given != key:
            self.problems.append(Problem(f"the key `{key}` is the id already; leave the other `id` away", at))
        return {
            **{name: item for name, item in cast("Mapping[str, Json]", rest).items() if snake_case(name) != "id"},
            "id": key,
        }

    @staticmethod
    def _field_name(key: str, model: type[BaseModel]) -> str:
        if key in model.model_fields:
            return key
        snake = snake_case(key)
        return snake if snake in model.model_fields else key


def _is_entry(rest: Json) -> bool:
    return rest is None or isinstance(rest, Mapping)


def _allows_none(field: FieldInfo) -> bool:
    """Tell whether null is a value of the field; otherwise a key without a value counts as absent."""
    annotation: object = field.annotation
    return annotation is Any or type(None) in get_args(annotation)
