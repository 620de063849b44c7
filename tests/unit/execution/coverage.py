"""How often the interval holds the true rate: ``python -m tests.unit.execution.coverage`` prints the table.

A population is known: so many executions, so many of which fail, picked with such a probability. Each is sampled
2 000 times with a fixed seed. `draw_binomial` draws the numbers of picks, which is all that an estimate needs, with the
law that independent picks have; `draw_by_ids` asks the host's own rule about every single id.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from random import Random

from hotplane.execution.estimates import CONFIDENCE, Estimate, Picks, estimate, wilson
from hotplane.identity import sampled_at, sampling_point

SAMPLES = 2_000
LEAST_FAILURES = 10
"""Sampled failures that a population is made large enough for."""


@dataclass(frozen=True)
class Part:
    """Executions that were all picked with one probability."""

    probability: float
    size: int
    failing: int


@dataclass(frozen=True)
class Population:
    """Executions with known verdicts."""

    name: str
    parts: tuple[Part, ...]

    @property
    def size(self) -> int:
        return sum(part.size for part in self.parts)

    @property
    def rate(self) -> float:
        return sum(part.failing for part in self.parts) / self.size


@dataclass(frozen=True)
class Coverage:
    """What came of sampling a population many times."""

    population: Population
    held: float
    """Share of the intervals that hold the true rate."""
    below: float
    """Share that lies wholly below it."""
    above: float
    width: float
    """Mean width of the intervals."""
    plain: float
    """The same share for Wilson's interval on Kish's size with nothing else."""


Draw = Callable[[Population, Random], Iterator[tuple[Picks, Picks]]]


def uniform(probability: float, rate: float) -> Population:
    """Return a population where 10 sampled failures are expected."""
    size = math.ceil(LEAST_FAILURES / (probability * rate))
    return Population(f"p {probability:g}, failures {rate:g}", (Part(probability, size, round(size * rate)),))


GRID = tuple(uniform(probability, rate) for probability in (0.01, 0.1, 0.5) for rate in (0.01, 0.05, 0.3))
BY_IDS = (GRID[5], GRID[7], GRID[8])
"""Those that are small enough to ask the rule about every id."""
STEADY = (
    Population("p 0.1 then 0.5, failures 0.05", (Part(0.1, 2_000, 100), Part(0.5, 2_000, 100))),
    Population("p 0.01 then 0.5, failures 0.05", (Part(0.01, 20_000, 1_000), Part(0.5, 20_000, 1_000))),
    Population("p 0.01 then 0.1, failures 0.3", (Part(0.01, 5_000, 1_500), Part(0.1, 5_000, 1_500))),
    Population("p 0.1 then 1, failures 0.05", (Part(0.1, 2_000, 100), Part(1.0, 2_000, 100))),
)
"""The rate changed half-way, the failures did not."""
SHIFTED = (
    Population("p 0.1 then 0.5, failures 0.1 then 0.01", (Part(0.1, 5_000, 500), Part(0.5, 5_000, 50))),
    Population("p 0.1 then 0.5, failures 0.01 then 0.1", (Part(0.1, 5_000, 50), Part(0.5, 5_000, 500))),
    Population("p 0.01 then 0.5, failures 0.3 then 0.05", (Part(0.01, 5_000, 1_500), Part(0.5, 5_000, 250))),
    Population("p 0.1 then 1, failures 0.3 then 0.01", (Part(0.1, 2_000, 600), Part(1.0, 2_000, 20))),
)
"""Both changed: what is picked more often fails more often, or less often."""


def measure(population: Population, draw: Draw, seed: int = 1) -> Coverage:
    """Sample a population 2 000 times, and count the intervals that hold its true rate."""
    total = below = above = plain = 0
    width = 0.0
    for failed, passed in draw(population, Random(f"{seed}/{population.name}")):
        found = estimate(failed, passed, population=population.size)
        total += 1
        below += found.high < population.rate
        above += found.low > population.rate
        width += found.high - found.low
        plain += _holds_plainly(found, failed + passed, population.rate)
    held = total - below - above
    return Coverage(population, held / total, below / total, above / total, width / total, plain / total)


def draw_binomial(population: Population, random: Random) -> Iterator[tuple[Picks, Picks]]:
    """Yield samples as the numbers of their picks."""
    laws = [
        (part, _Binomial(part.failing, part.probability), _Binomial(part.size - part.failing, part.probability))
        for part in population.parts
    ]
    for _ in range(SAMPLES):
        failed = passed = Picks()
        for part, failing, passing in laws:
            failed += Picks.of(failing.draw(random), part.probability)
            passed += Picks.of(passing.draw(random), part.probability)
        yield failed, passed


def draw_by_ids(population: Population, random: Random) -> Iterator[tuple[Picks, Picks]]:
    """Yield samples as the rule picks them: every execution has an id of its own, as callers give them."""
    for _ in range(SAMPLES):
        failed = passed = Picks()
        for part in population.parts:
            order = random.getrandbits(64)
            picked = [
                sampled_at(sampling_point(f"order-{order}-{number}", minted=False), part.probability)
                for number in range(part.size)
            ]
            failed += Picks.of(sum(picked[: part.failing]), part.probability)
            passed += Picks.of(sum(picked[part.failing :]), part.probability)
        yield failed, passed


class _Binomial:
    """Draws how many of `size` are picked, by inverting the distribution function."""

    def __init__(self, size: int, probability: float) -> None:
        self._size = size
        self._sure = probability >= 1.0
        if self._sure:
            return
        reach = 9 * math.sqrt(size * probability * (1 - probability)) + 10
        self._first = max(0, math.floor(size * probability - reach))
        last = min(size, math.ceil(size * probability + reach))
        self._shares = list(accumulate(_chance(size, k, probability) for k in range(self._first, last + 1)))

    def draw(self, random: Random) -> int:
        if self._sure:
            return self._size
        return self._first + bisect_left(self._shares, random.random() * self._shares[-1])


def _chance(size: int, count: int, probability: float) -> float:
    ways = math.lgamma(size + 1) - math.lgamma(count + 1) - math.lgamma(size - count + 1)
    return math.exp(ways + count * math.log(probability) + (size - count) * math.log1p(-probability))


def _holds_plainly(found: Estimate, judged: Picks, truth: float) -> bool:
    low, high = wilson(found.value, judged.weight**2 / judged.squares, CONFIDENCE)
    return low <= truth <= high


HEAD = (
    "| population | executions | failures | drawn by | coverage | missed below | missed above | mean width "
    "| Wilson on Kish alone |\n|---|--:|--:|---|--:|--:|--:|--:|--:|"
)


def line(found: Coverage, drawn: str) -> str:
    """Return one population as a line of the table."""
    known = found.population
    shares = (found.held, found.below, found.above, found.width, found.plain)
    cells = (known.name, str(known.size), f"{known.rate:.2%}", drawn, *(f"{share:.2%}" for share in shares))
    return "| " + " | ".join(cells) + " |"


def lines() -> Iterator[str]:
    """Yield the table, line by line."""
    yield HEAD
    groups: Sequence[tuple[Sequence[Population], Draw, str]] = (
        (GRID, draw_binomial, "counts"),
        (BY_IDS, draw_by_ids, "ids"),
        (STEADY, draw_binomial, "counts"),
        (SHIFTED, draw_binomial, "counts"),
    )
    for populations, draw, drawn in groups:
        for population in populations:
            yield line(measure(population, draw), drawn)


if __name__ == "__main__":
    for each in lines():
        print(each, flush=True)
