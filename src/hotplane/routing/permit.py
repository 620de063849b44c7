"""The two answers of a breaker to a call: go, or not now. Imports only `errors` and `states`."""

from __future__ import annotations

from types import TracebackType
from typing import Literal, Protocol, Self

from msgspec import Struct

from hotplane.errors import BreakerOpen
from hotplane.routing.states import BreakerState

__all__ = ["Ledger", "Permit", "Rejection"]


class Ledger(Protocol):
    """Where a permit is settled: its breaker."""

    def report(self, permit: Permit, *, failed: bool, seconds: float | None = None) -> None:
        """Settle a permit with a result."""
        ...

    def withdraw(self, permit: Permit) -> None:
        """Settle a permit without a result."""
        ...

    def is_failure(self, error: Exception) -> bool:
        """Tell whether `error` counts as a failure."""
        ...


class Rejection(Struct, frozen=True):
    """The call must not be made now. Falsy, so that ``if permit := breaker.admit():`` reads well."""

    breaker: str
    state: BreakerState
    retry_after: float | None
    """Seconds after which another try makes sense; None when the breaker is forced open."""

    def __bool__(self) -> Literal[False]:
        return False

    def error(self) -> BreakerOpen:
        """Return the exception that says the same."""
        return BreakerOpen(self.breaker, self.state, self.retry_after)


class Permit:
    """The leave to make one call, to be settled once: `success`, `failure` or `cancelled`; later ones do nothing.

    It is also a context manager, sync and async alike (nothing is awaited): a block that ends well is a
    success; one that raises an `Exception` is what the breaker's `failure_if` says; one that is cancelled or torn down
    (`asyncio.CancelledError`, `KeyboardInterrupt`, `GeneratorExit`) counts as neither.

    A deadline belongs *inside* the block. Outside of it, the block only sees a cancellation, and a call that
    overran would not count.
    """

    __slots__ = ("_ledger", "generation", "settled", "started")

    def __init__(self, ledger: Ledger, generation: int, started: float) -> None:
        self._ledger = ledger
        self.generation = generation
        """The state of the breaker that this permit belongs to; written by the breaker alone."""
        self.started = started
        """When it was given, on the breaker's clock, in seconds."""
        self.settled = False
        """Whether the call has been reported; written by the breaker alone."""

    def success(self, seconds: float | None = None) -> None:
        """Report that the call worked.

        Args:
            seconds: How long it took; by default the time since the permit was given.
        """
        self._ledger.report(self, failed=False, seconds=seconds)

    def failure(self, seconds: float | None = None) -> None:
        """Report that the call failed.

        Args:
            seconds: How long it took; by default the time since the permit was given.
        """
        self._ledger.report(self, failed=True, seconds=seconds)

    def cancelled(self) -> None:
        """Give the permit back: the call says nothing about whom it went to."""
        self._ledger.withdraw(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None:
            self.success()
        elif not isinstance(error, Exception):
            self.cancelled()
        elif self._ledger.is_failure(error):
            self.failure()
        else:
            self.success()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, traceback)
