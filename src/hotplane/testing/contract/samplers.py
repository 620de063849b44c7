"""What samplers promise. Imports `identity`, `records`, `plugins` and this room."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import msgspec
from msgspec.structs import replace

from hotplane.identity import SAMPLING_RANGE
from hotplane.plugins import Plugin, Sample, Sampler
from hotplane.records import Execution, ExecutionStatus
from hotplane.testing.broken import ContractBroken, require
from hotplane.testing.contract.subject import Arguments, Subject
from hotplane.testing.contract.validators import executions
from hotplane.testing.specimens import a_sampling_context, an_execution

__all__ = ["SAMPLER", "sampler_calls"]

_POINTS = 500
_TOLERANCE = 0.02
"""Of the share that is picked: the points lie evenly, so that chance has no part in it."""


def sampler_calls(subject: Subject, plugin: Plugin[Any]) -> Sequence[Arguments]:
    """Return what `should_sample` is called with."""
    return [(each, a_sampling_context(plugin, each)) for each in executions(subject)]


async def _answers(subject: Subject) -> None:
    """It answers with a Sample that can be stored."""
    async with subject.started() as plugin:
        for execution, context in sampler_calls(subject, plugin):
            await _asked(subject, plugin, execution, context)


async def _probability(subject: Subject) -> None:
    """One that is probabilistic gives its probability, and keeps to it."""
    if not _is_probabilistic(subject):
        return
    async with subject.started() as plugin:
        for rate in (None, 0.0, 0.25, 1.0):
            answers = [
                await _asked(subject, plugin, *_at(plugin, point * (SAMPLING_RANGE // _POINTS), rate))
                for point in range(_POINTS)
            ]
            given = [answer.probability for answer in answers]
            require(None not in given, "it is probabilistic, and an answer of its has no `probability`")
            wanted = sum(cast("list[float]", given)) / _POINTS
            picked = sum(answer.sampled for answer in answers) / _POINTS
            require(
                abs(picked - wanted) <= _TOLERANCE,
                f"it gives the probability {wanted:.3g} and picks {picked:.3g} of all sampling points",
            )


async def _same_id(subject: Subject) -> None:
    """One that is probabilistic decides by the sampling point alone, whatever came of the execution."""
    if not _is_probabilistic(subject):
        return
    async with subject.started() as one, subject.started() as other:
        for point in range(0, SAMPLING_RANGE, SAMPLING_RANGE // 50):
            execution, context = _at(one, point, None)
            changed = replace(execution, output="other", status=ExecutionStatus.ERROR, latency_ms=900.0)
            answers = [
                (await _asked(subject, one, execution, context)).sampled,
                (await _asked(subject, other, execution, context)).sampled,
                (await _asked(subject, one, changed, context)).sampled,
            ]
            require(len(set(answers)) == 1, "it is probabilistic, and the same sampling point gets several answers")


async def _observes(subject: Subject) -> None:
    """One that keeps statistics takes note of the executions that others picked."""
    if not _sampler(subject).observes:
        return
    async with subject.started() as plugin:
        for execution in executions(subject):
            cast("Sampler[Any]", plugin).observe(execution)


def _at(plugin: Plugin[Any], point: int, rate: float | None) -> tuple[Execution, Any]:
    execution = an_execution()
    return execution, a_sampling_context(plugin, execution, point=point, rate=rate)


async def _asked(subject: Subject, plugin: Plugin[Any], execution: object, context: object) -> Sample:
    found: object = await subject.call(plugin, execution, context)
    if not isinstance(found, Sample):
        raise ContractBroken(f"`should_sample` returns {type(found).__name__}, not a Sample")
    try:
        msgspec.json.decode(msgspec.json.encode(found), type=Sample)
    except Exception as error:
        raise ContractBroken(f"its answer cannot be stored: {error}") from error
    return found


def _sampler(subject: Subject) -> type[Sampler[Any]]:
    return cast("type[Sampler[Any]]", subject.cls)


def _is_probabilistic(subject: Subject) -> bool:
    return _sampler(subject).probabilistic


SAMPLER = {
    "answers with samples": _answers,
    "keeps to its probability": _probability,
    "the same id gets the same answer": _same_id,
    "observes what others pick": _observes,
}
"""By name."""
