"""What a query may have, and what is wrong with one. Imports only `errors` and `refusals`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from fastapi.exceptions import RequestValidationError
from starlette.requests import Request

from hotplane.api.refusals import QueryDoesNotFit
from hotplane.errors import did_you_mean

__all__ = ["refuse_query", "refuse_repeated"]


async def refuse_repeated(request: Request) -> None:
    """Refuse a parameter of one value that is given several times: the last one would win, and nobody be told.

    Raises:
        QueryDoesNotFit: There is one.
    """
    if b"&" not in request.scope["query_string"]:
        return
    given = Counter(name for name, _ in request.query_params.multi_items())
    repeated = {name: times for name, times in given.items() if times > 1}
    if not repeated:
        return
    single = {each["name"] for each in _parameters(request) if not _takes_several(each)}
    found = [
        (name, f"the parameter {name!r} takes one value, not {repeated[name]}") for name in repeated if name in single
    ]
    if found:
        raise QueryDoesNotFit(found)


def refuse_query(request: Request, error: Exception) -> NoReturn:
    """Raise what FastAPI found wrong with the query."""
    found: list[dict[str, Any]] = list(error.errors()) if isinstance(error, RequestValidationError) else []
    known = [each["name"] for each in _parameters(request)]
    raise QueryDoesNotFit([_explain(each, known) for each in found])


def _explain(problem: dict[str, Any], known: Sequence[str]) -> tuple[str, str]:
    # Where it came from, its name, and for a parameter that is given several times its index.
    name = str(problem["loc"][:2][-1])[:100]
    if problem["type"] == "extra_forbidden":
        hint = did_you_mean(name, known) or f"; the known ones are {', '.join(known)}"
        return name, f"the parameter {name!r} is not known{hint}"
    message = str(problem["msg"]).removeprefix("Value error, ")
    return name, f"the parameter {name!r}: {message[:1].lower()}{message[1:]}"


def _parameters(request: Request) -> list[Mapping[str, Any]]:
    """Return the parameters of a request's query as the OpenAPI document describes them."""
    template = getattr(request.scope.get("route"), "path", request.scope["path"])
    operation = request.app.openapi()["paths"].get(template, {}).get(request.method.lower(), {})
    return [each for each in operation.get("parameters", ()) if each["in"] == "query"]


def _takes_several(parameter: Mapping[str, Any]) -> bool:
    schema: Mapping[str, Any] = parameter["schema"]
    return any(each.get("type") == "array" for each in (schema, *schema.get("anyOf", ())))
