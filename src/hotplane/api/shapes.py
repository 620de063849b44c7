"""What a body's shape has at one place: members and choices, to say what would fit. Imports nothing of Hotplane."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from msgspec import inspect

__all__ = ["choices_at", "members_at"]


def choices_at(shape: object, path: Sequence[str]) -> tuple[str | int, ...]:
    """Return the values that a place takes, as far as it takes a few only: those of enums and literals.

    Args:
        shape: Of the whole body.
        path: Names of members and indices, from the outside in; of a mapping's members any name will do.
    """
    return tuple(dict.fromkeys(value for each in _types_at(shape, path) for value in _choices(each)))


def members_at(shape: object, path: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the members that an object at a place may have; none where it may have any."""
    structs = (each for each in _types_at(shape, path) if isinstance(each, inspect.StructType))
    return tuple(field.encode_name for struct in structs for field in struct.fields)


def _types_at(shape: object, path: Sequence[str]) -> tuple[inspect.Type, ...]:
    found = tuple(_alternatives(inspect.type_info(shape)))
    for step in path:
        found = tuple(inner for each in found for inside in _inside(each, step) for inner in _alternatives(inside))
    return found


def _alternatives(kind: inspect.Type) -> Iterator[inspect.Type]:
    if isinstance(kind, inspect.UnionType):
        for each in kind.types:
            yield from _alternatives(each)
    elif isinstance(kind, inspect.Metadata):
        yield from _alternatives(kind.type)
    else:
        yield kind


def _inside(kind: inspect.Type, step: str) -> Iterator[inspect.Type]:
    if isinstance(kind, inspect.StructType):
        yield from (field.type for field in kind.fields if field.encode_name == step)
    elif isinstance(kind, inspect.TupleType):
        yield from kind.item_types[int(step) : int(step) + 1]
    elif isinstance(kind, inspect.DictType):
        yield kind.value_type
    elif isinstance(kind, inspect.CollectionType):
        yield kind.item_type


def _choices(kind: inspect.Type) -> Iterable[str | int]:
    if isinstance(kind, inspect.EnumType):
        return [member.value for member in kind.cls]
    values = kind.values if isinstance(kind, inspect.LiteralType) else ()
    return [value for value in values if isinstance(value, str | int)]
