"""The naive Bayes model."""

from math import log

import pytest

from examples.spam.bayes import NaiveBayes

YES, NO = frozenset({"a", "b"}), frozenset({"b", "c"})


def test_weights_are_smoothed_log_ratios():
    """With Laplace smoothing over three features, `a` once against never gives log((2/5) / (1/5))."""
    model = NaiveBayes([(YES, True), (NO, False)], smoothing=1.0)
    assert model.weight("a") == pytest.approx(log(2))
    assert model.weight("b") == pytest.approx(0.0)


def test_without_evidence_the_prior_decides():
    """Unknown features weigh nothing, so that the probability is the prior."""
    model = NaiveBayes([(YES, True), (NO, False)], prior=0.2)
    assert model.probability({"never seen"}) == pytest.approx(0.2)


def test_overwhelming_evidence_does_not_overflow():
    """Thousands of features lead to 0 or 1, not to an error."""
    many = frozenset(map(str, range(5_000)))
    model = NaiveBayes([(many, True), (NO, False)], smoothing=1e-9)
    assert model.probability(many) == 1.0
    assert NaiveBayes([(YES, True), (many, False)], smoothing=1e-9).probability(many) == 0.0


def test_one_class_alone_teaches_nothing():
    """Examples of a single class are refused."""
    with pytest.raises(ValueError, match="both classes"):
        NaiveBayes([(YES, True)])
