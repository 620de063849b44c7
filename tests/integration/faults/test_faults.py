"""Every fault, against a whole host under load: nobody fails who need not, and nothing runs twice that must not."""

from __future__ import annotations

import pytest

from tests.integration.faults.cases import CASES, Case
from tests.integration.faults.site import Site
from tests.pace import in_time

BACK_WITHIN_MS = 3_000.0


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
async def test_a_fault_is_survived(case: Case, site: Site):
    """Idempotent work goes on, other work runs at most once, and both move away in time and come back."""
    result = await case.play(site)
    print(result)
    assert (result.failed, result.doubled) == (case.failed, 0)
    assert set(result.reasons) == case.told
    assert _in_time(result.over_ms, case.moved_within_ms, result.over_at)
    assert _in_time(result.back_ms, BACK_WITHIN_MS if case.back else None, result.back_at)


def _in_time(figure: float | None, limit: float | None, ended: float | None) -> bool:
    """Tell whether it took no longer, or did not happen where it must not."""
    return figure is None if limit is None else figure is not None and in_time(figure / 1e3, limit / 1e3, ended=ended)
