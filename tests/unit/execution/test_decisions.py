"""What a sampling decision is called, and why: on real chains."""

from __future__ import annotations

import pytest

from hotplane.execution.sampling import decide
from hotplane.execution.tasks import Plan
from hotplane.identity import new_id
from hotplane.plugins import Sample, Sampler, SamplingContext
from hotplane.records import (
    Execution,
    ExecutionStatus,
    PluginMetadata,
    SamplerOutcome,
    SamplingDecision,
    Task,
    now,
)
from hotplane.registry import Registry


class Scripted(Sampler):
    """Does what its word says: yes, no, throttled, over-budget or error; with `!` it is designated."""

    metadata = PluginMetadata(name="scripted", version="1")

    def __init__(self, word: str) -> None:
        super().__init__()
        self.word, self.probabilistic = word.rstrip("!"), word.endswith("!")
        self.asked = 0
        self.observed: list[str] = []

    def should_sample(self, execution: Execution, context: SamplingContext) -> Sample:
        self.asked += 1
        if self.word == "error":
            raise RuntimeError("broken")
        refused = SamplerOutcome(self.word) if self.word in {"throttled", "over-budget"} else None
        return Sample(sampled=self.word == "yes", reason=f"it says {self.word}", outcome=refused, probability=0.5)

    def observe(self, execution: Execution) -> None:
        self.observed.append(execution.id)
        if self.word == "error":
            raise RuntimeError("blind")


def execution() -> Execution:
    """Return an execution as it is when it is decided on."""
    return Execution(id=new_id(), task_id="t", program="m:f", status=ExecutionStatus.SUCCESS, input=1, started_at=now())


async def decided(*samplers: Scripted, forced: bool = False, on_error: str | None = None) -> SamplingDecision:
    """Return the decision of samplers in the given order."""
    registry = Registry()
    for number, sampler in enumerate(samplers):
        registry.register(sampler, id=f"s{number}", priority=-number, on_error=on_error)
    plan = Plan(Task(id="t", program="m:f"))
    return await decide(registry.chain(Sampler), execution(), plan, 60.0, forced=forced)


@pytest.mark.parametrize(
    ("words", "outcome", "sampled"),
    [
        ("", "not-sampled", False),
        ("no", "not-sampled", False),
        ("no no!", "not-sampled", False),
        ("no throttled", "throttled", False),
        ("throttled over-budget", "over-budget", False),
        ("over-budget yes", "sampled", True),
        ("throttled yes!", "sampled", True),
        ("yes error!", "sampled", True),
        ("error", "sampler-error", True),
        ("error yes!", "sampler-error", True),
        ("no error", "sampler-error", True),
    ],
)
async def test_the_outcome_says_why(words: str, outcome: str, sampled: bool) -> None:
    """The first that samples or fails decides; where none does, the strongest vote."""
    decision = await decided(*map(Scripted, words.split()))
    assert (decision.outcome, decision.sampled) == (outcome, sampled)


@pytest.mark.parametrize(
    ("words", "outcome", "sampled"),
    [("error", "sampler-error", False), ("throttled error no", "sampler-error", False), ("error yes", "sampled", True)],
)
async def test_a_sampler_that_fails_closed_does_not_sample(words: str, outcome: str, sampled: bool) -> None:
    """Where no other one picks the execution, its failure is why it is not sampled."""
    decision = await decided(*map(Scripted, words.split()), on_error="closed")
    assert (decision.outcome, decision.sampled) == (outcome, sampled)


async def test_the_reason_of_a_refusal_is_the_decisions() -> None:
    """A reader need not look through the votes."""
    decision = await decided(Scripted("no"), Scripted("over-budget"))
    assert decision.reason == "it says over-budget"


@pytest.mark.parametrize("picks", ["yes!", "no!"])
async def test_what_the_caller_forces_is_sampled_and_estimates_count_only_real_picks(picks: str) -> None:
    """The designated sampler votes all the same, so that what it picked stands for the population."""
    decision = await decided(Scripted("no"), Scripted(picks), forced=True)
    assert (decision.sampled, decision.outcome, decision.reason) == (True, "forced", "the caller asked for it")
    assert (decision.probability_sampled, decision.probability) == (picks == "yes!", 0.5)


async def test_forcing_spends_no_limits() -> None:
    """The other samplers are not asked, so that a budget is not used up by it."""
    limited = Scripted("yes")
    decision = await decided(limited, Scripted("no!"), forced=True)
    assert limited.asked == 0
    assert [vote.outcome for vote in decision.votes] == ["not-consulted", "not-sampled"]


@pytest.mark.parametrize("forced", [True, False])
async def test_samplers_with_statistics_see_every_execution_once(forced: bool) -> None:
    """Asked or not: one that is asked takes note by itself."""
    first, second, plain = Scripted("yes"), Scripted("no"), Scripted("no")
    first.observes = second.observes = True
    await decided(first, second, plain, forced=forced)
    assert (first.asked + len(first.observed), len(second.observed), len(plain.observed)) == (1, 1, 0)


async def test_a_sampler_that_cannot_observe_costs_nobody_anything() -> None:
    """It is counted, and said in its vote."""
    registry = Registry()
    blind = Scripted("error")
    blind.observes = True
    registry.register(blind, id="blind")
    plan = Plan(Task(id="t", program="m:f"))
    decision = await decide(registry.chain(Sampler), execution(), plan, 60.0, forced=True)
    assert decision.votes[0].reason == "it could not observe: RuntimeError: blind"
    assert registry.entry("blind").stats.errors == 1
