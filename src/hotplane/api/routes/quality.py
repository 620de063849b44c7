"""How good a task's executions are, by what was sampled of them. Imports only lower rooms and `hotplane.api`."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from hotplane.api.answers import answer, host_of
from hotplane.api.describe import described
from hotplane.api.instants import Instant
from hotplane.execution.estimates import CONFIDENCE
from hotplane.execution.quality import QualityReport

__all__ = ["QualityQuery", "router"]

router = APIRouter(tags=["tasks"])

_UNITS = {
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(days=7),
}
_LENGTH = re.compile(r"(?P<count>[1-9]\d{0,4})?(?P<unit>[a-z]+)")


class QualityQuery(BaseModel):
    """Which executions, in which buckets, how sure."""

    model_config = ConfigDict(extra="forbid")

    since: Annotated[
        Instant | None,
        Field(description="Started at or after this instant (RFC 3339, with its offset); by default from the oldest."),
    ] = None
    until: Annotated[
        Instant | None,
        Field(description="Started before this instant (RFC 3339, with its offset); by default to the newest."),
    ] = None
    bucket: Annotated[
        str | None,
        Field(
            pattern=r"^(minute|hour|day|week|[1-9][0-9]{0,4}[smhd])$",
            description="Length of a bucket: `minute`, `hour`, `day`, `week`, or a number with `s`, `m`, `h` or `d`, "
            "such as `15m`. Buckets begin at its multiples since 1970 in UTC; there are 500 at most. By default none.",
        ),
    ] = None
    confidence: Annotated[float, Field(gt=0, lt=1, description="Share of intervals that hold the true rate.")] = (
        CONFIDENCE
    )

    def length(self) -> timedelta | None:
        """Return the length of a bucket."""
        found = _LENGTH.fullmatch(self.bucket or "")
        return None if found is None else _UNITS[found["unit"]] * int(found["count"] or 1)


_quality: Any = described(QualityReport, problems=(404, 422, 503), example="quality")


@router.get("/api/tasks/{task_id}/quality", operation_id="getQuality", summary="Estimate a task's quality", **_quality)
async def get_quality(request: Request, task_id: str, query: Annotated[QualityQuery, Query()]) -> Response:
    """Return the failure rate with its interval, bounds for what could not be judged, and counts, by time."""
    report = await host_of(request).quality(
        task_id, since=query.since, until=query.until, bucket=query.length(), confidence=query.confidence
    )
    return answer(report)
