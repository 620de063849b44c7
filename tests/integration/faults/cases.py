"""Every fault by its name. Imports the harness."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tests.integration.faults.cases_callers import (
    LONG_CALLS,
    cancelled_in_mid_call,
    idle_connections,
    stopped_in_mid_call,
)
from tests.integration.faults.cases_http import HTTP
from tests.integration.faults.cases_processes import (
    accepts_and_never_answers,
    dns_fails,
    expired_certificate,
    flaps,
    frozen,
    killed,
    newer_protocol_version,
    refuses_connections,
    wrong_secret,
)
from tests.integration.faults.cases_wire import WIRE
from tests.integration.faults.scene import DEADLINE_SECONDS
from tests.integration.faults.site import Play

__all__ = ["CASES", "Case"]

AT_ONCE = 1_000.0
"""Milliseconds in which work moves when the failure shows, on a machine that has other things to do."""
BY_PINGS = 2_500.0
"""When only two missed pings show it; DESIGN: 500 ms each."""
LOST = frozenset({"connection-lost"})


@dataclass(frozen=True)
class Case:
    """One fault, and what it may cost."""

    play: Play
    moved_within_ms: float | None = AT_ONCE
    """None where work has no need to move."""
    told: frozenset[str] = LOST
    """What callers of the task that is not idempotent are told, each of them at least once: it may have run."""
    back: bool = True
    failed: int = 0
    """Idempotent executions that fail: none while one runner works."""


def _wire(name: str, moved_within_ms: float | None = AT_ONCE, told: frozenset[str] = LOST) -> Case:
    return Case(WIRE[name], moved_within_ms, told, back=moved_within_ms is not None)


def _http(name: str, *told: str) -> Case:
    return Case(HTTP[name], told=frozenset(told))


CASES: Mapping[str, Case] = {
    "killed with SIGKILL in mid-call": Case(killed),
    "frozen with SIGSTOP and continued": Case(frozen, BY_PINGS),
    "accepts and never answers": Case(accepts_and_never_answers, BY_PINGS),
    "refuses connections": Case(refuses_connections),
    "flaps every second": Case(flaps),
    "answers garbage": _wire("answers garbage"),
    "half a frame": _wire("half a frame", BY_PINGS),
    "oversized length": _wire("oversized length"),
    "results for unknown calls": _wire("results for unknown calls", None, frozenset()),
    "results out of order and late": _wire("results out of order and late", DEADLINE_SECONDS * 1e3, frozenset()),
    "resets after 600 bytes": _wire("resets after 600 bytes", DEADLINE_SECONDS * 1e3),
    "slow: 1 byte per 100 ms": _wire("slow: 1 byte per 100 ms", BY_PINGS),
    "replaced by a newer protocol version": Case(newer_protocol_version),
    "wrong secret": Case(wrong_secret),
    "expired certificate": Case(expired_certificate),
    "HTTP worker answers 500": _http("HTTP worker answers 500", "http-500"),
    "HTTP worker answers 429 with Retry-After": _http("HTTP worker answers 429 with Retry-After"),
    "HTTP worker redirects (302)": _http("HTTP worker redirects (302)", "http-302"),
    "HTTP worker redirects (307)": _http("HTTP worker redirects (307)"),
    "HTTP worker truncates its body": _http("HTTP worker truncates its body", "answer-lost"),
    "DNS fails": Case(dns_fails),
    "many idle connections": Case(idle_connections, None),
    "client cancelled in mid-call": Case(cancelled_in_mid_call, None, frozenset(), back=False),
    "host stopped in mid-call": Case(stopped_in_mid_call, None, frozenset({"interrupted"}), failed=LONG_CALLS // 2),
}
"""In the order of the table."""
