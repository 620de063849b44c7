"""What a sample says about everything: failure rates with intervals. Imports only `errors`; pure mathematics.

The designated sampler picks each execution with a probability p that is known when it decides, one by one and
independently: a Poisson sample. A pick with probability p stands for 1/p executions.

* Hájek, J. (1971). Comment on a paper by D. Basu. In Godambe and Sprott (eds.), *Foundations of Statistical
  Inference*, 236: the ratio of two weighted sums.
* Kish, L. (1965). *Survey Sampling*, section 11.7: the effective size of a sample with unequal weights.
* Wilson, E. B. (1927). Probable inference, the law of succession, and statistical inference. *Journal of the
  American Statistical Association* 22, 209-212: an interval that holds for few and for no failures.
* Korn, E. L. and Graubard, B. I. (1998). Confidence intervals for proportions with small expected number of positive
  counts estimated from survey data. *Survey Methodology* 24, 193-201: the effective size from the design effect that is
  estimated for the very thing that is asked for. Kish's size alone assumes that how often something is picked has
  nothing to do with whether it fails, and is too large where somebody raised the rate because quality had fallen.
* Särndal, C.-E., Swensson, B. and Wretman, J. (1992). *Model Assisted Survey Sampling*, section 5.7: the variance of a
  ratio under Poisson sampling, with the factors 1 - p that let it vanish when everything was picked.
"""

from __future__ import annotations

from functools import lru_cache
from math import inf, sqrt
from statistics import NormalDist

from msgspec import Struct

from hotplane.errors import Invalid

__all__ = ["CONFIDENCE", "NO_PICKS", "NO_VERDICTS", "Estimate", "Estimates", "Picks", "estimate", "estimate_all"]

CONFIDENCE = 0.95
"""The share of intervals that hold the true rate, unless another is asked for."""

NO_PICKS = "the designated sampler picked none of these executions"
NO_VERDICTS = "none of the picked executions could be judged"


class Picks(Struct, frozen=True):
    """Picks of one kind, summed up; sums of disjoint picks may be added."""

    count: int = 0
    weight: float = 0.0
    """The sum of 1/p: how many executions they stand for."""
    squares: float = 0.0
    """The sum of 1/p²."""
    heaviest: float = 0.0
    """The largest 1/p."""

    @classmethod
    def of(cls, count: int, probability: float) -> Picks:
        """Return `count` picks of one probability, which is above 0 and at most 1."""
        weight = 1.0 / probability
        return cls(count, count * weight, count * weight * weight, weight if count else 0.0)

    def __add__(self, other: Picks) -> Picks:
        """Return both together."""
        return Picks(
            self.count + other.count,
            self.weight + other.weight,
            self.squares + other.squares,
            max(self.heaviest, other.heaviest),
        )


class Estimate(Struct, frozen=True, kw_only=True):
    """A rate that was estimated, and the interval that holds the true one with the asked confidence."""

    value: float
    low: float
    high: float

    def complement(self) -> Estimate:
        """Return the same of what is left: the accuracy of a failure rate."""
        return Estimate(value=1.0 - self.value, low=1.0 - self.high, high=1.0 - self.low)


class Estimates(Struct, frozen=True, kw_only=True):
    """All that picks say about the failure rate of the executions that they were picked from."""

    failure_rate: Estimate | None
    """Of the executions that can be judged; null without a verdict."""
    best_case: Estimate | None
    """The failure rate if everything that could not be judged was right."""
    worst_case: Estimate | None
    """The failure rate if everything that could not be judged was wrong."""
    effective_size: float | None
    """The number of executions that would say as much, had they been drawn with one probability (Kish)."""
    reason: str | None
    """Why there is no failure rate; null when there is one."""


