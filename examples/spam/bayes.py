"""A two-class naive Bayes over sets of features. Standard library only.

The multinomial model with Boolean attributes, which does best on spam among the usual variants (Metsis,
Androutsopoulos, Paliouras: "Spam Filtering with Naive Bayes - Which Naive Bayes?", CEAS 2006, section 3), with
Lidstone smoothing, in log space.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from math import exp, log

__all__ = ["NaiveBayes"]


class NaiveBayes:
    """The evidence that each feature gives, learnt from labelled examples.

    Args:
        examples: Pairs of features and whether they belong to the positive class.
        prior: Probability of the positive class before anything is known, in (0, 1).
        smoothing: Count added to every feature in both classes, so that nothing seen once is certain.

    Raises:
        ValueError: One of the classes has no example.
    """

    __slots__ = ("_prior", "_weights")

    def __init__(
        self, examples: Iterable[tuple[frozenset[str], bool]], *, prior: float = 0.5, smoothing: float = 0.5
    ) -> None:
        positive: Counter[str] = Counter()
        negative: Counter[str] = Counter()
        for features, is_positive in examples:
            (positive if is_positive else negative).update(features)
        if not positive or not negative:
            raise ValueError("naive Bayes needs examples of both classes")
        known = positive.keys() | negative.keys()
        of_positive = positive.total() + smoothing * len(known)
        of_negative = negative.total() + smoothing * len(known)
        self._prior = log(prior / (1.0 - prior))
        self._weights = {
            feature: log((positive[feature] + smoothing) / of_positive)
            - log((negative[feature] + smoothing) / of_negative)
            for feature in known
        }

    def weight(self, feature: str) -> float:
        """Return a feature's evidence in nats: above zero for the positive class, zero for an unknown feature."""
        return self._weights.get(feature, 0.0)

    def log_odds(self, features: Iterable[str]) -> float:
        """Return the logarithm of the odds for the positive class."""
        return self._prior + sum(map(self.weight, features))

    def probability(self, features: Iterable[str]) -> float:
        """Return the probability of the positive class, 0 to 1."""
        odds = self.log_odds(features)
        return 1.0 / (1.0 + exp(-odds)) if odds >= 0.0 else exp(odds) / (1.0 + exp(odds))
