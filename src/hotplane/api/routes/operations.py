"""Operations that take time, as far as they have come. Imports only lower rooms and `hotplane.api`."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from hotplane.api.answers import answer
from hotplane.api.describe import described
from hotplane.api.ongoing import ongoing_of
from hotplane.api.operations import Operation

__all__ = ["router"]

router = APIRouter(tags=["plugins"])

_one: Any = described(Operation, problems=(404,), example="operation")


@router.get("/api/operations/{operation_id}", operation_id="getOperation", summary="Show an operation", **_one)
async def get_operation(request: Request, operation_id: str) -> Response:
    """Return how far an operation has come, with its result or problem when it has ended."""
    return answer(ongoing_of(request).operations.get(operation_id))
