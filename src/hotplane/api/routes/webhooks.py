"""Webhook handlers as resources. Imports only lower rooms and `hotplane.api`."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from hotplane.api.answers import Items, answer, body_of, host_of
from hotplane.api.bodies import Body
from hotplane.api.describe import described
from hotplane.api.event_queries import HandlerDeliveryQuery
from hotplane.api.refusals import BodyDoesNotFit
from hotplane.records import EventType, Severity
from hotplane.storage import Delivery, Page
from hotplane.webhooks import Tried, Webhook, WebhookChange, WebhookSpec

__all__ = ["router"]

router = APIRouter(prefix="/api/webhooks", tags=["webhooks"])
_SPEC = Body(WebhookSpec)
_CHANGE = Body(WebhookChange)
_BODY = (400, 413, 415, 422)

_list: Any = described(Items[Webhook], example="webhooks")
_one: Any = described(Webhook, problems=(404, 503), example="webhook")
_make: Any = described(
    Webhook, body=WebhookSpec, status=201, problems=(*_BODY, 409, 501, 503, 504, 507), example="webhook"
)
_change: Any = described(
    Webhook, body=WebhookChange, problems=(*_BODY, 404, 409, 501, 503, 504, 507), example="webhook"
)
_removal: Any = described(None, status=204, problems=(404, 409, 503, 507))
_test: Any = described(Tried, problems=(404, 422, 503), example="tried")
_deliveries: Any = described(Page[Delivery], problems=(404, 422, 503), example="deliveries")


class TestQuery(BaseModel):
    """What to try."""

    __test__ = False
    model_config = ConfigDict(extra="forbid")

    dry_run: Annotated[bool, Field(description="Do everything but what can be seen outside.")] = False
    type: Annotated[EventType | None, Field(description="Of the event; by default one that the handler takes.")] = None
    severity: Annotated[Severity, Field(description="Of the event.")] = Severity.INFO


@router.get("", operation_id="listWebhooks", summary="List the webhook handlers", **_list)
async def list_webhooks(request: Request) -> Response:
    """Return every handler, wherever it was declared, without its secrets."""
    return answer(Items(host_of(request).webhooks.list()))


@router.post("", operation_id="makeWebhook", summary="Make a webhook handler", **_make)
async def make_webhook(request: Request) -> Response:
    """Check a handler, store it, and have it take events from now on; kept over restarts.

    It is checked first, before anything is stored or enabled: its configuration, where it sends (addresses that are not
    on the public internet have to be allowed by `network.allow`), its secrets, and for mails the server with its
    password. Environment variables, files and folders have to be listed under `webhooks` in the configuration file.
    """
    made = await host_of(request).webhooks.make(await body_of(request, _SPEC))
    return answer(made, 201, {"location": f"/api/webhooks/{quote(made.name, safe='')}"})


@router.get("/{name}", operation_id="getWebhook", summary="Show a webhook handler", **_one)
async def get_webhook(request: Request, name: str) -> Response:
    """Return a handler without its secrets, and how its deliveries are."""
    return answer(await host_of(request).webhooks.get(name))


@router.put("/{name}", operation_id="changeWebhook", summary="Change a webhook handler", **_change)
async def change_webhook(request: Request, name: str) -> Response:
    """Give a handler other settings: all of them, checked as those of a new one. Kept over restarts.

    What an answer shows can be sent back: a secret that comes as `********` stays what it was, as long as events go
    where they went before. One that the configuration file names is overridden; `DELETE /api/plugins/{id}/override`
    undoes that. When it does not come up, it serves on as it is.
    """
    return answer(await host_of(request).webhooks.change(name, await body_of(request, _CHANGE)))


@router.delete("/{name}", operation_id="removeWebhook", summary="Remove a webhook handler", **_removal)
async def remove_webhook(request: Request, name: str) -> Response:
    """Unload a handler and forget it, with all its deliveries: what was not delivered will not be.

    One that the configuration file names cannot be removed, only changed and disabled.
    """
    host = host_of(request)
    await host.webhooks.remove(name)
    host.oversight.health.forget(name)
    return Response(status_code=204)


@router.post("/{name}/test", operation_id="testWebhook", summary="Try a webhook handler", **_test)
async def try_webhook(request: Request, name: str, query: Annotated[TestQuery, Query()]) -> Response:
    """Hand a test event over once, and return what the receiver said.

    The event says `"test": true` in its metadata. It is stored nowhere, and no schedule is changed. There is no body:
    what to try stands in the query.
    """
    if int(request.headers.get("content-length") or 0) > len("{}"):
        # Whoever wrote `dry_run` into it must not have a real event sent.
        raise BodyDoesNotFit("there is none here; what to try stands in the query, such as `?dry_run=true`")
    tried = await host_of(request).webhooks.try_out(
        name, type=query.type, severity=query.severity, dry_run=query.dry_run
    )
    return answer(tried)


@router.get(
    "/{name}/deliveries", operation_id="listWebhookDeliveries", summary="List a handler's deliveries", **_deliveries
)
async def list_deliveries(request: Request, name: str, query: Annotated[HandlerDeliveryQuery, Query()]) -> Response:
    """Return one page of a handler's deliveries with their attempts, those of the newest events first."""
    host = host_of(request)
    host.webhooks.check(name)
    return answer(await host.outbox.list(name, query.to_filter(), limit=query.limit, cursor=query.cursor))
