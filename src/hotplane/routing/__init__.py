"""Choosing who does the work: the circuit breaker, usable by itself."""

from hotplane.routing.breaker import Breaker, is_runner_failure
from hotplane.routing.permit import Permit, Rejection
from hotplane.routing.settings import BreakerSettings
from hotplane.routing.states import BreakerCounters, BreakerSnapshot, BreakerState, Cause, Transition

__all__ = [
    "Breaker",
    "BreakerCounters",
    "BreakerSettings",
    "BreakerSnapshot",
    "BreakerState",
    "Cause",
    "Permit",
    "Rejection",
    "Transition",
    "is_runner_failure",
]
