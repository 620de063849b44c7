"""Whether an execution is worth checking: the samplers vote, the first that samples wins.

Imports only `plugins`, `registry`, `records` and `identity`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from time import perf_counter
from typing import Any

from hotplane.execution.tasks import Plan
from hotplane.identity import sampling_point
from hotplane.plugins import Sample, Sampler, SamplingContext
from hotplane.records import Execution, SamplerOutcome, SamplerVote, SamplingDecision, now
from hotplane.registry import Chain, Failure, Link

__all__ = ["decide"]


async def decide(chain: Chain[Sampler[Any]], execution: Execution, plan: Plan, limit: float) -> SamplingDecision:
    """Ask the samplers in order and return the decision.

    The designated sampler, the first of the chain that is `probabilistic`, votes on every execution, also
    after another one has won, so that what it picks stands for the population. The others are not consulted
    once one has sampled. A sampler that fails counts as sampling, unless its `on_error` is ``closed``.

    Args:
        chain: The enabled samplers.
        execution: What to decide on.
        plan: Its task, with the totals that are updated here.
        limit: Seconds that each sampler may take at most.
    """
    designated = next((link for link in chain.links if link.plugin.probabilistic), None)
    at, point = now(), sampling_point(execution.id, minted=execution.minted)
    votes: list[SamplerVote] = []
    winner: SamplerVote | None = None
    for link in chain.links:
        if winner is not None and link is not designated:
            vote = SamplerVote(sampler=link.plugin_id, outcome=SamplerOutcome.NOT_CONSULTED, version=link.version)
        else:
            started = perf_counter()
            answer = await link.invoke(execution, _context(link, plan, at, point), limit=limit)
            vote = _vote(link, answer, link is designated, (perf_counter() - started) * 1e3)
        votes.append(vote)
        if winner is None and _samples(vote, link):
            winner = vote
    plan.total += 1
    if winner is not None:
        plan.sampled += 1
        plan.last_sample_at = at
    return _decision(winner, votes)


def _decision(winner: SamplerVote | None, votes: Iterable[SamplerVote]) -> SamplingDecision:
    votes = tuple(votes)
    base = next((vote for vote in votes if vote.designated), None)
    reason = "no sampler is enabled" if not votes else "no sampler picked it"
    return SamplingDecision(
        sampled=winner is not None,
        sampler=winner.sampler if winner else None,
        reason=winner.reason if winner else reason,
        confidence=winner.confidence if winner else None,
        probability=base.probability if base else None,
        probability_sampled=base is not None and base.outcome is SamplerOutcome.SAMPLED,
        votes=votes,
    )


def _samples(vote: SamplerVote, link: Link[Sampler[Any]]) -> bool:
    if vote.outcome is SamplerOutcome.ERROR:
        return link.on_error != "closed"
    return vote.outcome is SamplerOutcome.SAMPLED


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
        outcome=SamplerOutcome.SAMPLED if answer.sampled else SamplerOutcome.NOT_SAMPLED,
        reason=answer.reason,
        confidence=answer.confidence,
        probability=answer.probability,
        designated=designated,
        version=link.version,
        duration_ms=duration_ms,
        metadata=answer.metadata,
    )
