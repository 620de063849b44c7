"""When a failed delivery is tried again. Imports only `settings`.

The schedule and its jitter are those of Svix, and so is the least wait after a 429 or a time-out. `Retry-After` is
obeyed further than there, where it is cut to twice the schedule's own time: a receiver that says when it can be asked
again is the one who knows, and CloudEvents' webhook binding obliges the sender. It cannot shorten the schedule, and
an hour at most is granted by default, so that no receiver can keep events for ever.
"""

from __future__ import annotations

from hotplane.events.settings import DeliverySettings

__all__ = ["delay_after"]


def delay_after(
    settings: DeliverySettings,
    attempts: int,
    *,
    chance: float,
    throttled: bool = False,
    retry_after: float | None = None,
) -> float | None:
    """Return the seconds until the next attempt; None when that was the last one.

    Args:
        settings: The schedule.
        attempts: How many there were, the one that just failed included.
        chance: A number in [0, 1) for the jitter.
        throttled: Whether the receiver was too busy: it answered 429, or nothing in time.
        retry_after: Seconds that the receiver asked for.
    """
    if attempts > len(settings.schedule_seconds):
        return None
    delay = settings.schedule_seconds[attempts - 1] * (1 + settings.jitter * (2 * chance - 1))
    if retry_after is not None and retry_after >= 0:
        return max(delay, min(retry_after, settings.max_retry_after_seconds))
    return max(delay, settings.throttle_seconds) if throttled else delay
