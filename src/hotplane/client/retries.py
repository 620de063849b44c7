"""When a request is tried again, and how long it waits first. Imports only `log` and `failures`.

The delays are those of stamina: exponential with jitter, limited in attempts and in seconds together. stamina itself
is not used, because it tells of retries through structlog, which prints to stdout until the program configures it,
and because it begins a wait that ends after the time is up.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from msgspec import Struct

from hotplane.client.failures import ApiError, ClientError
from hotplane.log import get_logger

__all__ = ["RESUME", "OnRetry", "Retry", "RetryPolicy", "Schedule", "log_retry"]


class RetryPolicy(Struct, frozen=True, kw_only=True):
    """How often, and how long, requests are repeated; the defaults are stamina's."""

    attempts: int = 10
    """Tries in all, the first one included; 1 repeats nothing."""
    total_seconds: float = 45.0
    """No try begins later than this after the first one."""
    wait_initial: float = 0.1
    """Seconds before the second try; doubled with every further one."""
    wait_max: float = 5.0
    wait_jitter: float = 1.0
    """Up to so many random seconds are added, so that clients do not come back all at once."""

    def delay(self, failures: int, jitter: float) -> float:
        """Return the seconds to wait after so many failed tries (at least one)."""
        doubled: float = self.wait_initial * 2.0 ** min(failures - 1, 60)
        return min(self.wait_max, doubled + jitter)


RESUME = RetryPolicy(attempts=1000, total_seconds=120.0)
"""For following results: long enough for a host to be restarted. Every result that arrives begins it anew."""


class Retry(Struct, frozen=True, kw_only=True):
    """What is told of a request before it is repeated."""

    request: str
    """Method and path."""
    number: int
    """How many tries have failed."""
    wait_seconds: float
    error: ClientError


OnRetry = Callable[[Retry], None]


def log_retry(retry: Retry) -> None:
    """Log a retry as a warning."""
    get_logger().warning(
        "client.retry",
        request=retry.request,
        number=retry.number,
        wait_seconds=round(retry.wait_seconds, 2),
        reason=str(retry.error),
    )


class Schedule:
    """The tries of one request.

    Args:
        policy: How many, and how long.
        request: Method and path, for `on_retry`.
        on_retry: Called before every wait.
        clock: Monotonic seconds.
        jitter: Gives a random number between its two arguments.
    """

    def __init__(
        self,
        policy: RetryPolicy,
        request: str,
        on_retry: OnRetry = log_retry,
        *,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._policy = policy
        self._request = request
        self._on_retry = on_retry
        self._clock = clock
        self._jitter = jitter
        self._failures = 0
        self._began = clock()

    def begin_anew(self) -> None:
        """Forget what failed: something has arrived."""
        self._failures = 0
        self._began = self._clock()

    def wait_after(self, error: ClientError) -> float:
        """Return the seconds to wait before the next try.

        Raises:
            ClientError: `error` itself, when no other try makes sense or fits into the limits.
        """
        self._failures += 1
        wait = self._wait(error)
        elapsed = self._clock() - self._began
        spent = self._failures >= self._policy.attempts or elapsed + wait > self._policy.total_seconds
        if not error.transient or spent:
            raise error
        self._on_retry(Retry(request=self._request, number=self._failures, wait_seconds=wait, error=error))
        return wait

    def _wait(self, error: ClientError) -> float:
        """Return the wait of our own, or the server's advice where that is longer."""
        own = self._policy.delay(self._failures, self._jitter(0.0, self._policy.wait_jitter))
        advised = error.retry_after if isinstance(error, ApiError) else None
        return own if advised is None else max(own, advised)
