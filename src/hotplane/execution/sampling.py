"""Whether an execution is worth checking: the samplers vote, the first that samples wins.

Imports only `plugins`, `registry`, `records` and `identity`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from time import perf_counter
from typing import Any

from hotplane.execution.tasks import Plan
from hotplane.identity import sampling_point
from hotplane.plugins import Sample, Sampler, SamplingContext
from hotplane.records import DecisionOutcome, Execution, SamplerOutcome, SamplerVote, SamplingDecision, now
from hotplane.registry import Chain, Failure, Link

__all__ = ["decide"]

_REFUSALS = frozenset({SamplerOutcome.THROTTLED, SamplerOutcome.OVER_BUDGET})
_NOT_SAMPLED = (
    (SamplerOutcome.ERROR, DecisionOutcome.SAMPLER_ERROR),
    (SamplerOutcome.OVER_BUDGET, DecisionOutcome.OVER_BUDGET),
    (SamplerOutcome.THROTTLED, DecisionOutcome.THROTTLED),
)
"""What a decision against sampling is called, by the votes that there are, the strongest first."""


async def decide(
    chain: Chain[Sampler[Any]], execution: Execution, plan: Plan, limit: float, *, forced: bool = False
) -> SamplingDecision:
    """Ask the samplers in order and return the decision.

    The designated sampler, the first of the chain that is `probabilistic`, votes on every execution, also
    after another one has won, so that what it picks stands for the population. The others are not consulted
    once one has sampled, or when the caller forces it, so that what limits them is not spent in vain. A sampler that
    fails counts as sampling, unless its `on_error` is ``closed``.

    Args:
        chain: The enabled samplers.
        execution: What to decide on.
        plan: Its task, with the totals that are updated here.
        limit: Seconds that each sampler may take at most.
        forced: Whether the caller asked for the execution to be sampled.
    """
    if not chain.links and not forced:
        plan.total += 1
        return _UNASKED
    designated = next((link for link in chain.links if link.plugin.probabilistic), None)
    at, point = now(), sampling_point(execution.id, minted=execution.minted)
    votes: list[SamplerVote] = []
    winner: SamplerVote | None = None
    for link in chain.links:
        if (forced or winner is not None) and link is not designated:
            vote = _not_consulted(link, execution)
        else:
            started = perf_counter()
            answer = await link.invoke(execution, _context(link, plan, at, point), limit=limit)
            vote = _vote(link, answer, link is designated, (perf_counter() - started) * 1e3)
        votes.append(vote)
        if winner is None and _samples(vote, link):
            winner = vote
    plan.total += 1
    if forced or winner is not None:
        plan.sampled += 1
        plan.last_sample_at = at
    return _decision(winner, votes, forced)


def _decision(winner: SamplerVote | None, votes: Sequence[SamplerVote], forced: bool) -> SamplingDecision:
    base = next((vote for vote in votes if vote.designated), None)
    return SamplingDecision(
        sampled=forced or winner is not None,
        outcome=_outcome(winner, votes, forced),
        sampler=winner.sampler if winner else None,
        reason="the caller asked for it" if forced else winner.reason if winner else _why_not(votes),
        confidence=winner.confidence if winner else None,
        probability=base.probability if base else None,
        probability_sampled=base is not None and base.outcome is SamplerOutcome.SAMPLED,
        votes=tuple(votes),
    )


def _outcome(winner: SamplerVote | None, votes: Sequence[SamplerVote], forced: bool) -> DecisionOutcome:
    if forced:
        return DecisionOutcome.FORCED
    if winner is not None:
        failed = winner.outcome is SamplerOutcome.ERROR
        return DecisionOutcome.SAMPLER_ERROR if failed else DecisionOutcome.SAMPLED
    for vote in votes:
        if vote.outcome is not SamplerOutcome.NOT_SAMPLED:
            cast = {each.outcome for each in votes}
            return next(outcome for vote_outcome, outcome in _NOT_SAMPLED if vote_outcome in cast)
    return DecisionOutcome.NOT_SAMPLED


def _why_not(votes: Sequence[SamplerVote]) -> str:
    if not votes:
        return "no sampler is enabled"
    refused = next((vote for vote in votes if vote.outcome in _REFUSALS), None)
    return refused.reason if refused else "no sampler picked it"


def _not_consulted(link: Link[Sampler[Any]], execution: Execution) -> SamplerVote:
    reason = ""
    if link.plugin.observes:
        try:
            link.plugin.observe(execution)
        except Exception as error:  # a sampler's statistics must not cost an execution
            link.stats.errors += 1
            reason = f"it could not observe: {type(error).__name__}: {error}"
    return SamplerVote(
        sampler=link.plugin_id, outcome=SamplerOutcome.NOT_CONSULTED, reason=reason, version=link.version
    )


def _samples(vote: SamplerVote, link: Link[Sampler[Any]]) -> bool:
    if vote.outcome is SamplerOutcome.ERROR:
        return link.on_error != "closed"
    return vote.outcome is SamplerOutcome.SAMPLED


_UNASKED = _decision(None, (), forced=False)
"""Where there is no sampler."""


def _context(link: Link[Sampler[Any]], plan: Plan, at: datetime, point: int) -> SamplingContext:
    return SamplingContext(
        task=plan.task,
        rate=plan.task.sampling_rate,
        total=plan.total,
        sampled=plan.sampled,
        last_sample_at=plan.last_sample_at,
        now=at,
        point=point,
        configuration=link.plugin.config,
    )


def _vote(link: Link[Sampler[Any]], answer: object, designated: bool, duration_ms: float) -> SamplerVote:
    if not isinstance(answer, Sample):
        reason = answer.reason if isinstance(answer, Failure) else f"it returned {type(answer).__name__}, not a Sample"
        return SamplerVote(
            sampler=link.plugin_id,
            outcome=SamplerOutcome.ERROR,
            reason=reason,
            designated=designated,
            version=link.version,
            duration_ms=duration_ms,
            metadata={"failed": True, "on_error": link.on_error or "open"},
        )
    return SamplerVote(
        sampler=link.plugin_id,
        outcome=_outcome_of(answer),
        reason=answer.reason,
        confidence=answer.confidence,
        probability=answer.probability,
        designated=designated,
        version=link.version,
        duration_ms=duration_ms,
        metadata=answer.metadata,
    )


def _outcome_of(answer: Sample) -> SamplerOutcome:
    if answer.sampled:
        return SamplerOutcome.SAMPLED
    refusal = answer.outcome
    return refusal if refusal is not None and refusal in _REFUSALS else SamplerOutcome.NOT_SAMPLED
