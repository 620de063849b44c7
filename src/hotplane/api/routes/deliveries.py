"""Events on their way to handlers. Imports only lower rooms and `hotplane.api`."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response

from hotplane.api.answers import answer, host_of
from hotplane.api.describe import described
from hotplane.api.event_queries import DeliveryQuery
from hotplane.storage import Delivery, Page

__all__ = ["router"]

router = APIRouter(prefix="/api/deliveries", tags=["webhooks"])

_list: Any = described(Page[Delivery], problems=(422, 503), example="deliveries")
_one: Any = described(Delivery, problems=(404, 422, 503), example="delivery")
_retry: Any = described(Delivery, problems=(404, 409, 422, 503, 507), example="delivery")

Place = Annotated[int, Path(ge=1, le=2**63 - 1, description="The event's place in the log: `sequence`.")]


@router.get("", operation_id="listDeliveries", summary="List deliveries", **_list)
async def list_deliveries(request: Request, query: Annotated[DeliveryQuery, Query()]) -> Response:
    """Return one page of deliveries with their attempts, those of the newest events first.

    Deliveries to handlers that are gone are there, too, as long as their events are kept.
    """
    outbox, wanted = host_of(request).outbox, query.to_filter()
    if query.handler is None:
        return answer(await outbox.list_all(wanted, limit=query.limit, cursor=query.cursor))
    return answer(await outbox.list(query.handler, wanted, limit=query.limit, cursor=query.cursor))


@router.get("/{handler}/{event}", operation_id="getDelivery", summary="Show a delivery", **_one)
async def get_delivery(request: Request, handler: str, event: Place) -> Response:
    """Return one delivery with its attempts."""
    return answer(await host_of(request).outbox.get(handler, event))


@router.post("/{handler}/{event}/retry", operation_id="retryDelivery", summary="Send an event again now", **_retry)
async def retry_delivery(request: Request, handler: str, event: Place) -> Response:
    """Make one attempt now, whatever the delivery's state, and return the delivery as it is afterwards.

    A success closes it. A failure is noted, and changes neither the count of attempts nor when it is due.
    """
    return answer(await host_of(request).outbox.retry(handler, event))
