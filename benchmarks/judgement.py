"""The sampling decision, and judging an output by its schema beside jsonschema-rs and jsonschema alone.

Run ``python -m benchmarks.judgement``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import perf_counter
from timeit import Timer
from typing import Any

import jsonschema_rs
from jsonschema.validators import validator_for

from benchmarks.board import Row, at_most, interleave, print_table, row
from hotplane.builtin.samplers.percentage import PercentageConfig, PercentageSampler
from hotplane.execution.sampling import decide
from hotplane.execution.tasks import Plan
from hotplane.identity import new_id, sampling_point
from hotplane.plugins import Sampler, SamplingContext
from hotplane.records import Execution, ExecutionStatus, Task, now
from hotplane.registry import Registry
from hotplane.schemas import Schema

CALLS = 20_000
GOAL_MICROSECONDS = 1.0
GOAL_SCHEMA = 1.5

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "verdict": {"enum": ["spam", "ham"]},
        "score": {"type": "number", "minimum": 0, "maximum": 1},
        "words": {"type": "array", "items": {"type": "string"}, "maxItems": 20},
        "model": {"type": "object", "properties": {"name": {"type": "string"}, "version": {"type": "integer"}}},
    },
    "required": ["verdict", "score"],
}
OUTPUT: dict[str, Any] = {
    "verdict": "spam",
    "score": 0.93,
    "words": ["free", "prize", "call", "now", "winner", "claim"],
    "model": {"name": "bayes", "version": 7},
}


def execution() -> Execution:
    return Execution(
        id=new_id(),
        task_id="spam",
        program="m:f",
        status=ExecutionStatus.SUCCESS,
        input={},
        output=OUTPUT,
        started_at=now(),
    )


def timed(call: Callable[[], object], calls: int = CALLS) -> Callable[[], float]:
    timer = Timer(call)
    return lambda: timer.timeit(calls) / calls * 1e6


def sampler_alone() -> Callable[[], float]:
    """Time the sampler's own decision from an execution's id on: the point and the answer."""
    sampler, done = PercentageSampler(PercentageConfig()), execution()
    context = SamplingContext(
        task=Task(id="spam", program="m:f"),
        rate=None,
        total=0,
        sampled=0,
        last_sample_at=None,
        now=now(),
        point=sampling_point(done.id, minted=True),
        configuration=sampler.config,
    )

    def decision() -> bool:
        # The context, made anew for every execution, is part of the other row; its point alone belongs here.
        sampling_point(done.id, minted=True)
        return sampler.should_sample(done, context).sampled

    return timed(decision)


def whole_decision() -> Callable[[], float]:
    """Time a decision with its votes, counters and isolation, as an execution has it."""
    registry = Registry()
    registry.register(PercentageSampler(PercentageConfig()), limit=1.0)
    chain, plan, done = registry.chain(Sampler), Plan(Task(id="spam", program="m:f")), execution()

    async def loop() -> float:
        started = perf_counter()
        for _ in range(CALLS // 10):
            await decide(chain, done, plan, 1.0)
        return (perf_counter() - started) / (CALLS // 10) * 1e6

    return lambda: asyncio.run(loop())


def measure(rounds: int = 15) -> list[Row]:
    schema, peer, slow = Schema(SCHEMA), jsonschema_rs.validator_for(SCHEMA), validator_for(SCHEMA)(SCHEMA)
    alone, whole, ours, theirs, python = interleave(
        rounds,
        sampler_alone(),
        whole_decision(),
        timed(lambda: schema.problems(OUTPUT)),
        timed(lambda: peer.is_valid(OUTPUT)),
        timed(lambda: slow.is_valid(OUTPUT), CALLS // 100),
    )
    name = "judging an output by its schema"
    return [
        row("sampling: the sampler's decision", "µs", alone, goal=at_most(GOAL_MICROSECONDS, of="ours")),
        row("sampling: the decision with its record", "µs", whole),
        row(name, "µs", ours, "jsonschema-rs", theirs, at_most(GOAL_SCHEMA)),
        row(name, "µs", ours, "jsonschema", python),
    ]


if __name__ == "__main__":
    print_table(measure())
