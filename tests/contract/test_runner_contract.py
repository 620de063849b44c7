"""What every runner promises, whoever wrote it: the public suite, run with every runner that ships."""

from __future__ import annotations

from typing import Any

import pytest

from hotplane.plugins import Runner
from hotplane.testing import RUNNER_CONTRACT


@pytest.mark.filterwarnings("ignore:Sending a large body directly")  # aiohttp's, about what HTTP's client does
@pytest.mark.parametrize("promise", RUNNER_CONTRACT)
async def test_a_runner_keeps_its_promises(runner: Runner[Any], promise: str):
    """Each promise by its name, with programs that run where the runner has them run."""
    await RUNNER_CONTRACT[promise](runner)
