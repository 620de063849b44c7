"""What every runner promises, whoever wrote it: the public suite, run with every runner that ships."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

import pytest

from hotplane.plugins import NotExecuted, ProgramFailed, ProgramOverran, Runner, TransportFailed
from hotplane.records import ExecutionFailure, Task
from hotplane.testing import RUNNER_CONTRACT, ContractBroken, FakeRunner
from hotplane.values import Json


@pytest.mark.filterwarnings("ignore:Sending a large body directly")  # aiohttp's, about what HTTP's client does
@pytest.mark.parametrize("promise", RUNNER_CONTRACT)
async def test_a_runner_keeps_its_promises(runner: Runner[Any], promise: str):
    """Each promise by its name, with programs that run where the runner has them run."""
    await RUNNER_CONTRACT[promise](runner)


class Unlucky(FakeRunner):
    """Ends some calls of a slow program otherwise, at their deadline, as where the machine stands still."""

    def __init__(self, error: Exception, calls: Container[int]) -> None:
        super().__init__()
        self.error, self.unlucky = error, calls

    async def run(self, task: Task, input: Json, deadline: float) -> Json:
        try:
            return await super().run(task, input, deadline)
        except ProgramOverran:
            if len(self.calls) in self.unlucky:
                raise self.error from None
            raise


TOO_LATE = NotExecuted("It is too late.", code="no-connection-in-time")
DEADLINE, BLAME = "the deadline is kept", "a slow program does not speak against it"


@pytest.mark.parametrize(("promise", "error"), [(DEADLINE, TOO_LATE), (BLAME, TOO_LATE), (BLAME, TimeoutError())])
async def test_a_machine_that_stood_still_is_not_held_against_a_runner(promise: str, error: Exception):
    """What happens once or twice breaks no promise; what happens every other time does."""
    await RUNNER_CONTRACT[promise](Unlucky(error, (1, 2)))
    with pytest.raises(ContractBroken, match=r"an overrun deadline gave|raise ProgramOverran"):
        await RUNNER_CONTRACT[promise](Unlucky(error, range(2, 1_000, 2)))


FAILED = ProgramFailed(ExecutionFailure(type="CancelledError", message=""))
LOST = TransportFailed("It is gone.", code="connection-lost")


@pytest.mark.parametrize(("promise", "error"), [(DEADLINE, FAILED), (DEADLINE, LOST), (BLAME, LOST)])
async def test_what_no_machine_causes_breaks_a_promise_at_once(promise: str, error: Exception):
    """A machine that stands still turns no overrun into the program's error, nor into a lost connection."""
    with pytest.raises(ContractBroken, match=r"an overrun deadline gave|raise ProgramOverran"):
        await RUNNER_CONTRACT[promise](Unlucky(error, (5,)))
