"""Choosing who does the work: the circuit breaker, usable by itself, and the routes that fall back behind it."""

from hotplane.routing.breaker import Breaker, is_runner_failure
from hotplane.routing.fallback import (
    FallbackChange,
    FallbackMode,
    FallbackState,
    FallbackTrigger,
    FallbackWord,
)
from hotplane.routing.inspection import Candidate, FallbackStatus, FallbackTest
from hotplane.routing.permit import Permit, Rejection
from hotplane.routing.route import Route, RouteLeg, RouteWatch, Run
from hotplane.routing.routes import Routes, default_route
from hotplane.routing.runner_breaker import ROUTE_BREAKER, RunnerBreakerSettings
from hotplane.routing.settings import BreakerSettings
from hotplane.routing.states import BreakerCounters, BreakerSnapshot, BreakerState, Cause, Transition
from hotplane.routing.trail import Outcome, Trail

__all__ = [
    "ROUTE_BREAKER",
    "Breaker",
    "BreakerCounters",
    "BreakerSettings",
    "BreakerSnapshot",
    "BreakerState",
    "Candidate",
    "Cause",
    "FallbackChange",
    "FallbackMode",
    "FallbackState",
    "FallbackStatus",
    "FallbackTest",
    "FallbackTrigger",
    "FallbackWord",
    "Outcome",
    "Permit",
    "Rejection",
    "Route",
    "RouteLeg",
    "RouteWatch",
    "Routes",
    "Run",
    "RunnerBreakerSettings",
    "Trail",
    "Transition",
    "default_route",
    "is_runner_failure",
]
