"""Posting a body and judging the answer, for every handler that speaks HTTP. Imports only `plugins` and `errors`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from hotplane.errors import HotplaneError
from hotplane.plugins import DeliveryFailed, HttpAnswer, Outbound, Receipt

__all__ = ["Verdict", "post", "retry_after"]

Verdict = Callable[[HttpAnswer], str | None]
"""Says why an answer with a good status is none, or None."""

_KEPT = 2_048
"""How much of an answer is kept; in characters."""
_READ = 65_536
"""How much is searched for secrets before it is cut, so that none of them is cut into something unknown."""
_SECONDS = re.compile(r"[0-9]{1,300}(\.[0-9]{1,9})?")
"""More digits than a wait can have: whoever writes them wants a long one, and gets the longest that is granted."""


async def post(
    http: Outbound,
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    timeout: float,
    now: Callable[[], datetime],
    conceal: Callable[[str], str] = str,
    refusal: Verdict | None = None,
) -> Receipt:
    """Post `body` once; redirects are not followed.

    Args:
        http: The guarded way out.
        url: Where to.
        body: What.
        headers: Beside those that every request has.
        timeout: Seconds for all of it.
        now: The present, for receivers that say by date when to come again.
        conceal: Hides what must not be shown when the answer repeats it, see `concealing`.
        refusal: Says why an answer of 2xx is none.

    Raises:
        DeliveryFailed: Any answer but 2xx, or none.
    """
    try:
        answer = await http.request("POST", url, headers=headers, body=body, timeout=timeout)
    except HotplaneError as error:
        raise DeliveryFailed(str(error).rstrip(".")) from error
    text = conceal(answer.body[:_READ].decode("utf-8", "replace"))[:_KEPT]
    reason = _refusal(answer.status) or (refusal(answer) if refusal else None)
    if reason is None:
        return Receipt(status=answer.status, response=text)
    raise DeliveryFailed(
        reason,
        status=answer.status,
        response=text,
        retry_after=retry_after(answer.headers.get("retry-after"), now()),
        gone=answer.status == 410,
    )


def retry_after(header: str | None, now: datetime) -> float | None:
    """Return the seconds that `Retry-After` asks to wait, given as a number or a date; None when it cannot be read."""
    if header is None:
        return None
    text = header.strip()
    if _SECONDS.fullmatch(text):
        return float(text)
    try:
        when = parsedate_to_datetime(text[:64])
        seconds = (when if when.tzinfo else when.replace(tzinfo=UTC)) - now
    except (ValueError, TypeError, IndexError, OverflowError):
        return None  # the host's own schedule holds
    return max(0.0, seconds.total_seconds())


def _refusal(status: int) -> str | None:
    if 200 <= status < 300:
        return None
    if status == 410:
        return "the receiver answered 410: it wants no events any more"
    if 300 <= status < 400:
        return f"the receiver answered {status}; redirects are not followed, configure the URL where it leads"
    return f"the receiver answered {status}"
