"""The statistics of the summary. Standard library only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import floor, sqrt
from statistics import NormalDist

__all__ = ["Estimate", "estimate_share", "percentile", "wilson"]


def percentile(values: Sequence[float], percent: float) -> float:
    """Return a percentile by linear interpolation between closest ranks (Hyndman and Fan 1996, definition 7).

    Args:
        values: The observations, in any order.
        percent: 0 to 100; 50 is the median.

    Raises:
        ValueError: There are no values.
    """
    if not values:
        raise ValueError("there is no percentile of nothing")
    ordered = sorted(values)
    rank = (len(ordered) - 1) * percent / 100.0
    below = floor(rank)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (rank - below)


def wilson(successes: float, trials: float, confidence: float = 0.95) -> tuple[float, float]:
    """Return the score interval for a share (Wilson 1927, "Probable Inference", JASA 22).

    Unlike the textbook interval it stays inside [0, 1] and is sensible at 0 and at all successes.

    Args:
        successes: How many trials succeeded; need not be whole, so that weighted counts can be used.
        trials: How many there were; 0 says nothing, so the interval is (0, 1).
        confidence: Probability with which such intervals cover the true share.
    """
    if trials <= 0.0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf(0.5 + confidence / 2.0)
    share = successes / trials
    squared = z * z / trials
    centre = (share + squared / 2.0) / (1.0 + squared)
    margin = z / (1.0 + squared) * sqrt(share * (1.0 - share) / trials + squared / (4.0 * trials))
    return max(0.0, centre - margin), min(1.0, centre + margin)


@dataclass(frozen=True, slots=True)
class Estimate:
    """The share of a population, estimated from a sample of it."""

    share: float
    low: float
    high: float
    count: int
    """How many observations it rests on."""


def estimate_share(observations: Iterable[tuple[bool, float]]) -> Estimate | None:
    """Estimate a population's share from a sample in which each member had its own probability.

    The share is Hájek's ratio estimator with weights 1/p; the interval is Wilson's on Kish's effective size
    (Σw)²/Σw², which is the plain count when all probabilities are the same.

    Args:
        observations: Whether each sampled member has the property, and the probability, above 0, with which
            it was sampled.

    Returns:
        The estimate, or None when nothing was sampled.
    """
    weighted = [(holds, 1.0 / probability) for holds, probability in observations]
    if not weighted:
        return None
    total = sum(weight for _, weight in weighted)
    share = min(1.0, sum(weight for holds, weight in weighted if holds) / total)
    effective = total * total / sum(weight * weight for _, weight in weighted)
    low, high = wilson(share * effective, effective)
    return Estimate(share, low, high, len(weighted))
