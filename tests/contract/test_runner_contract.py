"""What every runner promises, whoever wrote it: the public suite, run with every runner that ships."""

from __future__ import annotations

from typing import Any

import pytest

from hotplane.plugins import Runner
from hotplane.records import Task
from hotplane.testing import RUNNER_CONTRACT, ContractBroken, FakeRunner
from hotplane.values import Json


@pytest.mark.filterwarnings("ignore:Sending a large body directly")  # aiohttp's, about what HTTP's client does
@pytest.mark.parametrize("promise", RUNNER_CONTRACT)
async def test_a_runner_keeps_its_promises(runner: Runner[Any], promise: str):
    """Each promise by its name, with programs that run where the runner has them run."""
    await RUNNER_CONTRACT[promise](runner)


class Unlucky(FakeRunner):
    """Runs on a machine that stands still, so that the deadline passes before a slow program is asked for."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.left = times

    async def run(self, task: Task, input: Json, deadline: float) -> Json:
        if task.program.endswith(":pause") and self.left:
            self.left -= 1
            raise TimeoutError
        return await super().run(task, input, deadline)


async def test_a_machine_that_stood_still_is_not_held_against_a_runner():
    """What happens once in a while breaks no promise; what happens every time does."""
    promise = RUNNER_CONTRACT["a slow program does not speak against it"]
    await promise(Unlucky(4))
    with pytest.raises(ContractBroken, match="raise ProgramOverran"):
        await promise(Unlucky(1_000))