def estimate_all(
    failed: Picks, passed: Picks, unjudged: Picks, *, population: int | None = None, confidence: float = CONFIDENCE
) -> Estimates:
    """Return the failure rate, and its bounds for everything that could not be judged.

    Args:
        failed: Picks that validators found wrong.
        passed: Picks that they found right.
        unjudged: Picks that they could not judge.
        population: How many executions the sampler decided on, where known.
        confidence: Between 0 and 1, both excluded.

    Raises:
        Invalid: The confidence is out of its range.
    """
    critical_value(confidence)
    if not failed.count + passed.count + unjudged.count:
        return Estimates(failure_rate=None, best_case=None, worst_case=None, effective_size=None, reason=NO_PICKS)
    judged = failed + passed
    left = None if population is None else population - unjudged.count
    return Estimates(
        failure_rate=estimate(failed, passed, population=left, confidence=confidence) if judged.count else None,
        best_case=estimate(failed, passed + unjudged, population=population, confidence=confidence),
        worst_case=estimate(failed + unjudged, passed, population=population, confidence=confidence),
        effective_size=judged.weight**2 / judged.squares if judged.count else None,
        reason=None if judged.count else NO_VERDICTS,
    )


def estimate(
    failed: Picks,
    passed: Picks,
    *,
    population: int | None = None,
    confidence: float = CONFIDENCE,
    finite: bool = True,
) -> Estimate:
    """Return Hájek's estimate of a failure rate, and Wilson's interval on the effective sample size.

    Args:
        failed: Picks that failed.
        passed: Picks that passed; not both may be empty.
        population: How many executions there are, where known: the interval leaves out rates that contradict what was
            seen of them.
        confidence: Between 0 and 1, both excluded.
        finite: Whether the question is about these executions, of which those that were picked are known for certain.
            False: about the process that made them, of which all of them are but a sample.

    Raises:
        Invalid: The confidence is out of its range.
    """
    total = failed.weight + passed.weight
    rate = failed.weight / total
    low, high = wilson(rate, _effective_size(failed, passed, finite=finite), confidence)
    if finite and population:
        low = max(low, failed.count / population)
        high = min(high, 1.0 - passed.count / population)
    # The estimate is always part of its interval, also where rounding or the population's bounds would have it else.
    return Estimate(value=rate, low=max(0.0, min(low, rate)), high=min(1.0, max(high, rate)))


def wilson(rate: float, size: float, confidence: float) -> tuple[float, float]:
    """Return Wilson's score interval.

    Args:
        rate: The observed share, 0 to 1.
        size: The number of observations, not necessarily whole; infinite for certainty.
        confidence: Between 0 and 1, both excluded.

    Raises:
        Invalid: The confidence is out of its range.
    """
    z = critical_value(confidence)
    if size == inf:
        return rate, rate
    share = z * z / size
    centre = (rate + share / 2.0) / (1.0 + share)
    half = sqrt(share * rate * (1.0 - rate) + share * share / 4.0) / (1.0 + share)
    return centre - half, centre + half


@lru_cache(maxsize=64)
def critical_value(confidence: float) -> float:
    """Return how many standard deviations a two-sided interval reaches on each side.

    Raises:
        Invalid: The confidence is not between 0 and 1.
    """
    if not 0.0 < confidence < 1.0:
        raise Invalid(f"A confidence is between 0 and 1, both excluded, not {confidence}.")
    return NormalDist().inv_cdf(0.5 + confidence / 2.0)


def _effective_size(failed: Picks, passed: Picks, *, finite: bool) -> float:
    """Return how many equally probable picks would say as much.

    The smaller of two sizes, so that no design effect makes an interval too narrow: Kish's, and the one from the
    variance of this very rate. Where all picks agree there is no variance to estimate, and nothing tells where the
    others hide: then each counts as one of the least probable.
    """
    judged = failed + passed
    if not failed.count or not passed.count:
        return judged.weight / judged.heaviest
    spread_failed, spread_passed = _spread(failed, finite=finite), _spread(passed, finite=finite)
    if spread_failed + spread_passed <= 0.0:
        return inf
    kish = judged.weight**2 / (spread_failed + spread_passed)
    variance = spread_failed * passed.weight**2 + spread_passed * failed.weight**2
    # R(1-R) / v, with R = failed / all and v = sum of w(w-1)(y-R)² / all², multiplied out.
    design = failed.weight * passed.weight * judged.weight**2 / variance
    return min(kish, design)


def _spread(picks: Picks, *, finite: bool) -> float:
    """Return the sum of w², for a finite population of w²(1-p) = w² - w; rounding may not take it below 0."""
    return max(0.0, picks.squares - picks.weight) if finite else picks.squares
