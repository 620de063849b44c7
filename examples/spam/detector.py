"""The spam detector, trained when it is imported. Standard library only.

`messages.jsonl` beside this file is all that it has seen. Training takes a few milliseconds, so there is no
model file that could grow stale.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal, TypedDict

from examples.spam.bayes import NaiveBayes
from examples.spam.features import features

__all__ = ["MESSAGES", "Detection", "Label", "classify", "detect", "load", "train"]

Label = Literal["ham", "spam"]

MESSAGES = Path(__file__).with_name("messages.jsonl")
"""The hand-written sample: one JSON object a line, ``{"id", "input": {"text"}, "expected"}``."""

SPAM_PRIOR = 0.15
"""Share of spam to expect in life: the sample has more, so that there is something to learn from."""
SMOOTHING = 1.0
"""Laplace's rule; the best of 0.1, 0.3, 0.5 and 1 in cross-validation on the sample."""
MAX_REASONS = 3


class Detection(TypedDict):
    """What `detect` says of a message."""

    label: Label
    score: float
    """Probability of spam, 0 to 1."""
    reasons: list[str]
    """What spoke most for the label, strongest first."""


def load(path: Path = MESSAGES) -> list[tuple[str, Label]]:
    """Return the texts and labels of a file of messages."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [(message["input"]["text"], message["expected"]) for message in map(json.loads, lines)]


def train(messages: Iterable[tuple[str, Label]]) -> NaiveBayes:
    """Return a model of the texts and labels given."""
    examples = ((features(text), label == "spam") for text, label in messages)
    return NaiveBayes(examples, prior=SPAM_PRIOR, smoothing=SMOOTHING)


_MODEL = train(load())


def classify(input: Mapping[str, str]) -> Label:
    """Return ``"spam"`` or ``"ham"`` for the message in ``input["text"]``."""
    return "spam" if _MODEL.log_odds(features(input["text"])) > 0.0 else "ham"


def detect(input: Mapping[str, str]) -> Detection:
    """Return the label of the message in ``input["text"]``, the probability of spam, and the reasons."""
    found = features(input["text"])
    label = classify(input)
    sign = 1.0 if label == "spam" else -1.0
    evidence = sorted(((sign * _MODEL.weight(feature), feature) for feature in found), reverse=True)
    return {
        "label": label,
        "score": round(_MODEL.probability(found), 4),
        "reasons": [_in_words(feature) for weight, feature in evidence[:MAX_REASONS] if weight > 0.0],
    }


def _in_words(feature: str) -> str:
    return f"the word {feature[1:]!r}" if feature.startswith("=") else feature
