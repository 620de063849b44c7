"""JSON Schemas, compiled once. Imports only `errors` and `values`.

Remote references are never fetched, formats are asserted whatever the draft says, and a schema without
`$schema` is read as draft 2020-12.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import jsonschema_rs
import msgspec

from hotplane.errors import InvalidSchema, Problem
from hotplane.values import Json, checked_copy, pointer

__all__ = ["MAX_PROBLEMS", "Schema"]

MAX_PROBLEMS = 20
"""At most this many problems are reported for one value; the first ones say enough."""


class Schema:
    """A compiled JSON Schema.

    Args:
        source: The schema document: an object, or `true` or `false`.

    Raises:
        InvalidSchema: It is not a schema, or it has a reference that leaves the document.
        NotJson: It is not a JSON value.
    """

    __slots__ = ("_is_valid", "_iter_errors", "source")

    def __init__(self, source: Json) -> None:
        if not isinstance(source, Mapping | bool):
            raise InvalidSchema(f"it is a JSON {_json_type(source)}, and a schema is an object or a boolean")
        self.source: Json = checked_copy(source)
        try:
            compiled = jsonschema_rs.validator_for(
                cast("Any", self.source),
                validate_formats=True,
                ignore_unknown_formats=True,
                offline=True,
                mask="the value",
            )
        except jsonschema_rs.ValidationError as error:
            raise InvalidSchema(_plain(error.message), pointer(*error.instance_path)) from None
        except jsonschema_rs.ReferencingError as error:
            raise InvalidSchema(f"a reference cannot be resolved: {error}") from None
        except ValueError as error:
            raise InvalidSchema(str(error)) from None
        self._is_valid = compiled.is_valid
        self._iter_errors = compiled.iter_errors

    def problems(self, value: Json) -> tuple[Problem, ...]:
        """Return what is wrong with `value`, with a JSON Pointer each; empty when it fits."""
        if self._is_valid(value):
            return ()
        found: list[Problem] = []
        for error in self._iter_errors(value):
            found.append(Problem(_plain(error.message), pointer(*error.instance_path)))
            if len(found) == MAX_PROBLEMS:
                break
        return tuple(found)

    def __repr__(self) -> str:
        return f"Schema({msgspec.json.encode(self.source).decode()})"


def _json_type(value: Json) -> str:
    if value is None:
        return "null"
    names: dict[type, str] = {int: "number", float: "number", str: "string", list: "array", tuple: "array"}
    return names.get(type(value), type(value).__name__)


def _plain(message: str) -> str:
    return message if len(message) <= 300 else message[:297] + "…"
