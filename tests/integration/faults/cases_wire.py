"""Faults of what the worker sends: garbage, halves, strangers, wrong order, resets, a trickle. Imports the harness."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from tests.integration.faults.gate import (
    forward,
    garbage,
    half_a_frame,
    late_and_shuffled,
    oversized,
    reset_after,
    strange_results,
    trickle,
)
from tests.integration.faults.results import Result
from tests.integration.faults.site import Play, Site

__all__ = ["WIRE"]

_BYTES = 600
"""Enough for the handshake and a dozen results."""


def _tampering(
    name: str, tamper: Callable[..., Awaitable[None]], *, healthy: bool = False, told: str = "", hold: float = 0.5
) -> tuple[str, Play]:
    async def play(site: Site) -> Result:
        async with site.gated(name) as (load, gate):

            async def fall() -> None:
                gate.tamper = tamper

            async def mend() -> None:
                gate.tamper = forward

            await load.fault(fall, mend, moves=not healthy, returns=not healthy, told=told, hold=hold)
        return load.result()

    return name, play


WIRE = dict(
    (
        _tampering("answers garbage", garbage),
        _tampering("half a frame", half_a_frame, told="connection-lost"),
        _tampering("oversized length", oversized),
        _tampering("results for unknown calls", strange_results, healthy=True),
        _tampering("results out of order and late", late_and_shuffled, hold=1.5),
        _tampering(f"resets after {_BYTES} bytes", reset_after(_BYTES), hold=1.0),
        _tampering("slow: 1 byte per 100 ms", trickle, told="connection-lost"),
    )
)
"""Each case by its name."""
